import { expect, test } from "vitest";
import { BrokenProperty } from "./world/broken-property.ts";
import { runStoreBack } from "./world/store-back-chaos.ts";

const FIRST_SEED = Number(process.env.CAPSTAN_SEED ?? 1);
const SEEDS = Number(process.env.CAPSTAN_SEEDS ?? 25);
/** Its world comes to a leader that waits for the store which was to replace its own. */
const SHOWS_OWN_STORE_AWAITED = 2;
const SLOW = { timeout: 120_000 };

test(
  "a shard serves, and loses nothing, whenever a replica's earlier store comes back",
  SLOW,
  () => {
    const reached = { inTime: 0, replaced: 0 };
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const { world, inTime, replaced } = runStoreBack({ seed });
      expect(world.checks.ackedCount).toBeGreaterThan(0);
      reached.inTime += inTime;
      reached.replaced += replaced;
    }
    // Before another one had taken its place, and after.
    expect(reached.inTime).toBeGreaterThan(SEEDS);
    expect(reached.replaced).toBeGreaterThan(SEEDS);
  },
);

test("ownStoreAwaited is found", SLOW, () => {
  const seed = SHOWS_OWN_STORE_AWAITED;
  const run = () => runStoreBack({ seed, planted: { ownStoreAwaited: true } });
  expect(run).toThrow(BrokenProperty);
  expect(() => runStoreBack({ seed })).not.toThrow();
});
