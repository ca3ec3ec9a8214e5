import { expect, test } from "vitest";
import { SILENT_OBSERVER } from "../../../../src/core/contracts/observer.ts";
import type { Storage } from "../../../../src/core/contracts/storage.ts";
import { compareStamps } from "../../../../src/core/model/stamp.ts";
import { ClockKeeper } from "../../../../src/core/store/clock-keeper.ts";
import { memoryStorage } from "../../../../src/storage/memory/memory-storage.ts";
import { PersistentMemoryDisk } from "../../../support/persistent-memory-storage.ts";
import { VirtualEnvironment, VirtualTime } from "../../../support/virtual-environment.ts";

const time = new VirtualTime();

function environmentOf(seed: number, wallOffsetMs: number): VirtualEnvironment {
  const environment = new VirtualEnvironment({ time, seed });
  environment.wallOffsetMs = wallOffsetMs;
  return environment;
}

async function openOn(disk: PersistentMemoryDisk, environment: VirtualEnvironment) {
  const context = { node: "n", cluster: "c", environment, observer: SILENT_OBSERVER };
  const storage: Storage = await disk.factory({}, context);
  storage.log.start({ onDurable: () => undefined, onFailed: () => undefined });
  storage.state.start({ onFailed: () => undefined });
  return { storage, keeper: new ClockKeeper(storage, environment, 10_000) };
}

test("stamps rise over reopening, though the wall clock stepped back", async () => {
  const disk = new PersistentMemoryDisk();
  const first = environmentOf(1, 0);
  const before = await openOn(disk, first);
  let newest = before.keeper.clock.mint(first.wallMs());
  for (let n = 0; n < 5_000; n++) newest = before.keeper.clock.mint(first.wallMs());
  before.keeper.keep();
  time.advance(1);
  disk.crash();

  const second = environmentOf(2, -3_600_000);
  const after = await openOn(disk, second);
  const stamp = after.keeper.clock.mint(second.wallMs());
  expect(stamp.time).toBeGreaterThan(newest.time);
  expect(compareStamps(after.keeper.clock.mint(second.wallMs()), stamp)).toBe(1);
  // Another start is another actor: no stamp of the one is ever a stamp of the other.
  expect(after.keeper.clock.actor).not.toEqual(before.keeper.clock.actor);
});

test("the record is written seldom, and reaches above what was minted", async () => {
  const disk = new PersistentMemoryDisk();
  const environment = environmentOf(3, 0);
  const { storage, keeper } = await openOn(disk, environment);
  let commits = 0;
  const { state } = storage;
  const commit = state.commit.bind(state);
  state.commit = (batch) => {
    commits++;
    commit(batch);
  };
  for (let n = 0; n < 1_000; n++) {
    keeper.clock.mint(environment.wallMs());
    keeper.keep();
    time.advance(1);
  }
  expect(commits).toBe(1);
  for (let n = 0; n < 2_000; n++) {
    keeper.clock.mint(environment.wallMs());
    keeper.keep();
    time.advance(1);
  }
  expect(commits).toBe(2);
});

// It used to claim the log's durable position, though records up to there waited to be committed;
// the next commit then fell behind it and was refused.
test("the record claims nothing of the log", async () => {
  const disk = new PersistentMemoryDisk();
  const environment = environmentOf(4, 0);
  const { storage, keeper } = await openOn(disk, environment);
  storage.log.append({ shard: 5 as never, sequence: 1 as never, payload: Buffer.of(1) }, "fsync");
  storage.log.flush();
  time.advance(1);
  expect(storage.log.durablePosition).toBe(1);
  keeper.clock.mint(environment.wallMs());
  keeper.keep();
  expect(storage.state.committedPosition).toBe(0);
});

test("memory storage keeps no record", async () => {
  const environment = environmentOf(5, 0);
  const context = { node: "n", cluster: "c", environment, observer: SILENT_OBSERVER };
  const storage = await memoryStorage({}, context);
  const keeper = new ClockKeeper(storage, environment, 10_000);
  keeper.clock.mint(environment.wallMs());
  keeper.keep();
  expect(storage.state.shards()).toEqual([]);
});
