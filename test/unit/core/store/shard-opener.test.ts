import { describe, expect, test } from "vitest";
import type { MachineEvent, ReplicaMachine } from "../../../../src/core/contracts/machine.ts";
import { SILENT_OBSERVER } from "../../../../src/core/contracts/observer.ts";
import type { Storage } from "../../../../src/core/contracts/storage.ts";
import {
  type LogSequence,
  NO_POSITION,
  type NodeId,
  type ShardId,
} from "../../../../src/core/model/ids.ts";
import { appliedSequenceOf } from "../../../../src/core/store/applied-sequence.ts";
import { MachineCell } from "../../../../src/core/store/machine-cell.ts";
import { MachineRunner, type RunnerHost } from "../../../../src/core/store/machine-runner.ts";
import { openReplica } from "../../../../src/core/store/shard-opener.ts";
import { ShardState } from "../../../../src/core/store/shard-state.ts";
import { PersistentMemoryDisk } from "../../../support/persistent-memory-storage.ts";
import { VirtualEnvironment } from "../../../support/virtual-environment.ts";

const SHARD = 7 as ShardId;
const RECORDS = 6;
/** Two of them are more than one chunk of the replay. */
const PAYLOAD_BYTES = 150 * 1024;

type Event = MachineEvent<unknown>;

/** None of these machines keeps anything. */
const NO_RECORDS = {
  get: () => undefined,
  put: () => NO_POSITION,
  delete: () => NO_POSITION,
};

/** Puts one entry for each record that it is given back, and one when it is opened. */
function replica(): ReplicaMachine<unknown> {
  return {
    wantsDurable: false,
    serving: true,
    step: (event: Event, effects) => {
      if (event.type === "opened") effects.putSide(Buffer.from("opened"), Buffer.from("yes"));
      if (event.type !== "replay") return;
      for (const { sequence } of event.records) {
        effects.put(Buffer.from(`record ${sequence}`), Buffer.from("here"));
      }
    },
    describe: () => ({}),
  };
}

/** A disk whose log holds records that the state has never seen. */
async function diskWithLog(environment: VirtualEnvironment): Promise<PersistentMemoryDisk> {
  const disk = new PersistentMemoryDisk();
  const storage = await openOn(disk, environment);
  for (let sequence = 1; sequence <= RECORDS; sequence++) {
    const payload = new Uint8Array(PAYLOAD_BYTES);
    storage.log.append({ shard: SHARD, sequence: sequence as LogSequence, payload }, "fsync");
  }
  storage.log.flush();
  environment.advance(10);
  disk.kill();
  return disk;
}

async function openOn(disk: PersistentMemoryDisk, environment: VirtualEnvironment) {
  const context = { node: "n1" as NodeId, cluster: "test", environment, observer: SILENT_OBSERVER };
  const storage = await disk.factory({}, context);
  storage.log.start({ onDurable: () => undefined, onFailed: () => undefined });
  storage.state.start({ onFailed: () => undefined });
  return storage;
}

function open(storage: Storage, environment: VirtualEnvironment): MachineCell {
  return opening(storage, environment).cell;
}

function opening(storage: Storage, environment: VirtualEnvironment) {
  const host = {
    self: { node: "n1", storeId: "s", incarnation: 1 },
    beforeRelease: () => NO_POSITION,
    turnEnded: () => undefined,
    releaseFailed: (error: unknown) => {
      throw error;
    },
  } as unknown as RunnerHost;
  const machine = replica();
  const cell = new MachineCell({
    role: "replica",
    keyspaceHash: 1,
    shardIndex: 0,
    shardId: SHARD,
    durability: "fsync",
    state: new ShardState(storage.state, SHARD),
    machine,
  });
  cell.replica = machine;
  const runner = new MachineRunner(host, environment, storage, NO_RECORDS);
  const logDamaged = (reason: string): void => expect.unreachable(reason);
  openReplica({ cell, origin: "kept", storage, runner, logDamaged });
  return { cell, runner };
}

describe("a replica that is fed its log", () => {
  // What a log that closes still answers was read on from, which threw where nobody caught it.
  test("asks for no more of it once its store closes", async () => {
    const environment = new VirtualEnvironment();
    const disk = await diskWithLog(environment);
    const storage = await openOn(disk, environment);
    let reads = 0;
    const read = storage.log.read.bind(storage.log);
    storage.log.read = (...args) => {
      reads++;
      read(...args);
    };
    const { runner, cell } = opening(storage, environment);
    runner.stop();
    environment.advance(1_000);
    expect({ reads, isOpen: cell.open }).toEqual({ reads: 1, isOpen: false });
  });

  // The mark once said from the first commit on that the whole log was in the state: a process that
  // was killed in between never read the rest again.
  test("never has a commit say that records are in the state which are not", async () => {
    const environment = new VirtualEnvironment();
    const disk = await diskWithLog(environment);
    const storage = await openOn(disk, environment);
    const marks: number[] = [];
    const commit = storage.state.commit.bind(storage.state);
    storage.state.commit = (batch) => {
      commit(batch);
      const mark = appliedSequenceOf(storage, SHARD);
      marks.push(mark);
      for (let sequence = 1; sequence <= mark; sequence++) {
        const key = Buffer.from(`record ${sequence}`);
        expect(storage.state.get(SHARD, "data", key), `record ${sequence}`).toBeDefined();
      }
    };
    const cell = open(storage, environment);
    environment.advance(10);
    expect(cell.open).toBe(true);
    // The opening itself, and one chunk after the other.
    expect(marks.length).toBeGreaterThan(3);
    expect(marks[0]).toBe(0);
    expect(marks.at(-1)).toBe(RECORDS);
  });

  test("is fed the rest by the next start, though this one was killed in the middle", async () => {
    const environment = new VirtualEnvironment();
    const disk = await diskWithLog(environment);
    open(await openOn(disk, environment), environment);
    environment.advance(10);
    // Of its commits the opening and the first chunk have reached the disk.
    disk.state.synced = 2;
    disk.kill();
    const again = await openOn(disk, environment);
    const cell = open(again, environment);
    environment.advance(10);
    expect(cell.open).toBe(true);
    const { entries } = cell.state.range(undefined, undefined, 1_000_000);
    expect(entries).toHaveLength(RECORDS);
  });

  test("goes on behind the newest record once it has all of them", async () => {
    const environment = new VirtualEnvironment();
    const disk = await diskWithLog(environment);
    const cell = open(await openOn(disk, environment), environment);
    environment.advance(10);
    expect(cell.replayedTo).toBeUndefined();
    expect(cell.lastSequence).toBe(RECORDS);
  });
});
