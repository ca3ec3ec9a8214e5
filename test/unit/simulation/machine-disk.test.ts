import { describe, expect, test } from "vitest";
import { SILENT_OBSERVER } from "../../../src/core/contracts/observer.ts";
import type { Storage } from "../../../src/core/contracts/storage.ts";
import type { LogSequence, NodeId, ShardId } from "../../../src/core/model/ids.ts";
import { Driver } from "../../../src/simulation/drive.ts";
import {
  type CutEffect,
  MachineClock,
  SeededRandom,
  SimEnvironment,
  VirtualTime,
} from "../../../src/simulation/index.ts";
import { MachineDisk } from "../../../src/simulation/machine-disk.ts";
import { Trace } from "../../../src/simulation/trace.ts";

const SHARD = 7 as ShardId;
const KEY = Buffer.from("key");

class Machine {
  readonly time = new VirtualTime();
  readonly trace = new Trace();
  readonly disk: MachineDisk;
  readonly #driver = new Driver(this.time);
  #starts = 0;

  constructor(stateLagMs = 0) {
    this.disk = new MachineDisk({
      time: this.time,
      random: new SeededRandom(1, "disk"),
      traced: { trace: this.trace, machine: 0 },
      latencyMs: 1,
      log: { segmentBytes: 64 * 1024 },
      stateLagMs,
    });
  }

  async open(): Promise<Storage> {
    const clock = new MachineClock(this.time);
    const { time, trace } = this;
    this.#starts += 1;
    const seed = this.#starts;
    const environment = new SimEnvironment({ time, clock, trace, seed, number: 0 });
    const context = { node: "n1" as NodeId, environment, observer: SILENT_OBSERVER };
    const opening = Promise.resolve(this.disk.storageFor(environment)({}, context as never));
    const storage = await this.#driver.until(opening, 10_000);
    storage.log.start({ onDurable: () => undefined, onFailed: () => undefined });
    storage.state.start({ onFailed: () => undefined });
    return storage;
  }

  run(durationMs: number): Promise<void> {
    return this.#driver.run(durationMs);
  }

  close(storage: Storage): Promise<void> {
    return this.#driver.until(storage.close(), 10_000);
  }
}

function write(storage: Storage, text: string): void {
  const { log, state } = storage;
  const sequence = (log.lastSequence(SHARD) + 1) as LogSequence;
  const position = log.append({ shard: SHARD, sequence, payload: Buffer.from(text) }, "fsync");
  log.flush();
  const value = Buffer.from(text);
  state.commit({
    mutations: [{ type: "put", shard: SHARD, space: "data", key: KEY, value }],
    position,
  });
}

function held(storage: Storage): string | undefined {
  const value = storage.state.get(SHARD, "data", KEY);
  return value && Buffer.from(value).toString();
}

describe("the disk of a machine", () => {
  test("a power cut takes the commits that were not written, never the log that was synced", async () => {
    const machine = new Machine(1_000_000);
    const storage = await machine.open();
    write(storage, "one");
    await machine.run(100);
    machine.disk.cutPower("lose");
    const again = await machine.open();
    expect(held(again)).toBeUndefined();
    expect(again.log.lastSequence(SHARD)).toBe(1);
    expect(again.identity).toMatchObject({ incarnation: 2, fresh: false, kept: "fsync" });
  });

  test("a commit reaches the disk only behind the log that it rests on", async () => {
    const machine = new Machine();
    const storage = await machine.open();
    machine.disk.files.stalled = "sync";
    write(storage, "one");
    await machine.run(1_000);
    expect(storage.state.durablePosition).toBe(0);
    machine.disk.files.resume();
    await machine.run(1_000);
    expect(storage.state.durablePosition).toBe(storage.log.lastPosition);
  });

  test.each(["keep", "lose", "mix"] as const)(
    "what was durable survives a power cut that may %s the rest",
    async (effect: CutEffect) => {
      const machine = new Machine();
      const storage = await machine.open();
      write(storage, "one");
      await machine.run(1_000);
      write(storage, "two");
      machine.disk.cutPower(effect);
      const again = await machine.open();
      expect(again.log.lastSequence(SHARD)).toBeGreaterThanOrEqual(1);
      expect(["one", "two"]).toContain(held(again));
    },
  );

  test("closed in order it keeps everything, and says so", async () => {
    const machine = new Machine(5_000);
    const storage = await machine.open();
    write(storage, "one");
    await machine.close(storage);
    const again = await machine.open();
    expect(held(again)).toBe("one");
    expect(again.identity).toMatchObject({ incarnation: 2, kept: "memory" });
  });

  test("an old copy is what was on the disk, under the same name", async () => {
    const machine = new Machine();
    const storage = await machine.open();
    write(storage, "one");
    await machine.run(1_000);
    const copy = machine.disk.copy();
    write(storage, "two");
    await machine.run(1_000);
    expect(() => machine.disk.restore(copy)).toThrow(/in use/);
    machine.disk.kill();
    const { storeId } = machine.disk;
    machine.disk.restore(copy);
    const again = await machine.open();
    expect([held(again), again.identity.storeId]).toEqual(["one", storeId]);
  });

  test("a wiped disk has another name, and a disowned one sets everything aside", async () => {
    const machine = new Machine();
    const storage = await machine.open();
    const { storeId } = storage.identity;
    write(storage, "one");
    await machine.run(1_000);
    await machine.close(storage);
    machine.disk.wipe();
    const second = await machine.open();
    expect([held(second), second.identity.fresh]).toEqual([undefined, true]);
    expect(second.identity.storeId).not.toBe(storeId);
    await second.disown("it is a copy");
    await machine.close(second);
    const third = await machine.open();
    expect(third.problems).toMatchObject([{ what: "everything", reason: "it is a copy" }]);
    expect(third.identity.storeId).not.toBe(second.identity.storeId);
  });

  test("every byte that is written and committed is in the trace", async () => {
    const digestOf = async (text: string): Promise<string> => {
      const machine = new Machine();
      write(await machine.open(), text);
      await machine.run(1_000);
      return machine.trace.digest();
    };
    expect(await digestOf("one")).toBe(await digestOf("one"));
    expect(await digestOf("one")).not.toBe(await digestOf("two"));
  });
});
