import { expect, test } from "vitest";
import { BrokenProperty } from "./world/broken-property.ts";
import { runMovedAway } from "./world/moved-away-chaos.ts";

const FIRST_SEED = Number(process.env.CAPSTAN_SEED ?? 1);
const SEEDS = Number(process.env.CAPSTAN_SEEDS ?? 25);
/** Its world comes to two leaders of one term where damaged replicas ask nobody but each other. */
const SHOWS_OTHERS_NOT_ASKED = 4;
const SLOW = { timeout: 120_000 };

test("a shard serves where it was moved to, whatever those lose of it that held it", SLOW, () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    const { checks } = runMovedAway({ seed });
    expect(checks.ackedCount).toBeGreaterThan(0);
  }
});

test("othersNotAsked is found", () => {
  const seed = SHOWS_OTHERS_NOT_ASKED;
  const run = () => runMovedAway({ seed, planted: { othersNotAsked: true } });
  expect(run).toThrow(BrokenProperty);
  expect(run).toThrow("Election Safety");
  expect(() => runMovedAway({ seed })).not.toThrow();
});
