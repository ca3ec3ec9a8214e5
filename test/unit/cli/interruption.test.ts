import { expect, test } from "vitest";
import { Interruption } from "../../../src/cli/interruption.ts";

function atTime(): { interruption: Interruption; clock: { nowMs: number } } {
  const clock = { nowMs: 5_000 };
  return { interruption: new Interruption(() => clock.nowMs), clock };
}

test("the first signal asks for an orderly end, and is remembered", () => {
  const { interruption } = atTime();
  expect(interruption.requested).toBe(false);
  interruption.request("SIGINT");
  expect(interruption.requested).toBe(true);
  expect(interruption.cause).toBe("SIGINT");
  expect(interruption.signal.aborted).toBe(true);
  expect(interruption.immediate.aborted).toBe(false);
});

test("the same key press forwarded by a package manager is no second wish", () => {
  const { interruption, clock } = atTime();
  interruption.request("SIGINT");
  clock.nowMs += 999;
  interruption.request("SIGINT");
  expect(interruption.immediate.aborted).toBe(false);
});

test("a second signal later asks for an immediate end", () => {
  const { interruption, clock } = atTime();
  interruption.request("SIGINT");
  clock.nowMs += 1_000;
  interruption.request("SIGTERM");
  expect(interruption.immediate.aborted).toBe(true);
  expect(interruption.cause).toBe("SIGINT");
});
