import { beforeEach, describe, expect, test } from "vitest";
import { SILENT_OBSERVER } from "../../../../src/core/contracts/observer.ts";
import type { Storage } from "../../../../src/core/contracts/storage.ts";
import { brokenLog, withMembers } from "../../../support/broken-storage.ts";
import { BENCH_SHARD, MachineBench, say } from "../../../support/machine-bench.ts";
import { PersistentMemoryDisk } from "../../../support/persistent-memory-storage.ts";
import { runBeside } from "../../../support/run-beside.ts";
import { VirtualEnvironment, VirtualTime } from "../../../support/virtual-environment.ts";

let time: VirtualTime;
let disk: PersistentMemoryDisk;
let hasLogFailed: boolean;

beforeEach(() => {
  time = new VirtualTime();
  disk = new PersistentMemoryDisk();
  hasLogFailed = false;
});

async function open(origin: "newborn" | "kept"): Promise<MachineBench> {
  const failing = brokenLog((log) => ({
    append: (record, durability) => {
      if (hasLogFailed) throw new Error("EIO: i/o error");
      return log.append(record, durability);
    },
  }));
  const storage = failing(await storageOn(disk, time));
  return MachineBench.open({ time, storage, origin });
}

function storageOn(of: PersistentMemoryDisk, at: VirtualTime): Promise<Storage> {
  const environment = new VirtualEnvironment({ time: at });
  return of.factory({}, { node: "n1", cluster: "test", environment, observer: SILENT_OBSERVER });
}

/** With a word on its way that waits for its record. */
async function openSpeaking(): Promise<MachineBench> {
  const bench = await open("newborn");
  disk.log.syncMs = 20;
  bench.step((effects) => {
    effects.append(Buffer.from("record"));
    effects.put(Buffer.from("k"), Buffer.from("v"));
    effects.applied(1 as never);
    say(effects, "held");
  });
  await bench.settle();
  return bench;
}

function valueOnDisk(bench: MachineBench): string | undefined {
  const value = bench.storage.state.get(BENCH_SHARD, "data", Buffer.from("k"));
  return value === undefined ? undefined : Buffer.from(value).toString("utf8");
}

// The word would vouch for data that is about to be set aside.
test("a node that disowns its data says nothing any more of what becomes durable afterwards", async () => {
  const bench = await openSpeaking();
  bench.disown();
  time.advance(50);
  await bench.settle();
  expect(bench.said).toEqual([]);
  expect(bench.fatal?.code).toBe("DATA_DISOWNED");
});

// A disk that hangs: the store has to close all the same.
test("a node that cannot write down in time that its data is given up closes without it", async () => {
  const storage = await storageOn(disk, time);
  const hanging = withMembers(storage, { disown: () => new Promise<void>(() => undefined) });
  const bench = await MachineBench.open({ time, storage: hanging, origin: "newborn" });
  bench.disown();
  const began = time.nowMs;
  await runBeside(time, bench.drain(300));
  expect(time.nowMs - began).toBeGreaterThanOrEqual(300);
  expect(time.nowMs - began).toBeLessThan(2_000);
});

test("one that writes it down in time has done so when it has closed", async () => {
  const storage = await storageOn(disk, time);
  const written: string[] = [];
  const slow = withMembers(storage, {
    disown: (reason) =>
      new Promise<void>((done) => {
        new VirtualEnvironment({ time }).setTimer(200, () => {
          written.push(reason);
          done();
        });
      }),
  });
  const bench = await MachineBench.open({ time, storage: slow, origin: "newborn" });
  bench.disown();
  await runBeside(time, bench.drain(300));
  expect(written).toEqual(["an older copy"]);
  expect(bench.fatal?.code).toBe("DATA_DISOWNED");
});

test("nor does one whose machine has failed too often", async () => {
  const bench = await openSpeaking();
  for (let failure = 0; failure < 4; failure++) {
    bench.step(() => {
      throw new Error("a bug");
    });
    await bench.settle();
  }
  expect(bench.fatal?.code).toBe("STORE_FAILED");
  time.advance(50);
  expect(bench.said).toEqual([]);
});

test("one that is closed in order says nothing either, and its state has what its log has", async () => {
  const bench = await openSpeaking();
  await bench.close();
  expect(bench.said).toEqual([]);
  const again = await open("kept");
  expect(valueOnDisk(again)).toBe("v");
  expect(again.replayed()).toEqual([]);
});

describe("a node that is closing, and waits for a call under way,", () => {
  let bench: MachineBench;
  let refusal: Promise<string>;
  let closed: Promise<void>;

  beforeEach(async () => {
    bench = await open("newborn");
    refusal = bench.ask();
    closed = bench.drain(5_000);
  });

  // The machine takes for appended what the log has refused: a peer that asks again would be told so.
  test("says nothing any more once its log has failed", async () => {
    hasLogFailed = true;
    bench.step((effects) => {
      effects.append(Buffer.from("record"));
      say(effects, "I have it");
    });
    bench.step((effects) => say(effects, "I have it, as I said"));
    await bench.settle();
    expect(bench.said).toEqual([]);
    expect(bench.fatal?.code).toBe("STORE_FAILED");
  });

  test("answers what is under way when its log fails, and has closed then", async () => {
    hasLogFailed = true;
    const began = time.nowMs;
    bench.step((effects) => {
      effects.append(Buffer.from("record"));
    });
    expect(await runBeside(time, refusal)).toBe("STORE_FAILED");
    await runBeside(time, closed);
    expect(time.nowMs - began).toBeLessThan(5_000);
  });

  test("disowns its data when a peer has met more of it", async () => {
    bench.disown();
    await runBeside(time, closed);
    expect(bench.fatal?.code).toBe("DATA_DISOWNED");
    await runBeside(time, bench.storage.close());
    const again = await open("kept");
    expect(again.storage.problems.map(({ what }) => what)).toEqual(["everything"]);
  });
});
