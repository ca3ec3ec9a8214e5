import type { Guarantee } from "../../core/contracts/strategy.ts";
import { TUNABLE_LEVELS } from "./settings.ts";

const SHOWN_BY = "test/simulation/promises.test.ts";

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
      "same time the one with the smaller stamp is lost, and says SUPERSEDED if a replica noticed.",
    shownBy: SHOWN_BY,
    checked: [
      { checks: ["regular", "read-your-writes", "monotonic-writes"], between: "meeting-counts" },
    ],
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
    checked: [{ checks: ["no-lost-write", "truthful-outcome"], between: EVERY_PAIR }],
  },
] as const satisfies readonly Guarantee[]);
