import { expect, test } from "vitest";
import { hybridTimeOf, wallMsOf } from "../../../../../src/core/model/stamp.ts";
import { nameEndMs } from "../../../../../src/strategies/dynamo/states/name-span.ts";

const START_MS = Date.UTC(2026, 0, 1);
const MINUTE_MS = 60_000;
const YEAR_MS = 365 * 24 * 60 * MINUTE_MS;

/** Names of a node that writes every minute while nothing is settled. */
function endsWithin(forMs: number, stepMs: number): Set<number> {
  const ends = new Set<number>();
  for (let ms = 0; ms < forMs; ms += stepMs) {
    const time = hybridTimeOf(START_MS + ms);
    const endMs = nameEndMs(time, hybridTimeOf(START_MS), 10 * MINUTE_MS);
    expect(endMs).toBeGreaterThan(wallMsOf(time));
    expect(endMs % 1_000).toBe(0);
    ends.add(endMs);
  }
  return ends;
}

test("a name ends within the time that deletions are kept, where floors are found", () => {
  for (let ms = 0; ms < 100 * MINUTE_MS; ms += 77_777) {
    const time = hybridTimeOf(START_MS + ms);
    const floor = hybridTimeOf(START_MS + ms - 15 * MINUTE_MS);
    const leftMs = nameEndMs(time, floor, 10 * MINUTE_MS) - START_MS - ms;
    expect(leftMs).toBeGreaterThan(0);
    expect(leftMs).toBeLessThanOrEqual(10 * MINUTE_MS);
  }
});

test("where none is found, names grow with the logarithm of the time", () => {
  const inAnHour = endsWithin(60 * MINUTE_MS, MINUTE_MS).size;
  const inAYear = endsWithin(YEAR_MS, 60 * MINUTE_MS).size;
  expect(inAnHour).toBeLessThanOrEqual(6);
  expect(inAYear).toBeLessThanOrEqual(50);
});

test("an end is a whole second, though deletions are kept for less than that", () => {
  const endMs = nameEndMs(hybridTimeOf(START_MS + 1), hybridTimeOf(START_MS), 1_100);
  expect(endMs).toBe(START_MS + 2_000);
});
