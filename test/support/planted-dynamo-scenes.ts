import { ok } from "node:assert/strict";
import { isCapstanError } from "../../src/core/model/errors.ts";
import { makeDynamoStrategy } from "../../src/strategies/dynamo/dynamo-strategy.ts";
import {
  expiredIsForgotten,
  repairIsNotTold,
  shownIn,
  treeNotKeptInStep,
} from "./planted-leaderless-scenes.ts";
import type { Scene } from "./planted-scenes.ts";
import { Stage } from "./planted-stage.ts";

const ALL = Object.freeze({ consistency: "all" } as const);
const QUORUM = Object.freeze({ consistency: "quorum" } as const);
const ONE = Object.freeze({ consistency: "one" } as const);
const DISCOVERED_MS = 3_000;

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

/** Bugs of dynamo that random faults hardly ever show. */
export const PLANTED_DYNAMO_SCENES: Readonly<Record<string, Scene>> = Object.freeze({
  "dynamo/sessionForgetsReads": sessionForgetsReads,
  "dynamo/expiredIsForgotten": expiredIsForgotten(makeDynamoStrategy),
  "dynamo/repairIsNotTold": repairIsNotTold(makeDynamoStrategy),
  "dynamo/treeNotKeptInStep": treeNotKeptInStep(makeDynamoStrategy),
});
