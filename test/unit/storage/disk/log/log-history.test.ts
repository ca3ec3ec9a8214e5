import { expect, test } from "vitest";
import {
  type HistoryCounts,
  type HistoryOptions,
  LogHistory,
} from "../../../../support/log-history.ts";

/**
 * More with `CAPSTAN_SEEDS=20000`, from another start with `CAPSTAN_FIRST_SEED=…`; a failure names
 * its seed, which then is run alone with `CAPSTAN_SEEDS=1`.
 */
const SEEDS = Number(process.env.CAPSTAN_SEEDS ?? 100);
const FIRST_SEED = Number(process.env.CAPSTAN_FIRST_SEED ?? 1);

async function runAll(options: HistoryOptions): Promise<HistoryCounts> {
  const total = { entries: 0, lost: 0, crashes: 0, failures: 0, flips: 0, damagedShards: 0 };
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed += 1) {
    const history = new LogHistory(seed, options);
    try {
      await history.run();
    } catch (error) {
      const again = `CAPSTAN_SEEDS=1 CAPSTAN_FIRST_SEED=${seed}`;
      throw new Error(`seed ${seed} fails (${again}): ${(error as Error).message}`, {
        cause: error,
      });
    }
    for (const name of Object.keys(total) as (keyof HistoryCounts)[]) {
      total[name] += history.counts[name];
    }
  }
  return total;
}

test("crashes at any moment leave what was announced, in order and nothing else", async () => {
  const counts = await runAll({ generations: 6, flips: false });
  if (SEEDS > 1_000) process.stdout.write(`${JSON.stringify(counts)}\n`);
  if (SEEDS < 100) return;
  expect(counts.crashes).toBeGreaterThan(SEEDS);
  expect(counts.lost).toBeGreaterThan(SEEDS);
  expect(counts.failures).toBeGreaterThan(SEEDS / 10);
}, 3_600_000);

test("flipped bits are reported, or change nothing", async () => {
  const counts = await runAll({ generations: 6, flips: true });
  if (SEEDS > 1_000) process.stdout.write(`${JSON.stringify(counts)}\n`);
  if (SEEDS < 100) return;
  expect(counts.flips).toBeGreaterThan(SEEDS);
  expect(counts.damagedShards).toBeGreaterThan(SEEDS / 10);
}, 3_600_000);
