import type { Guarantee } from "../../core/contracts/strategy.ts";
import { DYNAMO_LEVELS } from "./settings.ts";

const SHOWN_BY = "test/simulation/promises-dynamo.test.ts";

const DATACENTERS = "test/simulation/datacenters.test.ts";

const MAJORITIES = ["quorum", "all", "each-quorum"] as const;

const EVERY_PAIR = Object.freeze({ writes: DYNAMO_LEVELS, reads: DYNAMO_LEVELS });

/** What each level promises, on what condition, and which test shows it. */
export const DYNAMO_GUARANTEES: readonly Guarantee[] = Object.freeze([
  {
    levels: DYNAMO_LEVELS,
    promise:
      "No write is lost silently: every acknowledged one is among the versions of its key in the " +
      "end, or was replaced by a write whose client had seen it, or lost to a concurrent one as " +
      "the keyspace's resolver has it. A deletion removes what it saw, and that stays deleted.",
    condition: "Fewer copies are lost than held the write durably when it was acknowledged.",
    notPromised:
      "That one of two concurrent writes wins, unless a resolver says so; any order between keys.",
    shownBy: SHOWN_BY,
    checked: [
      { checks: ["no-silent-loss", "every-increment-counts"], between: "meeting-counts" },
      {
        checks: ["truthful-outcome", "operations-add-up", "batch-per-key"],
        between: EVERY_PAIR,
      },
    ],
  },
  {
    levels: ["quorum", "all", "three", "two"],
    promise:
      "A write whose receipt says consistent is seen, or what replaced it, by every later read " +
      "whose receipt says consistent, where the two levels together exceed the replicas.",
    condition: "Fewer than a majority of the key's replicas loses its memory.",
    notPromised:
      "Anything of a receipt that is not consistent: copies on nodes that stand in are found by " +
      "reads only where no replica can be reached. Two reads during an unfinished write may see it " +
      "and then not.",
    shownBy: SHOWN_BY,
    checked: [{ checks: ["sees-acknowledged"], between: "meeting-counts" }],
  },
  {
    levels: ["each-quorum", "local-quorum"],
    promise:
      "each-quorum has the answers of a majority of every datacenter that holds replicas, and is " +
      "seen as quorum is, by later reads at local-quorum, too; local-quorum those of the datacenter " +
      "of the node that is asked, and is seen by later reads at local-quorum there.",
    condition:
      "As for quorum. With a datacenter out of reach each-quorum fails, whatever partitionPolicy " +
      "says; local-quorum goes on.",
    notPromised: "That local-quorum is seen in another datacenter before the two have met.",
    shownBy: DATACENTERS,
    checked: [
      {
        checks: ["sees-acknowledged"],
        between: { writes: ["each-quorum"], reads: [...MAJORITIES, "local-quorum"] },
      },
      {
        checks: ["sees-acknowledged"],
        between: { writes: ["quorum", "all"], reads: ["each-quorum"] },
      },
    ],
  },
  {
    levels: ["one", "eventual"],
    promise:
      "A write is taken while one replica can be reached, or one node that stands in, the node " +
      "that was asked among them.",
    condition: "partitionPolicy is prefer-availability.",
    notPromised: "That a read elsewhere sees it before the nodes have met again.",
    shownBy: "test/simulation/dynamo-partitions.test.ts",
  },
  {
    levels: DYNAMO_LEVELS,
    promise:
      "In a session a read shows what the session wrote and read before of the key, or something " +
      "newer, at whichever node; or it fails with SESSION_BEHIND.",
    condition: "The calls carry the session's token.",
    notPromised: "Anything of two keys together; that the session's next read succeeds.",
    shownBy: "test/simulation/leaderless-sessions.test.ts",
  },
] as const satisfies readonly Guarantee[]);
