import { ok } from "node:assert/strict";
import { wallMsOf } from "../../src/core/model/stamp.ts";
import { stampOfVersionToken } from "../../src/core/model/version-token.ts";
import type { GetResult } from "../../src/core/store/api.ts";
import type { PlantedReplicaBugs } from "../../src/strategies/leaderless/planted-bugs.ts";
import { makeTunableStrategy } from "../../src/strategies/tunable/tunable-strategy.ts";
import type { Scene } from "./planted-scenes.ts";
import { Stage } from "./planted-stage.ts";

const ALL = Object.freeze({ consistency: "all" } as const);
const QUORUM = Object.freeze({ consistency: "quorum" } as const);
const ONE = Object.freeze({ consistency: "one" } as const);
const REPAIR = Object.freeze({ interval: "1s" } as const);
/** Until nodes have found out who hears whom, and nothing is under way any more. */
const DISCOVERED_MS = 3_000;
const REPAIRED_MS = 5_000;
const FAR_AHEAD_MS = 3_600_000;
const REAPING = Object.freeze({ interval: "200ms", reapAfter: "1s" } as const);
const REAPED_MS = 4_000;
/** Until a write has left its node, and is nowhere yet. */
const UNDER_WAY_MS = 50;

/** Of either strategy. */
type Make = (planted: PlantedReplicaBugs) => unknown;

/** What a client makes of it; undefined: nothing is there. */
export function shownIn(result: GetResult<unknown>): unknown {
  if (!result.found) return undefined;
  return result.conflict ? result.siblings : result.value;
}

/** Whoever watches at n3 hears of a write that n3 has missed when n3 is given it. */
export function repairIsNotTold(make: Make): Scene {
  return async (isPlanted) => {
    const strategy = make({ repairIsNotTold: isPlanted });
    const stage = await Stage.open({ keyspace: { strategy, repair: REPAIR } });
    const told: string[] = [];
    const watch = stage.at("n3").watch();
    const watching = (async () => {
      for await (const { type, key } of watch) told.push(key ?? type);
    })();
    await stage.run(DISCOVERED_MS);
    ok(told.includes("synced"), "the watch is in step");
    stage.isolate("n3");
    await stage.until(stage.at("n1").put("k", "missed", QUORUM));
    await stage.run(DISCOVERED_MS);
    ok(!told.includes("k"), "n3 has heard nothing of it");
    stage.world.network.heal();
    await stage.run(REPAIRED_MS);
    const { found } = await stage.until(stage.at("n3").get("k", ONE));
    ok(found, "n3 has been given it");
    const broken = told.includes("k") || told.includes("gap") ? [] : ["k is never told"];
    await stage.until(stage.world.stop("n3"));
    await stage.until(watching.catch(() => undefined));
    return broken;
  };
}

/** n3 misses a version that expires before n3 is met again, and still has the one before it. */
export function expiredIsForgotten(make: Make): Scene {
  return async (isPlanted) => {
    const strategy = make({ expiredIsForgotten: isPlanted });
    const stage = await Stage.open({ keyspace: { strategy, repair: REPAIR } });
    const { version } = await stage.until(stage.at("n1").put("k", "old", ALL));
    stage.isolate("n3");
    await stage.run(DISCOVERED_MS);
    // A recorded keyspace takes no values that go by themselves.
    const unrecorded = stage.node("n1").life?.store?.keyspace("things");
    ok(unrecorded !== undefined, "n1 is running");
    const options = { ...QUORUM, context: version, ttlMs: 200 };
    await stage.until(unrecorded.put("k", "new", options));
    await stage.run(DISCOVERED_MS);
    stage.world.network.heal();
    await stage.run(REPAIRED_MS);
    const back = shownIn(await stage.until(stage.at("n1").get("k", ALL)));
    return back === undefined ? [] : [`${JSON.stringify(back)} is there, which was replaced`];
  };
}

/** n3 misses a write after all have been found equal, and nothing but comparing can bring it. */
export function treeNotKeptInStep(make: Make): Scene {
  return async (isPlanted) => {
    const strategy = make({ treeNotKeptInStep: isPlanted });
    const repair = { ...REPAIR, maxHints: 0 };
    const stage = await Stage.open({ keyspace: { strategy, repair } });
    const { version } = await stage.until(stage.at("n1").put("k", "old", ALL));
    await stage.run(REPAIRED_MS);
    stage.isolate("n3");
    await stage.until(stage.at("n1").put("k", "new", { ...QUORUM, context: version }));
    await stage.run(DISCOVERED_MS);
    stage.world.network.heal();
    await stage.run(REPAIRED_MS);
    const shown = shownIn(await stage.until(stage.at("n3").get("k", ONE)));
    return shown === "new" ? [] : [`n3 has ${JSON.stringify(shown)}, and is taken for equal`];
  };
}

