import { drawDigests, drawHedge } from "../draw-reads.ts";
import { drawReaping, REAPING_SOMETIMES } from "../leaderless/reaping.ts";
import { isWholeCopy, MOVES_SOMETIMES } from "../leaderless/shard-moves.ts";
import { SIDE_SOMETIMES } from "../leaderless/side-requests.ts";
import type { KeyspacePlan, StrategyScenario } from "../strategy-scenario.ts";
import { DynamoRun } from "./dynamo-run.ts";

const DEFAULT_DEADLINES_MS = Object.freeze({
  one: 50,
  quorum: 200,
  all: 1_000,
  "each-quorum": 1_000,
});

/** What a seed's keyspace does with concurrent versions. */
const RESOLVERS = Object.freeze(["siblings", "siblings", "lww", "pn-counter", "or-set"] as const);

/** Keys that clients read, change by what they have read, and change blindly. */
export const dynamoScenario: StrategyScenario = Object.freeze<StrategyScenario>({
  strategy: "dynamo",
  sometimes: [
    "siblings were read",
    "a stand-in took a write",
    "a deletion was final",
    ...SIDE_SOMETIMES,
    ...REAPING_SOMETIMES,
    ...MOVES_SOMETIMES,
  ],
  configure: (knobs, { seed, storage }, draw): KeyspacePlan["configuration"] => {
    const resolver = draw.pick(RESOLVERS);
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
