import { afterAll } from "vitest";
import { storageConformance } from "../../src/conformance/storage.ts";
import { bindSuite } from "../support/bind-suite.ts";
import { diskHarness } from "../support/disk-harness.ts";
import { runBeside } from "../support/run-beside.ts";
import { memoryHarness, persistentHarness } from "../support/storage-harnesses.ts";
import { VirtualTime } from "../support/virtual-environment.ts";

const time = new VirtualTime();
bindSuite("memory storage", storageConformance(memoryHarness(time)), time);
bindSuite("persistent memory", storageConformance(persistentHarness(time)), time);
bindSuite(
  "persistent memory whose power cuts leave some of what was not durable",
  storageConformance(persistentHarness(time, { kept: { logEntries: 7, commits: 2 } })),
  time,
);

const disk = diskHarness(time);
afterAll(() => disk.remove());
bindSuite("disk storage", storageConformance(disk), time, runBeside);
