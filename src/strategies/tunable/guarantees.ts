import type { Guarantee } from "../../core/contracts/strategy.ts";

/** What each level promises, on what condition, and which test shows it. */
export const TUNABLE_GUARANTEES: readonly Guarantee[] = Object.freeze([
  {
    levels: ["strong"],
    promise: "Reads and writes of one key at strong are linearizable among each other.",
    condition: "A majority of the key's replicas can be reached and has not lost its memory.",
    notPromised:
      "Nothing about operations at weaker levels that run beside them, nor about two keys together.",
    shownBy: "test/simulation/tunable-strong.test.ts",
  },
  {
    levels: ["quorum"],
    promise:
      "A write acknowledged at quorum is seen, or a newer one, by every later read at quorum.",
    condition: "Clocks differ by less than clock.maxSkew; fewer than a majority loses its memory.",
    notPromised:
      "Two reads during an unfinished write may see it and then not; of two writes at about the " +
      "same time the one with the smaller stamp is lost, and says SUPERSEDED if a replica noticed.",
    shownBy: "test/simulation/tunable-quorum.test.ts",
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
    notPromised: "That a later read sees the write, unless reads and writes together exceed N.",
    shownBy: "test/simulation/tunable-levels.test.ts",
  },
] as const satisfies readonly Guarantee[]);
