import { logStoreConformance } from "../../src/conformance/log-store.ts";
import { bindSuite } from "../support/bind-suite.ts";
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
