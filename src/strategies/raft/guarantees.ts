import type { Guarantee } from "../../core/contracts/strategy.ts";
import { RAFT_LEVELS } from "./settings.ts";

const CALLS = "test/simulation/raft-calls.test.ts";
const LEASE = "test/simulation/raft-lease.test.ts";
const PROMISES = "test/simulation/promises-raft.test.ts";
const EVERY_PAIR = Object.freeze({ writes: RAFT_LEVELS, reads: RAFT_LEVELS });
/** A lease holds within the bound of the clocks, and what a seed does to clocks goes beyond it. */
const LINEARIZABLE_PAIRS = Object.freeze({
  writes: RAFT_LEVELS,
  reads: Object.freeze(["strong", "quorum", "follower"] as const),
});

/** What each level promises, on what condition, and which test shows it. */
export const RAFT_GUARANTEES: readonly Guarantee[] = Object.freeze([
  {
    levels: ["strong", "quorum"],
    promise:
      "Writes, whatever their level, and reads at strong are linearizable for each key and each " +
      "batch; what is acknowledged survives the loss of any minority and a power cut of all.",
    condition: "A majority of the shard's replicas can be reached, and keeps what it has synced.",
    notPromised: "Progress without a majority; one moment over several shards.",
    shownBy: PROMISES,
    checked: [
      {
        checks: ["linearizable", "regular", "conditional-writes", "all-or-nothing"],
        between: LINEARIZABLE_PAIRS,
      },
      {
        checks: ["truthful-outcome", "one-winner-per-version", "refused-leaves-nothing"],
        between: EVERY_PAIR,
      },
    ],
  },
  {
    levels: ["lease"],
    promise: "The same, answered by the leader without asking anybody.",
    condition:
      "No node's clock runs more than five hundredths faster than another's, and its own event " +
      "loop has not stood still unnoticed.",
    notPromised: "Anything beyond that bound: then a read may be as old as the lease.",
    shownBy: LEASE,
  },
  {
    levels: ["follower"],
    promise: "The same as strong, read from the state of a replica that need not lead.",
    condition: "A majority, the leader among it, can be reached by that replica.",
    notPromised: "An answer while the replica has yet to catch up.",
    shownBy: CALLS,
  },
  {
    levels: ["session"],
    promise: "What the session has written or seen is there, also at another node.",
    condition: "The session's token comes with the call; without one it is a stale read.",
    notPromised: "What others wrote meanwhile.",
    shownBy: CALLS,
  },
  {
    levels: ["stale", "eventual", "one"],
    promise: "A state that the shard has been in: a prefix of its log, also without a majority.",
    condition: "One replica can be reached.",
    notPromised: "How old it is; that a second read is not older, unless a session comes along.",
    shownBy: CALLS,
  },
] as const satisfies readonly Guarantee[]);
