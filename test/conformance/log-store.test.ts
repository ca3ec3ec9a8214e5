import { afterAll } from "vitest";
import { logStoreConformance } from "../../src/conformance/log-store.ts";
import { bindSuite } from "../support/bind-suite.ts";
import { realLogHarness, simulatedLogHarness } from "../support/log-harnesses.ts";
import { memoryHarness, persistentHarness } from "../support/storage-harnesses.ts";
import { VirtualTime } from "../support/virtual-environment.ts";

const time = new VirtualTime();
bindSuite("memory storage", logStoreConformance(memoryHarness(time)), time);
bindSuite("persistent memory", logStoreConformance(persistentHarness(time)), time);
bindSuite(
  "persistent memory whose power cuts leave some of what was not durable",
  logStoreConformance(persistentHarness(time, { kept: { logEntries: 7, commits: 2 } })),
  time,
);

/** Just large enough for the largest record of the suite. */
const SMALL = { segmentBytes: 1_052_672, maxBatchBytes: 4_096, spareSegments: 1 };

for (const effect of ["keep", "lose", "mix"] as const) {
  bindSuite(
    `the segmented log on a disk whose power cuts ${effect} what was not synced`,
    logStoreConformance(simulatedLogHarness(time, effect, SMALL)),
    time,
  );
}

const real = realLogHarness(SMALL);
afterAll(real.end);
bindSuite("the segmented log on this machine's disk", logStoreConformance(real.harness));
