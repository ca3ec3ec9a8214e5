import { expect, test } from "vitest";
import type { Storage } from "../../../../src/core/contracts/storage.ts";
import { StoragePressure } from "../../../../src/core/store/storage-pressure.ts";

function pressureOf(persistent = true) {
  const disk = { queuedBytes: 0, pendingBytes: 0, looks: 0 };
  const storage = {
    log: {
      capabilities: { persistent },
      get queuedBytes() {
        disk.looks++;
        return disk.queuedBytes;
      },
    },
    state: {
      capabilities: { maxPendingBytes: 1_000 },
      get pendingBytes() {
        return disk.pendingBytes;
      },
    },
  };
  return { disk, pressure: new StoragePressure(storage as unknown as Storage, 100) };
}

test("writes are refused from the bound of the log or of the state on", () => {
  const { disk, pressure } = pressureOf();
  for (const [queuedBytes, pendingBytes, isRefused] of [
    [99, 999, false],
    [100, 0, true],
    [0, 1_000, true],
  ] as const) {
    Object.assign(disk, { queuedBytes, pendingBytes });
    pressure.review();
    expect(pressure.refusal() !== undefined).toBe(isRefused);
    expect(pressure.mustDrop()).toBe(false);
  }
  expect(pressure.refusal()?.message).toMatch(/behind: 0 bytes.*is 100.*1000 for the state/);
});

test("what peers send is taken up to twice as much", () => {
  const { disk, pressure } = pressureOf();
  disk.queuedBytes = 199;
  pressure.review();
  expect(pressure.mustDrop()).toBe(false);
  disk.queuedBytes = 200;
  expect(pressure.mustDrop()).toBe(true);
  disk.queuedBytes = 10;
  expect(pressure.mustDrop()).toBe(false);
});

test("memory is never behind, and is not looked at", () => {
  const { disk, pressure } = pressureOf(false);
  disk.queuedBytes = 1_000;
  pressure.review();
  expect([pressure.refusal(), pressure.mustDrop(), disk.looks]).toEqual([undefined, false, 0]);
});

test("costs nothing between turns while the disk keeps pace, and ends without one", () => {
  const { disk, pressure } = pressureOf();
  pressure.review();
  expect(disk.looks).toBe(1);
  for (let n = 0; n < 10; n++)
    expect([pressure.refusal(), pressure.mustDrop()]).toEqual([undefined, false]);
  expect(disk.looks).toBe(1);
  disk.queuedBytes = 100;
  pressure.review();
  expect(pressure.refusal()?.code).toBe("OVERLOADED");
  disk.queuedBytes = 0;
  expect(pressure.refusal()).toBeUndefined();
});
