import { expect, test } from "vitest";
import { createNodeLog, observerOf } from "../../../src/cli/node-log.ts";
import { fakeSurroundings } from "./fake-surroundings.ts";

function logged(json: boolean, env: Record<string, string> = {}): string {
  const surroundings = fakeSurroundings({ env });
  const log = createNodeLog({ node: "n1", json, level: "info" }, surroundings);
  const observer = observerOf(log);
  observer.log("debug", "not shown");
  observer.log("info", "joined", { peers: 2, cluster: "two words" });
  observer.log("error", "a step threw", { error: new TypeError("oops") });
  observer.count("operations", 1);
  return surroundings.stdout.text;
}

test("a log for people has time, level, message and fields on a line", () => {
  const [first = "", second = ""] = logged(false).split("\n");
  expect(first).toMatch(/^\d\d:\d\d:\d\d\.\d{3} info {2}joined peers=2 cluster="two words"$/);
  expect(second).toMatch(/ error a step threw error="oops"$/);
});

test("a log for machines is one JSON object a line", () => {
  const records = logged(true)
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(records).toMatchObject([
    { level: "info", node: "n1", msg: "joined", peers: 2, time: expect.any(Number) },
    { level: "error", node: "n1", msg: "a step threw", error: { message: "oops" } },
  ]);
});

test("colours follow the terminal", () => {
  expect(logged(false, { FORCE_COLOR: "1" })).toContain("\u001b[32m");
  expect(logged(false)).not.toContain("\u001b");
});
