import { drawDigests, drawHedge } from "../draw-reads.ts";
import { LARGE_VALUE_READ } from "../large-values.ts";
import { DERIVED_SOMETIMES } from "../leaderless/derived-state.ts";
import { drawReaping, REAPING_SOMETIMES } from "../leaderless/reaping.ts";
import { isWholeCopy, MOVES_SOMETIMES } from "../leaderless/shard-moves.ts";
import { SIDE_SOMETIMES } from "../leaderless/side-requests.ts";
import type { KeyspacePlan, StrategyScenario } from "../strategy-scenario.ts";
import { TunableRun } from "./tunable-run.ts";

const DEFAULT_DEADLINES_MS = Object.freeze({
  one: 50,
  eventual: 50,
  two: 200,
  three: 200,
  quorum: 200,
  all: 1_000,
  "local-quorum": 200,
  "each-quorum": 1_000,
  strong: 400,
});

/** Groups of keys that are written at one level and read at another, each with its promise. */
export const tunableScenario: StrategyScenario = Object.freeze<StrategyScenario>({
  strategy: "tunable",
  knowsDatacenters: true,
  sometimes: [
    "an unknown write was seen later",
    "datacenters were told apart",
    LARGE_VALUE_READ,
    ...SIDE_SOMETIMES,
    ...REAPING_SOMETIMES,
    ...MOVES_SOMETIMES,
    ...DERIVED_SOMETIMES,
  ],
  configure: (knobs, { seed, storage }): KeyspacePlan["configuration"] => ({
    replicas: knobs.replicas,
    shards: knobs.shards,
    partitionPolicy: knobs.hasDefaultPolicy ? "prefer-consistency" : "prefer-availability",
    deadlines: deadlines(knobs.patience),
    hedge: drawHedge(seed),
    ...drawDigests(seed),
    ...drawReaping(seed),
    ...(storage === "disk" && { durability: knobs.durability }),
  }),
  isWhole: isWholeCopy,
  createRun: (scene) => new TunableRun(scene),
});

function deadlines(patience: number): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(DEFAULT_DEADLINES_MS).map(([level, ms]) => [
      level,
      Math.max(1, Math.round(ms * patience)),
    ]),
  );
}
