import { beforeEach, expect, test } from "vitest";
import { SILENT_OBSERVER } from "../../../../src/core/contracts/observer.ts";
import { BENCH_SHARD, MachineBench, say } from "../../../support/machine-bench.ts";
import { PersistentMemoryDisk } from "../../../support/persistent-memory-storage.ts";
import { VirtualEnvironment, VirtualTime } from "../../../support/virtual-environment.ts";

let time: VirtualTime;
let disk: PersistentMemoryDisk;

beforeEach(() => {
  time = new VirtualTime();
  disk = new PersistentMemoryDisk();
});

async function open(origin: "newborn" | "kept"): Promise<MachineBench> {
  const environment = new VirtualEnvironment({ time });
  const context = { node: "n1", cluster: "test", environment, observer: SILENT_OBSERVER };
  const storage = await disk.factory({}, context);
  return MachineBench.open({ time, storage, origin });
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
