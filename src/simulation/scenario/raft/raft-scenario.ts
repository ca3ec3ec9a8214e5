import { majorityOf } from "../../../core/model/quorum.ts";
import { SeededRandom } from "../../seeded-random.ts";
import { Draw } from "../draw.ts";
import { MANY_SHARDS } from "../many-shards.ts";
import type { KeyspacePlan, MachinesPlan, StrategyScenario } from "../strategy-scenario.ts";
import { RAFT_GROUP_BY } from "./raft-keys.ts";
import { RAFT_SOMETIMES, RaftRun } from "./raft-run.ts";

const DEADLINE_MS = 3_000;
/** What elections take on a LAN, and what a hurried configuration asks for. */
const ELECTION_TIMEOUTS_MS = Object.freeze([100, 200, 500, 1_000]);

/** Small ones, so that replicas that were away need snapshots, and read their logs back. */
const RETAINED_LOGS = Object.freeze(["1KiB", "4KiB", "16KiB", "32MiB"]);

/**
 * Of the seeds with three nodes or more, so many have far more shards than keys: most of them rest,
 * and wake at faults alone.
 */
const SEEDS_WITH_MANY_SHARDS = 0.1;
/** On three nodes; on more of them fewer, as every node has something of every shard. */
const MOST_SHARDS = 256;
/** What a shard that is awake costs, it costs in every beat, and for each replica. */
const ELECTION_TIMEOUTS_OF_MANY_MS = Object.freeze([1_000, 2_000]);
const REPLICAS_OF_MANY = 3;

/** Keys that are read, written and written conditionally at every level there is. */
export const raftScenario: StrategyScenario = Object.freeze<StrategyScenario>({
  strategy: "raft",
  sometimes: RAFT_SOMETIMES,
  // And moves of shards, which come in every such seed anyway.
  faults: Object.freeze(["partition", "power-cut", "wipe"] as const),
  configure: (knobs, machines, draw): KeyspacePlan["configuration"] => {
    const electionTimeout = ELECTION_TIMEOUTS_MS[draw.whole(0, ELECTION_TIMEOUTS_MS.length - 1)];
    const many = drawManyShards(machines);
    const deadlineMs = Math.max(50, Math.round(DEADLINE_MS * knobs.patience));
    return {
      replicas: knobs.replicas,
      shards: knobs.shards,
      groupBy: RAFT_GROUP_BY,
      electionTimeout,
      retainedLog: RETAINED_LOGS[draw.whole(0, RETAINED_LOGS.length - 1)],
      deadlines: { strong: deadlineMs, lease: deadlineMs, follower: deadlineMs },
      ...(machines.storage === "disk" && { durability: knobs.durability }),
      ...many,
    };
  },
  // A vote that a joint or undecided configuration gives may still be taken back, and the store
  // that was lost be among those who decide again.
  isWhole: ({ serving, isVoter, isSettled }) =>
    serving === true && isVoter === true && isSettled === true,
  // Those who vote for a store that was lost are a majority without it; who loses none has all.
  othersToServe: (replicas) => Math.min(majorityOf(replicas), replicas - 1),
  // A store that was lost never votes again: a majority of those that were asked last has to be left.
  bearableLosses: (replicas) => replicas - majorityOf(replicas),
  createRun: (scene) => new RaftRun(scene),
});

/** From a stream of its own: what else a seed draws does not hang on it. Undefined: few, as ever. */
function drawManyShards(machines: MachinesPlan): Readonly<Record<string, number>> | undefined {
  const draw = new Draw(new SeededRandom(machines.seed, "plan/many-raft-shards"));
  if (machines.nodes < 3 || !draw.chance(SEEDS_WITH_MANY_SHARDS)) return undefined;
  const most = (MOST_SHARDS * 3) / machines.nodes;
  const drawn = (): number => draw.magnitude(MANY_SHARDS, most);
  const shards = Math.round(Math.min(drawn(), drawn(), drawn()));
  const electionTimeout = draw.pick(ELECTION_TIMEOUTS_OF_MANY_MS);
  return { shards, replicas: REPLICAS_OF_MANY, electionTimeout };
}
