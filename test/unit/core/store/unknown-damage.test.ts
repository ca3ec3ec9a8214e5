import { beforeEach, describe, expect, test } from "vitest";
import { SILENT_OBSERVER } from "../../../../src/core/contracts/observer.ts";
import { NODE_SHARD, type Storage } from "../../../../src/core/contracts/storage.ts";
import type { LogSequence, ShardId } from "../../../../src/core/model/ids.ts";
import { NodeRecords } from "../../../../src/core/store/node-records.ts";
import { openSegmentedLog } from "../../../../src/storage/disk/log/open-segmented-log.ts";
import { BENCH_SHARD, MachineBench } from "../../../support/machine-bench.ts";
import { PersistentMemoryDisk } from "../../../support/persistent-memory-storage.ts";
import { runVirtually } from "../../../support/run-virtually.ts";
import { SimulatedDisk } from "../../../support/simulated-disk.ts";
import { VirtualEnvironment, VirtualTime } from "../../../support/virtual-environment.ts";

const SECTOR_BYTES = 512;
const SMALL = { segmentBytes: 8_192 };

let time: VirtualTime;
let files: SimulatedDisk;

beforeEach(() => {
  time = new VirtualTime();
  files = new SimulatedDisk({ time });
});

/** The real log over the simulated disk, with a state that has taken in nothing of it. */
async function open(): Promise<Storage> {
  const environment = new VirtualEnvironment({ time });
  const context = { node: "n1", cluster: "c", environment, observer: SILENT_OBSERVER };
  const { identity, problems, state, disown, close } = await new PersistentMemoryDisk().factory(
    {},
    context,
  );
  const disk = files.connect();
  const opening = openSegmentedLog({ ...context, disk, directory: "/log", options: SMALL });
  return { identity, problems, state, disown, close, log: await runVirtually(time, opening) };
}

/** Writes one record of the shard, and takes from the disk all of the log but its newest mark. */
async function loseRecordOf(shard: ShardId): Promise<void> {
  const { log } = await open();
  log.start({ onDurable: () => undefined, onFailed: () => undefined });
  time.advance(20);
  const payload = Buffer.from("promised");
  log.append({ shard, sequence: 1 as LogSequence, payload }, "fsync");
  log.flush();
  time.advance(20);
  expect(log.syncedPosition).toBe(1);
  files.kill();
  const [newest] = files.files().filter((path) => files.content(path) === files.newestFile);
  const content = files.content(newest as string);
  const mark = Math.floor((content.writtenBytes - 1) / SECTOR_BYTES);
  for (let sector = 1; sector < mark; sector += 1) content.zeroSector(sector * SECTOR_BYTES);
}

describe("a log that has lost records, and does not know whose", () => {
  test("has lost the node's own records, for all that it says of them", async () => {
    await loseRecordOf(NODE_SHARD);
    const records = await runVirtually(time, NodeRecords.open(await open()));
    expect(records.damage).toBe("the node's own records in the log are damaged");
  });

  test("has lost records of every shard that it does not know, until they are reset", async () => {
    await loseRecordOf(BENCH_SHARD);
    const storage = await open();
    expect(storage.log.health().damagedShards).toEqual([]);
    const bench = await MachineBench.open({ time, storage, origin: "kept" });
    time.advance(20);
    expect(bench.notices.map(({ type }) => type)).toEqual(["shard-damaged"]);
    expect(bench.eventsOf("opened").map(({ state }) => state.origin)).toEqual(["empty"]);
    expect(storage.log.health().damagedShards).toEqual([NODE_SHARD]);
  });
});
