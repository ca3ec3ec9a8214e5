import { expect, test } from "vitest";
import { createNodeLog } from "../../../src/cli/node-log.ts";
import { type NodeEnd, runWithRenewal } from "../../../src/cli/run-with-renewal.ts";
import { CapstanError, type ErrorCode } from "../../../src/core/model/errors.ts";
import { fakeSurroundings } from "./fake-surroundings.ts";

/** Runs lives that end as given, one after the other, and says what was logged. */
async function run(...ends: readonly (NodeEnd | ErrorCode)[]) {
  const surroundings = fakeSurroundings();
  const log = createNodeLog({ node: "n1", json: false, level: "info" }, surroundings);
  let lives = 0;
  const live = async (): Promise<NodeEnd> => {
    const end = ends[lives++];
    if (end === undefined) throw new Error("one life too many");
    if (typeof end === "string") throw new CapstanError(end, "it did not open");
    return end;
  };
  const ended = await runWithRenewal(live, log).catch((error: CapstanError) => error.code);
  return { ended, lives, logged: surroundings.stdout.text };
}

const DONE: NodeEnd = { exitCode: 0, disowned: false };
const FAILED: NodeEnd = { exitCode: 3, disowned: false };
const DISOWNED: NodeEnd = { exitCode: 3, disowned: true };

test("a node that was ended, or failed, is not started again", async () => {
  expect(await run(DONE)).toMatchObject({ ended: 0, lives: 1, logged: "" });
  expect(await run(FAILED)).toMatchObject({ ended: 3, lives: 1 });
  expect(await run("PORT_IN_USE")).toMatchObject({ ended: "PORT_IN_USE", lives: 1 });
});

test("a node that gave up its data starts anew by itself, whenever it found that", async () => {
  const renewed = await run(DISOWNED, DONE);
  expect(renewed).toMatchObject({ ended: 0, lives: 2 });
  expect(renewed.logged).toContain("learned from the peers");
  expect(await run("DATA_DISOWNED", DONE)).toMatchObject({ ended: 0, lives: 2 });
});

test("and no second time", async () => {
  expect(await run(DISOWNED, DISOWNED)).toMatchObject({ ended: 3, lives: 2 });
  expect(await run("DATA_DISOWNED", "DATA_DISOWNED")).toMatchObject({
    ended: "DATA_DISOWNED",
    lives: 2,
  });
});
