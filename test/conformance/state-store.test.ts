import { afterAll } from "vitest";
import { stateStoreConformance } from "../../src/conformance/state-store.ts";
import { bindSuite } from "../support/bind-suite.ts";
import { diskHarness } from "../support/disk-harness.ts";
import { runBeside } from "../support/run-beside.ts";
import { memoryHarness, persistentHarness } from "../support/storage-harnesses.ts";
import { VirtualTime } from "../support/virtual-environment.ts";

const time = new VirtualTime();
bindSuite("memory storage", stateStoreConformance(memoryHarness(time)), time);
bindSuite("persistent memory", stateStoreConformance(persistentHarness(time)), time);
bindSuite(
  "persistent memory whose power cuts leave some of what was not durable",
  stateStoreConformance(persistentHarness(time, { kept: { logEntries: 7, commits: 2 } })),
  time,
);

const disk = diskHarness(time);
afterAll(() => disk.remove());
bindSuite("disk storage", stateStoreConformance(disk), time, runBeside);
