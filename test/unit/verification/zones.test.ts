import { expect, test } from "vitest";
import {
  checkLinearizable,
  type KeyValueOperation,
  OPEN_ENDED,
  registerModel,
} from "../../../src/verification/index.ts";
import { decideByZones } from "../../../src/verification/zones.ts";
import { SeededRandom } from "../../support/seeded-random.ts";
import { below, legalHistory, read, withOneReadChanged, write } from "./histories.ts";

const { decide: _decide, ...searched } = registerModel;

function bySearch(history: readonly KeyValueOperation[]): string {
  return checkLinearizable(searched, history, { shrink: false }).verdict;
}

/** Values may be written twice, so that some histories are not decided. */
function randomHistory(random: SeededRandom, values: number): KeyValueOperation[] {
  return Array.from({ length: 2 + below(random, 8) }, (_, at) => {
    const calledAt = below(random, 16);
    const returnedAt = calledAt + 1 + below(random, 6);
    if (below(random, 2) === 0) {
      const value = below(random, 8);
      return read(value === 7 ? undefined : `v${value % values}`, calledAt, returnedAt);
    }
    const value = below(random, 6) === 0 ? undefined : `v${at % values}`;
    return write(value, calledAt, below(random, 5) === 0 ? OPEN_ENDED : returnedAt);
  });
}

test.each([3, 5, 10])(
  "what is decided agrees with the search, on 4,000 histories of %i values",
  (values) => {
    const random = new SeededRandom(values, "zones");
    const seen = { legal: 0, illegal: 0, undecided: 0 };
    for (let round = 0; round < 4_000; round++) {
      const history = randomHistory(random, values);
      const decided = decideByZones(history);
      seen[decided ?? "undecided"] += 1;
      if (decided !== undefined) expect(decided, JSON.stringify(history)).toBe(bySearch(history));
    }
    expect(Math.min(seen.legal, seen.illegal)).toBeGreaterThan(200);
    expect(seen.undecided).toBeLessThan(400);
  },
);

test("long histories with deletions agree with the search, legal and changed ones", () => {
  const random = new SeededRandom(4, "zones");
  for (let round = 0; round < 60; round++) {
    const history = legalHistory(random, { length: 100, spread: 40, unknownOneIn: 12 });
    expect(decideByZones(history) ?? "legal").toBe("legal");
    const changed = withOneReadChanged(random, history);
    if (changed === undefined) continue;
    const decided = decideByZones(changed);
    if (decided !== undefined) expect(decided).toBe(bySearch(changed));
  }
});

test("a value written once and no deletion is always decided, whatever the overlap", () => {
  const random = new SeededRandom(5, "zones");
  const history = legalHistory(random, { length: 5_000, spread: 1_000, unknownOneIn: 12 });
  const puts = history.filter(({ input }) => input.type !== "delete");
  const found = puts.filter(({ output }) => output === undefined || output.value !== undefined);
  expect(decideByZones(found)).toBe("legal");
  const stale = read("never written", 10_000, 10_001);
  expect(decideByZones([...found, stale])).toBe("illegal");
});

test("siblings and batches are left to the search", () => {
  const siblings = { ...read("a", 0, 1), output: { siblings: ["a", "b"] } };
  expect(decideByZones([siblings])).toBeUndefined();
  const input = { type: "batch", writes: [] } as const;
  expect(decideByZones([{ ...write("a", 0, 1), input }])).toBeUndefined();
});
