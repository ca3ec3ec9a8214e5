import { expect, test } from "vitest";
import { runChaos } from "./world/chaos.ts";

const FIRST_SEED = Number(process.env.CAPSTAN_SEED ?? 1);
const SEEDS = Number(process.env.CAPSTAN_SEEDS ?? 80);

test("the properties of Figure 3 hold whatever the network and the disks do", () => {
  const reached = {
    elections: 0,
    acked: 0,
    reads: 0,
    leases: 0,
    installs: 0,
    truncations: 0,
    changes: 0,
  };
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    const { checks } = runChaos({ seed, chaosMs: 2_000 });
    reached.elections += checks.elections;
    reached.acked += checks.ackedCount;
    reached.reads += checks.readsConfirmed;
    reached.leases += checks.leaseReads;
    reached.installs += checks.installs;
    reached.truncations += checks.truncations;
    reached.changes += checks.changes;
  }
  if (process.env.CAPSTAN_SHOW !== undefined) process.stdout.write(`${JSON.stringify(reached)}\n`);
  // The faults reached what they are for.
  for (const count of Object.values(reached)) expect(count).toBeGreaterThan(0);
}, 600_000);

// The log is read back while it is cut and written anew: what was read may not be there any more.
test("they hold where memory has few of the log's entries, and reads of it take their time", () => {
  let truncations = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS / 2; seed++) {
    truncations += runChaos({ seed, chaosMs: 2_000, forgetful: true }).checks.truncations;
  }
  expect(truncations).toBeGreaterThan(0);
}, 600_000);
