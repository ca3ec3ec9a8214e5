import type { Guarantee } from "../../core/contracts/strategy.ts";
import { TUNABLE_LEVELS } from "./settings.ts";

const SHOWN_BY = "test/simulation/promises.test.ts";

const DATACENTERS = "test/simulation/datacenters.test.ts";

const MAJORITIES = ["quorum", "all", "each-quorum"] as const;
const MEETING_CHECKS = Object.freeze(["regular", "read-your-writes", "monotonic-writes"] as const);

const EVERY_PAIR = Object.freeze({ writes: TUNABLE_LEVELS, reads: TUNABLE_LEVELS });
const STRONG_PAIR = Object.freeze({
  writes: Object.freeze(["strong"] as const),
  reads: Object.freeze(["strong"] as const),
});

/**
 * What each level promises, on what condition, and which test shows it. `capstan verify` and the
 * scenarios of a seed hold the store to this table and to no other.
 */
export const TUNABLE_GUARANTEES: readonly Guarantee[] = Object.freeze([
  {
    levels: ["strong"],
    promise: "Reads and writes of one key at strong are linearizable among each other.",
    condition: "A majority of the key's replicas can be reached and has not lost its memory.",
    notPromised:
      "Nothing about operations at weaker levels that run beside them, nor about two keys together.",
    shownBy: SHOWN_BY,
    checked: [
      {
        checks: [
          "linearizable",
          "regular",
          "read-your-writes",
          "monotonic-reads",
          "monotonic-writes",
          "writes-follow-reads",
        ],
        between: STRONG_PAIR,
      },
    ],
  },
  {
    levels: ["quorum", "all"],
    promise:
      "A write acknowledged at quorum is seen, or a newer one, by every later read at quorum; so it " +
      "is at all pairs of levels of which R + W > N and 2 W > N: written at all and read at one, too.",
    condition: "Clocks differ by less than clock.maxSkew; fewer than a majority loses its memory.",
    notPromised:
      "Two reads during an unfinished write may see it and then not; of two writes at about the " +
      "same time the one with the smaller stamp is lost, and says SUPERSEDED if a replica noticed. " +
      "When a shard is moved: that a read at a level below the keyspace's own, through a node that " +
      "was cut off from the switch, sees what is written after it.",
    shownBy: SHOWN_BY,
    checked: [
      { checks: ["regular", "read-your-writes", "monotonic-writes"], between: "meeting-counts" },
    ],
  },
  {
    levels: ["each-quorum"],
    promise:
      "A majority of every datacenter that holds replicas has the write, or has answered the read: " +
      "what is promised of quorum, and later reads at local-quorum see the write everywhere.",
    condition:
      "As for quorum, in each datacenter. With one of them out of reach the call fails, whatever " +
      "partitionPolicy says.",
    notPromised: "As for quorum.",
    shownBy: DATACENTERS,
    checked: [
      {
        checks: MEETING_CHECKS,
        between: { writes: ["each-quorum"], reads: [...MAJORITIES, "local-quorum"] },
      },
      { checks: MEETING_CHECKS, between: { writes: ["quorum", "all"], reads: ["each-quorum"] } },
      { checks: MEETING_CHECKS, between: { writes: ["all"], reads: ["local-quorum"] } },
    ],
  },
  {
    levels: ["local-quorum"],
    promise:
      "A write acknowledged at local-quorum is seen, or a newer one, by every later read at " +
      "local-quorum through a node of the same datacenter.",
    condition:
      "As for quorum, of the replicas in the datacenter of the node that is asked, and the key is " +
      "written in that datacenter alone; what the others hold or whether they can be reached does " +
      "not matter.",
    notPromised:
      "That a node of another datacenter sees it before the two have met; that of two writes in two " +
      "datacenters the later one wins: the one with the greater stamp does.",
    shownBy: DATACENTERS,
  },
  {
    levels: ["all"],
    promise: "Every replica holds the write; a read has heard every replica.",
    condition: "All replicas can be reached.",
    notPromised: "Availability with one replica gone.",
    shownBy: "test/simulation/tunable-levels.test.ts",
  },
  {
    levels: ["one", "two", "three", "eventual"],
    promise: "That many replicas hold the write, or have answered the read.",
    condition: "That many replicas can be reached.",
    notPromised:
      "That a later read sees the write, unless R + W > N and 2 W > N; that of two writes the " +
      "later one wins: where they need not meet, the one with the greater stamp does.",
    shownBy: "test/simulation/tunable-levels.test.ts",
  },
  {
    levels: TUNABLE_LEVELS,
    promise:
      "An acknowledged write is there in the end, or one with a greater stamp; a write that was said " +
      "not to be applied is never seen.",
    condition: "One replica that held it when it was acknowledged has not lost it since.",
    notPromised: "When the other replicas have it.",
    shownBy: SHOWN_BY,
    checked: [
      { checks: ["no-lost-write", "truthful-outcome", "batch-per-key"], between: EVERY_PAIR },
    ],
  },
  {
    levels: TUNABLE_LEVELS,
    promise:
      "In a session a read shows what the session wrote and read before of the key, or something " +
      "newer, at whichever node; or it fails with SESSION_BEHIND.",
    condition: "The calls carry the session's token.",
    notPromised: "Anything of two keys together; that the session's next read succeeds.",
    shownBy: "test/simulation/leaderless-sessions.test.ts",
  },
] as const satisfies readonly Guarantee[]);
