import type { KeyspacePlan, StrategyScenario } from "../strategy-scenario.ts";
import { RAFT_GROUP_BY } from "./raft-keys.ts";
import { RAFT_SOMETIMES, RaftRun } from "./raft-run.ts";

const DEADLINE_MS = 3_000;
/** What elections take on a LAN, and what a hurried configuration asks for. */
const ELECTION_TIMEOUTS_MS = Object.freeze([100, 200, 500, 1_000]);

/** Small ones, so that replicas that were away need snapshots, and read their logs back. */
const RETAINED_LOGS = Object.freeze(["1KiB", "4KiB", "16KiB", "32MiB"]);

/** Keys that are read, written and written conditionally at every level there is. */
export const raftScenario: StrategyScenario = Object.freeze<StrategyScenario>({
  strategy: "raft",
  sometimes: RAFT_SOMETIMES,
  configure: (knobs, { storage }, draw): KeyspacePlan["configuration"] => {
    const electionTimeout = ELECTION_TIMEOUTS_MS[draw.whole(0, ELECTION_TIMEOUTS_MS.length - 1)];
    const deadlineMs = Math.max(50, Math.round(DEADLINE_MS * knobs.patience));
    return {
      // With an even number one replica less may be lost than the nemesis takes for granted.
      replicas: knobs.replicas - ((knobs.replicas + 1) % 2),
      shards: knobs.shards,
      groupBy: RAFT_GROUP_BY,
      electionTimeout,
      retainedLog: RETAINED_LOGS[draw.whole(0, RETAINED_LOGS.length - 1)],
      deadlines: { strong: deadlineMs, lease: deadlineMs, follower: deadlineMs },
      ...(storage === "disk" && { durability: knobs.durability }),
    };
  },
  // A vote that a joint or undecided configuration gives may still be taken back, and the store
  // that was lost be among those who decide again.
  isWhole: ({ serving, isVoter, isSettled }) =>
    serving === true && isVoter === true && isSettled === true,
  createRun: (scene) => new RaftRun(scene),
});
