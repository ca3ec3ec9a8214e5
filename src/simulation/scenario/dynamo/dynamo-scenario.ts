import { mergeOf } from "../../../built-ins.ts";
import { SeededRandom } from "../../seeded-random.ts";
import { Draw } from "../draw.ts";
import { drawDigests, drawHedge } from "../draw-reads.ts";
import { LARGE_VALUE_READ } from "../large-values.ts";
import { DERIVED_SOMETIMES } from "../leaderless/derived-state.ts";
import { HINT_SOMETIMES } from "../leaderless/hint-crossings.ts";
import { drawReaping, REAPING_SOMETIMES } from "../leaderless/reaping.ts";
import { isWholeCopy, MOVES_SOMETIMES } from "../leaderless/shard-moves.ts";
import { SIDE_SOMETIMES } from "../leaderless/side-requests.ts";
import type { KeyspacePlan, StrategyScenario } from "../strategy-scenario.ts";
import { DynamoRun } from "./dynamo-run.ts";
import { mergeIds } from "./version-workload.ts";
import { watchCrdt } from "./watched-crdt.ts";

const DEFAULT_DEADLINES_MS = Object.freeze({
  one: 50,
  quorum: 200,
  all: 1_000,
  "local-quorum": 200,
  "each-quorum": 1_000,
});

/** What a seed's keyspace does with concurrent versions. */
const RESOLVERS = Object.freeze(["siblings", "siblings", "lww", "pn-counter", "or-set"] as const);

/**
 * And what comes in the place of one of them. From a stream of its own, so that seeds are drawn as
 * they were before there was more than those.
 */
const INSTEAD: Readonly<Record<(typeof RESOLVERS)[number], readonly string[]>> = Object.freeze({
  siblings: ["siblings", "siblings", "siblings", "version-vector", "union", "merge"],
  lww: ["lww"],
  "pn-counter": ["pn-counter", "pn-counter", "g-counter", "lww-register"],
  "or-set": ["or-set", "or-set", "or-map", "or-map", "g-set", "flag", "mv-register"],
});

/** Keys that clients read, change by what they have read, and change blindly. */
export const dynamoScenario: StrategyScenario = Object.freeze<StrategyScenario>({
  strategy: "dynamo",
  knowsDatacenters: true,
  sometimes: [
    "siblings were read",
    "three siblings were read",
    "a delta met a gap",
    "a write was in flight over a change of epoch",
    "a stand-in took a write",
    "a deletion was final",
    LARGE_VALUE_READ,
    ...SIDE_SOMETIMES,
    ...REAPING_SOMETIMES,
    ...MOVES_SOMETIMES,
    ...DERIVED_SOMETIMES,
    ...HINT_SOMETIMES,
  ],
  configure: (knobs, { seed, storage }, draw): KeyspacePlan["configuration"] => {
    const drawn = INSTEAD[draw.pick(RESOLVERS)];
    const resolver = new Draw(new SeededRandom(seed, "plan/resolver")).pick(drawn);
    return {
      replicas: knobs.replicas,
      shards: knobs.shards,
      partitionPolicy: knobs.hasDefaultPolicy ? "prefer-availability" : "prefer-consistency",
      deadlines: deadlines(knobs.patience),
      hedge: drawHedge(seed),
      ...drawDigests(seed),
      ...drawReaping(seed),
      ...(resolver !== "siblings" && { resolver }),
      ...(storage === "disk" && { durability: knobs.durability }),
    };
  },
  isWhole: isWholeCopy,
  instrument: ({ configuration }) => {
    const { resolver = "siblings" } = configuration as { readonly resolver?: string };
    const watched = watchCrdt(resolver);
    if (watched !== undefined) return { configuration: { resolver: watched.resolver }, watched };
    if (resolver !== "merge") return { configuration: {} };
    return { configuration: { resolver: mergeOf(mergeIds) } };
  },
  createRun: (scene) => new DynamoRun(scene),
});

function deadlines(patience: number): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(DEFAULT_DEADLINES_MS).map(([level, ms]) => [
      level,
      Math.max(1, Math.round(ms * patience)),
    ]),
  );
}
