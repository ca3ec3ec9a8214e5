import { expect, test } from "vitest";
import type { NodeHealth } from "../../../../src/core/contracts/machine.ts";
import { SILENT_OBSERVER } from "../../../../src/core/contracts/observer.ts";
import type { StorageFactory } from "../../../../src/core/contracts/storage.ts";
import { memoryStorage } from "../../../../src/storage/memory/memory-storage.ts";
import { MachineBench } from "../../../support/machine-bench.ts";
import { PersistentMemoryDisk } from "../../../support/persistent-memory-storage.ts";
import { VirtualEnvironment, VirtualTime } from "../../../support/virtual-environment.ts";

const time = new VirtualTime();

async function open(factory: StorageFactory): Promise<MachineBench> {
  const environment = new VirtualEnvironment({ time });
  const context = { node: "n1", cluster: "test", environment, observer: SILENT_OBSERVER };
  const storage = await factory({}, context);
  return MachineBench.open({ time, storage, origin: "newborn" });
}

function healthOf({ context }: MachineBench): unknown[] {
  const health = context?.health as NodeHealth;
  return [health.diskState(), health.syncAgeMs(), health.eventLoopLagMs()];
}

test("a machine learns how long the sync under way takes, that it is slow, and that it has failed", async () => {
  const disk = new PersistentMemoryDisk();
  const bench = await open(disk.factory);
  expect(healthOf(bench)).toEqual(["ok", 0, 0]);
  disk.log.syncMs = 1_500;
  bench.step((effects) => {
    effects.append(Buffer.from("record"));
  });
  time.advance(400);
  expect(healthOf(bench)).toEqual(["ok", 400, 0]);
  time.advance(700);
  expect(healthOf(bench)).toEqual(["slow", 1_100, 0]);
  time.advance(400);
  expect(healthOf(bench)).toEqual(["ok", 0, 0]);
  disk.failNextSync("log");
  bench.step((effects) => {
    effects.append(Buffer.from("record"));
  });
  time.advance(1_500);
  expect(healthOf(bench)).toEqual(["failed", 0, 0]);
  expect(bench.fatal?.code).toBe("STORE_FAILED");
});

test("and how late its node runs its timers", async () => {
  const bench = await open(memoryStorage);
  bench.environment.lagMs = 120;
  expect(healthOf(bench)).toEqual(["ok", 0, 120]);
});
