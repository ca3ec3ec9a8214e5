import { expect, test } from "vitest";
import { isLarge, LargeValues, nameIn } from "../../../../src/simulation/scenario/large-values.ts";
import type { KeyspaceScene } from "../../../../src/simulation/scenario/strategy-scenario.ts";
import { SeededRandom } from "../../../../src/simulation/seeded-random.ts";

const GREATEST = 40_000;

function valuesOf(key: string, greatestValue?: number): readonly string[] {
  const plan = { name: "things", ...(greatestValue && { greatestValue }) };
  const world = { random: (stream: string) => new SeededRandom(1, stream) };
  const large = new LargeValues({ world, plan } as unknown as KeyspaceScene);
  return Array.from({ length: 100 }, (_, at) => large.valueFor(key, `v${at}`));
}

test("some values of some keys are large, up to the greatest, and each has the name of its write", () => {
  const values = valuesOf("quorum/1", GREATEST);
  expect(values.map(nameIn)).toEqual(values.map((_, at) => `v${at}`));
  expect(values.some((value) => !isLarge(value))).toBe(true);
  const longest = Math.max(...values.map(({ length }) => length));
  expect(longest).toBeGreaterThan(GREATEST - 100);
  expect(longest).toBeLessThan(GREATEST);
  expect(valuesOf("quorum/2", GREATEST).some(isLarge)).toBe(false);
  expect(valuesOf("quorum/1").some(isLarge)).toBe(false);
});

test("a value that is not all there, or was changed, is that of no write", () => {
  const value = valuesOf("quorum/1", GREATEST).find(isLarge) as string;
  for (const broken of [value.slice(0, -1), `${value}-`, value.replace(/-$/, "x")]) {
    expect(nameIn(broken)).not.toMatch(/^v\d+$/);
  }
});
