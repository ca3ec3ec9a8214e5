import { expect, test } from "vitest";
import { SILENT_OBSERVER } from "../../../../src/core/contracts/observer.ts";
import { NODE_SHARD, type Storage } from "../../../../src/core/contracts/storage.ts";
import type { LogPosition } from "../../../../src/core/model/ids.ts";
import {
  compareStamps,
  HYBRID_COUNTER_SPAN,
  hybridTimeOf,
  type Stamp,
} from "../../../../src/core/model/stamp.ts";
import { ClockKeeper } from "../../../../src/core/store/clock-keeper.ts";
import { NodeRecords } from "../../../../src/core/store/node-records.ts";
import { memoryStorage } from "../../../../src/storage/memory/memory-storage.ts";
import { PersistentMemoryDisk } from "../../../support/persistent-memory-storage.ts";
import { VirtualEnvironment, VirtualTime } from "../../../support/virtual-environment.ts";

const time = new VirtualTime();

function environmentOf(seed: number, wallOffsetMs: number): VirtualEnvironment {
  const environment = new VirtualEnvironment({ time, seed });
  environment.wallOffsetMs = wallOffsetMs;
  return environment;
}

/** The keeper over a host that appends and commits, and flushes when it is told. */
async function openOn(
  disk: PersistentMemoryDisk,
  environment: VirtualEnvironment,
  skewMs = 10_000,
) {
  const context = { node: "n", cluster: "c", environment, observer: SILENT_OBSERVER };
  const storage: Storage = await disk.factory({}, context);
  const opening = NodeRecords.open(storage);
  await Promise.resolve();
  time.settle();
  const records = await opening;
  let appended = 0;
  records.attach(
    { onDurable: () => undefined, onFailed: () => undefined },
    (cell, payload, mutations) => {
      appended++;
      const sequence = (cell.lastSequence + 1) as typeof cell.lastSequence;
      cell.lastSequence = sequence;
      const position = storage.log.append({ shard: NODE_SHARD, sequence, payload }, "fsync");
      storage.state.commit({ mutations, position: storage.state.committedPosition });
      return position;
    },
  );
  const keeper = new ClockKeeper(records, true, environment, skewMs);
  return { storage, keeper, appended: () => appended };
}

/** All that the keeper has let go: nothing that was minted waits. */
function isFree(keeper: ClockKeeper): boolean {
  return keeper.keep() === 0;
}

test("stamps rise over reopening, though the wall clock stepped back", async () => {
  const disk = new PersistentMemoryDisk();
  const first = environmentOf(1, 0);
  const before = await openOn(disk, first);
  let newest = before.keeper.clock.mint(first.wallMs());
  for (let n = 0; n < 5_000; n++) newest = before.keeper.clock.mint(first.wallMs());
  before.keeper.keep();
  before.storage.log.flush();
  time.settle();
  expect(isFree(before.keeper)).toBe(true);
  disk.crash();

  const second = environmentOf(2, -3_600_000);
  const after = await openOn(disk, second);
  const stamp = after.keeper.clock.mint(second.wallMs());
  expect(stamp.time).toBeGreaterThan(newest.time);
  expect(compareStamps(after.keeper.clock.mint(second.wallMs()), stamp)).toBe(1);
  // Another start is another actor: no stamp of the one is ever a stamp of the other.
  expect(after.keeper.clock.actor).not.toEqual(before.keeper.clock.actor);
});

test("the mark is found though its commit was lost: the log has it", async () => {
  const disk = new PersistentMemoryDisk();
  const first = environmentOf(6, 0);
  const before = await openOn(disk, first);
  const newest = before.keeper.clock.mint(first.wallMs());
  before.keeper.keep();
  before.storage.log.flush();
  time.settle();
  disk.state.batches = [];
  disk.state.synced = 0;
  disk.crash();
  const second = environmentOf(7, -3_600_000);
  const after = await openOn(disk, second);
  expect(after.keeper.clock.mint(second.wallMs()).time).toBeGreaterThan(newest.time);
});

test("what is minted beyond the durable mark waits for the record that covers it", async () => {
  const disk = new PersistentMemoryDisk();
  const environment = environmentOf(8, 0);
  const { storage, keeper } = await openOn(disk, environment);
  expect(isFree(keeper)).toBe(true);
  keeper.clock.mint(environment.wallMs());
  const position = keeper.keep();
  expect(position).toBe(storage.log.lastPosition);
  // It is asked for once, and everything waits for the same record.
  keeper.clock.mint(environment.wallMs());
  expect(keeper.keep()).toBe(position);
  expect(storage.log.lastPosition).toBe(position);
  storage.log.flush();
  time.settle();
  expect(storage.log.durablePosition).toBe(position);
  expect(isFree(keeper)).toBe(true);
});

test("the mark is moved on at half of its reserve, so that a steady load never waits", async () => {
  const disk = new PersistentMemoryDisk();
  const environment = environmentOf(3, 0);
  const { storage, keeper, appended } = await openOn(disk, environment);
  const waits: LogPosition[] = [];
  for (let n = 0; n < 10_000; n++) {
    keeper.clock.mint(environment.wallMs());
    const position = keeper.keep();
    if (position !== 0) waits.push(position);
    storage.log.flush();
    time.advance(1);
  }
  expect(waits).toHaveLength(1);
  expect(appended()).toBe(10);
});