/** What n1 keeps for n3 is handed over, and need not be kept any more. */
const hintsNeverDeleted: Scene = async (isPlanted) => {
  const strategy = makeTunableStrategy({ hintsNeverDeleted: isPlanted });
  const stage = await Stage.open({ keyspace: { strategy, repair: REPAIR } });
  stage.isolate("n3");
  await stage.until(stage.at("n1").put("k", "missed", QUORUM));
  await stage.run(DISCOVERED_MS);
  const heldAtN1 = (): number => {
    const shards = stage.describe("n1").shards as readonly { hints: { held: number } }[];
    return shards.reduce((sum, { hints }) => sum + hints.held, 0);
  };
  ok(heldAtN1() > 0, "n1 keeps it for n3");
  stage.world.network.heal();
  await stage.run(REPAIRED_MS);
  const shown = shownIn(await stage.until(stage.at("n3").get("k", ONE)));
  ok(shown === "missed", "n3 has been given it");
  const held = heldAtN1();
  return held === 0 ? [] : [`n1 still keeps ${held} for n3, which has it`];
};

interface SettlingShard {
  readonly replicas: readonly string[];
  readonly settling: { readonly reaped: number };
}

/**
 * Of five nodes three hold the key. What a fourth writes is under way to them until the key has been
 * written and deleted by others, and the deletion has been settled and reaped.
 */
const fenceIgnored: Scene = async (isPlanted) => {
  const strategy = makeTunableStrategy({ fenceIgnored: isPlanted });
  const stage = await Stage.open({ nodes: 5, keyspace: { strategy, repair: REAPING } });
  const { world } = stage;
  const shardAt = (id: string): SettlingShard | undefined =>
    (stage.describe(id).shards as readonly SettlingShard[])[0];
  const replicas = shardAt("n1")?.replicas ?? [];
  const [first] = replicas;
  const writer = world.nodes.map(({ id }) => id).find((id) => !replicas.includes(id));
  if (writer === undefined || first === undefined) throw new Error("five nodes, three replicas");
  for (const id of replicas) world.network.clog(writer, id);
  const late = stage.at(writer).put("k", "late", { ...ONE, timeoutMs: 30_000 });
  await stage.run(UNDER_WAY_MS);
  await stage.until(stage.at(first).put("k", "newer", ALL));
  await stage.until(stage.at(first).delete("k", ALL));
  await stage.run(REAPED_MS);
  ok(
    replicas.every((id) => shardAt(id)?.settling.reaped === 1),
    "nobody holds the deletion any more",
  );
  for (const id of replicas) world.network.unclog(writer, id);
  await stage.until(late.catch(() => undefined));
  const shown = shownIn(await stage.until(stage.at(first).get("k", ALL)));
  return shown === undefined ? [] : [`${JSON.stringify(shown)} is there, which was deleted later`];
};

/** The clock of n1 is an hour ahead, and somebody writes there. */
const clockGuardIgnored: Scene = async (isPlanted) => {
  const stage = await Stage.open({
    keyspace: { strategy: "tunable" },
    host: { clockGuardIgnored: isPlanted },
  });
  const wallMs = () => stage.node("n2").life?.environment.wallMs() ?? 0;
  stage.node("n1").clock.setAhead(FAR_AHEAD_MS);
  await stage.until(
    stage
      .at("n1")
      .put("k", "from ahead", QUORUM)
      .catch(() => undefined),
  );
  const { version } = await stage.until(stage.at("n2").put("other", "from now", QUORUM));
  const aheadMs = wallMsOf(stampOfVersionToken(version)?.time ?? 0) - wallMs();
  return aheadMs < FAR_AHEAD_MS / 2 ? [] : [`n2 writes at ${aheadMs} ms from now`];
};

/** Bugs of tunable's that random faults hardly ever show. */
export const PLANTED_TUNABLE_SCENES: Readonly<Record<string, Scene>> = Object.freeze({
  repairIsNotTold: repairIsNotTold(makeTunableStrategy),
  expiredIsForgotten: expiredIsForgotten(makeTunableStrategy),
  treeNotKeptInStep: treeNotKeptInStep(makeTunableStrategy),
  hintsNeverDeleted,
  fenceIgnored,
  clockGuardIgnored,
});
