import { expect, test } from "vitest";
import type { LogPosition, ShardId } from "../../../src/core/model/ids.ts";
import { MachineClock } from "../../../src/simulation/machine-clock.ts";
import {
  PersistentMemoryState,
  StateDisk,
} from "../../../src/simulation/persistent-memory-state.ts";
import { SimEnvironment } from "../../../src/simulation/sim-environment.ts";
import { Trace } from "../../../src/simulation/trace.ts";
import { VirtualTime } from "../../../src/simulation/virtual-time.ts";

const SHARD = 1 as ShardId;
const SYNC_MS = 5;

test("what waits for the disk is what was put and is not durable yet", () => {
  const time = new VirtualTime();
  const clock = new MachineClock(time);
  const environment = new SimEnvironment({ time, clock, trace: new Trace(), seed: 1, number: 0 });
  let loggedUpTo = 0;
  const disk = new StateDisk();
  const state = new PersistentMemoryState(disk, environment, {
    mustWait: (position) => position > loggedUpTo,
    latencyMs: () => SYNC_MS,
  });
  const put = (position: number, valueBytes: number): void => {
    const [key, value] = [Buffer.from("key"), Buffer.alloc(valueBytes)];
    state.commit({
      mutations: [{ type: "put", shard: SHARD, space: "data", key, value }],
      position: position as LogPosition,
    });
  };
  expect(state.pendingBytes).toBe(0);
  put(1, 7);
  put(2, 17);
  expect(state.pendingBytes).toBe(30);
  loggedUpTo = 1;
  time.advance(SYNC_MS);
  expect([state.durablePosition, state.pendingBytes]).toEqual([1, 20]);
  state.commit({
    mutations: [{ type: "delete", shard: SHARD, space: "data", key: Buffer.from("key") }],
    position: 3 as LogPosition,
  });
  expect(state.pendingBytes).toBe(20);
  loggedUpTo = 3;
  time.advance(100);
  expect([state.durablePosition, state.pendingBytes]).toEqual([3, 0]);
  expect(new PersistentMemoryState(disk, environment, { mustWait: () => true }).pendingBytes).toBe(
    0,
  );
});