/** Each mints one stamp at the same moment, and ends as `end` has it. */
async function starts(
  count: number,
  end: (opened: Awaited<ReturnType<typeof openOn>>, disk: PersistentMemoryDisk) => void,
) {
  const disk = new PersistentMemoryDisk();
  const stamps: Stamp[] = [];
  const environment = environmentOf(20, 0);
  for (let start = 0; start < count; start += 1) {
    const opened = await openOn(disk, environment);
    stamps.push(opened.keeper.clock.mint(environment.wallMs()));
    opened.keeper.keep();
    opened.storage.log.flush();
    time.settle();
    end(opened, disk);
    disk.crash();
  }
  const times = stamps.map((stamp) => stamp.time);
  expect(times).toEqual([...new Set(times)].sort((a, b) => a - b));
  const last = times.at(-1) as number;
  return { aheadMs: (last - hybridTimeOf(environment.wallMs())) / HYBRID_COUNTER_SPAN };
}

test("starts that crash soon do not add up what each of them has reserved", async () => {
  const { aheadMs } = await starts(20, () => undefined);
  expect(aheadMs).toBeGreaterThan(1_900);
  expect(aheadMs).toBeLessThan(2_400);
});

test("a start after an orderly close begins right above what was minted", async () => {
  const { aheadMs } = await starts(20, ({ keeper, storage }) => {
    keeper.close();
    storage.log.flush();
    time.settle();
  });
  expect(aheadMs).toBeLessThan(1);
});

test("where what closing writes is lost, the mark from before covers what was minted", async () => {
  const { aheadMs } = await starts(2, ({ keeper }) => keeper.close());
  expect(aheadMs).toBeGreaterThan(1_900);
});

test("a start that has minted nothing leaves the mark as it found it", async () => {
  const disk = new PersistentMemoryDisk();
  const environment = environmentOf(21, 0);
  const first = await openOn(disk, environment);
  const before = first.keeper.clock.mint(environment.wallMs());
  first.keeper.keep();
  first.storage.log.flush();
  time.settle();
  disk.crash();
  const second = await openOn(disk, environment);
  second.keeper.close();
  expect(second.appended()).toBe(0);
  disk.crash();
  const third = await openOn(disk, environment);
  expect(third.keeper.clock.mint(environment.wallMs()).time).toBeGreaterThan(before.time);
});

test("what is minted after closing all the same waits for a mark of its own", async () => {
  const environment = environmentOf(22, 0);
  const { keeper, storage } = await openOn(new PersistentMemoryDisk(), environment);
  keeper.clock.mint(environment.wallMs());
  keeper.keep();
  keeper.close();
  storage.log.flush();
  time.settle();
  keeper.clock.mint(environment.wallMs());
  expect(keeper.keep()).toBe(storage.log.lastPosition);
});

// Its own clock lags behind what it is shown, by more than the reserve.
test("a clock that follows others far ahead soon reserves as much at a time as any", async () => {
  const environment = environmentOf(23, 0);
  const { storage, keeper, appended } = await openOn(new PersistentMemoryDisk(), environment);
  const mark = { actorHigh: 1, actorLow: 1 };
  const run = (): void => {
    for (let n = 0; n < 10_000; n++) {
      const seen = hybridTimeOf(environment.wallMs() + 5_000);
      keeper.clock.observe({ ...mark, time: seen }, environment.wallMs());
      keeper.clock.mint(environment.wallMs());
      keeper.keep();
      storage.log.flush();
      time.advance(1);
    }
  };
  run();
  expect(appended()).toBeLessThan(20);
  const begun = appended();
  run();
  expect(appended() - begun).toBe(10);
});

test("a node that only stores what others have stamped keeps no mark", async () => {
  const environment = environmentOf(9, 0);
  const { keeper, appended } = await openOn(new PersistentMemoryDisk(), environment);
  const time = 1_000 * HYBRID_COUNTER_SPAN;
  keeper.clock.observe({ time, actorHigh: 1, actorLow: 1 }, environment.wallMs());
  expect(isFree(keeper)).toBe(true);
  expect(appended()).toBe(0);
});

test("a start begins within what its peers accept, however narrow that is", async () => {
  const disk = new PersistentMemoryDisk();
  const before = await openOn(disk, environmentOf(10, 0), 100);
  before.keeper.clock.mint(environmentOf(10, 0).wallMs());
  before.keeper.keep();
  before.storage.log.flush();
  time.settle();
  disk.crash();
  const environment = environmentOf(11, 0);
  const { keeper } = await openOn(disk, environment, 100);
  const stamp = keeper.clock.mint(environment.wallMs());
  expect(keeper.clock.isBeyondGuard(stamp, environment.wallMs())).toBe(false);
});

test("memory storage keeps no record", async () => {
  const environment = environmentOf(5, 0);
  const context = { node: "n", cluster: "c", environment, observer: SILENT_OBSERVER };
  const storage = await memoryStorage({}, context);
  const keeper = new ClockKeeper(await NodeRecords.open(storage), false, environment, 10_000);
  keeper.clock.mint(environment.wallMs());
  expect(isFree(keeper)).toBe(true);
  expect(storage.state.shards()).toEqual([]);
  expect(storage.log.lastPosition).toBe(0);
});
