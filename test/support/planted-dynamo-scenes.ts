import { ok } from "node:assert/strict";
import { isCapstanError } from "../../src/core/model/errors.ts";
import type { GetResult } from "../../src/core/store/api.ts";
import { makeDynamoStrategy } from "../../src/strategies/dynamo/dynamo-strategy.ts";
import type { Scene } from "./planted-scenes.ts";
import { Stage } from "./planted-stage.ts";

const ALL = Object.freeze({ consistency: "all" } as const);
const QUORUM = Object.freeze({ consistency: "quorum" } as const);
const ONE = Object.freeze({ consistency: "one" } as const);
const DISCOVERED_MS = 3_000;
const REPAIRED_MS = 5_000;

function shownIn(result: GetResult<unknown>): unknown {
  if (!result.found) return undefined;
  return result.conflict ? result.siblings : result.value;
}

/** A session has read what n3 has missed, and goes on at n3, which hears nobody. */
const sessionForgetsReads: Scene = async (isPlanted) => {
  const strategy = makeDynamoStrategy({ sessionForgetsReads: isPlanted });
  const partitionPolicy = "prefer-consistency";
  const stage = await Stage.open({ keyspace: { strategy, partitionPolicy } });
  const { version } = await stage.until(stage.at("n1").put("k", "old", ALL));
  stage.isolate("n3");
  await stage.until(stage.at("n1").put("k", "new", { ...QUORUM, context: version }));
  const session = stage.at("n2").withSession();
  const seen = await stage.until(session.get("k", QUORUM));
  ok(shownIn(seen) === "new", "the session reads what is new");
  await stage.run(DISCOVERED_MS);
  try {
    const elsewhere = stage.at("n3").withSession(session.token);
    const shown = shownIn(await stage.until(elsewhere.get("k", ONE)));
    return [`a session that has read "new" is shown ${JSON.stringify(shown)}`];
  } catch (error) {
    if (isCapstanError(error) && error.code === "SESSION_BEHIND") return [];
    throw error;
  }
};

/** Whoever watches at n3 hears of a write that n3 has missed when n3 is given it. */
const repairIsNotTold: Scene = async (isPlanted) => {
  const strategy = makeDynamoStrategy({ repairIsNotTold: isPlanted });
  const stage = await Stage.open({ keyspace: { strategy, repair: { interval: "1s" } } });
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

/** n3 misses a version that expires before it is met again, and still has the one before it. */
const expiredIsForgotten: Scene = async (isPlanted) => {
  const strategy = makeDynamoStrategy({ expiredIsForgotten: isPlanted });
  const stage = await Stage.open({ keyspace: { strategy, repair: { interval: "1s" } } });
  const { version } = await stage.until(stage.at("n1").put("k", "old", ALL));
  stage.isolate("n3");
  await stage.run(DISCOVERED_MS);
  const options = { ...QUORUM, context: version, ttlMs: 200 };
  // A recorded keyspace takes no values that go by themselves.
  const unrecorded = stage.node("n1").life?.store?.keyspace("things");
  await stage.until(
    unrecorded?.put("k", "new", options) ?? Promise.reject(new Error("n1 is down")),
  );
  await stage.run(DISCOVERED_MS);
  stage.world.network.heal();
  await stage.run(REPAIRED_MS);
  const back = shownIn(await stage.until(stage.at("n1").get("k", ALL)));
  return back === undefined ? [] : [`${JSON.stringify(back)} is there, which was replaced`];
};

/** Bugs of dynamo that random faults hardly ever show. */
export const PLANTED_DYNAMO_SCENES: Readonly<Record<string, Scene>> = Object.freeze({
  "dynamo/sessionForgetsReads": sessionForgetsReads,
  "dynamo/expiredIsForgotten": expiredIsForgotten,
  "dynamo/repairIsNotTold": repairIsNotTold,
});
