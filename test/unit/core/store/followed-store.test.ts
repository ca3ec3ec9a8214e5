import { beforeEach, describe, expect, test } from "vitest";
import { SILENT_OBSERVER } from "../../../../src/core/contracts/observer.ts";
import { BENCH_SHARD, type BenchOptions, MachineBench } from "../../../support/machine-bench.ts";
import { PersistentMemoryDisk } from "../../../support/persistent-memory-storage.ts";
import { VirtualEnvironment, VirtualTime } from "../../../support/virtual-environment.ts";

const SYNC_MS = 20;
const KEY = Buffer.from("k");

let time: VirtualTime;
let disk: PersistentMemoryDisk;

beforeEach(() => {
  time = new VirtualTime();
  disk = new PersistentMemoryDisk();
});

/** A replica that applies at once, and is being rebuilt whenever it is opened as `empty`. */
async function open(
  origin: BenchOptions["origin"],
  options: Partial<BenchOptions> = {},
): Promise<MachineBench> {
  const environment = new VirtualEnvironment({ time });
  const context = { node: "n1", cluster: "test", environment, observer: SILENT_OBSERVER };
  const storage = await disk.factory({}, context);
  const machine = { appliesLater: false, serving: false };
  return MachineBench.open({ time, storage, origin, ...machine, ...options });
}

function origins(bench: MachineBench): string[] {
  return bench.eventsOf("opened").map(({ state }) => state.origin);
}

/** Told that its store was followed; `done` says whether all is fenced. */
function followed(bench: MachineBench): { done: boolean } {
  const told = { done: false };
  bench.follow(() => {
    told.done = true;
  });
  return told;
}

describe("a replica of a store that another one has followed", () => {
  test("is closed at once, and opened upon what it has when its mark is durable", async () => {
    const bench = await open("newborn");
    await bench.stepAndSettle((effects) => {
      effects.append(Buffer.from("one"));
      effects.put(KEY, Buffer.from("v"));
    });
    disk.log.syncMs = SYNC_MS;
    const told = followed(bench);
    let steps = 0;
    bench.step(() => {
      steps += 1;
    });
    await bench.settle();
    expect([told.done, steps, origins(bench)]).toEqual([false, 0, ["newborn"]]);
    expect(bench.notices).toEqual([
      {
        ...{ type: "shards-incomplete", keyspace: "bench", shards: [0] },
        reason: "another store has stood in the place of this one",
      },
    ]);
    time.advance(SYNC_MS + 5);
    await bench.settle();
    expect([told.done, origins(bench)]).toEqual([true, ["newborn", "empty"]]);
    const value = bench.read((effects) => effects.get(KEY));
    expect(Buffer.from(value ?? []).toString()).toBe("v");
  });

  test("is still one after a crash, once that was said", async () => {
    const bench = await open("newborn");
    await bench.settle();
    disk.log.syncMs = SYNC_MS;
    const early = followed(bench);
    disk.crash();
    disk.log.syncMs = 0;
    const again = await open("kept");
    expect([early.done, origins(again)]).toEqual([false, ["kept"]]);

    const told = followed(again);
    await again.settle();
    disk.crash();
    expect([told.done, origins(await open("kept"))]).toEqual([true, ["empty"]]);
  });

  test("goes on as it was if its machine counts stores itself", async () => {
    const bench = await open("newborn", { appliesLater: true, countsStores: true });
    await bench.stepAndSettle((effects) => effects.append(Buffer.from("one")));
    disk.log.syncMs = SYNC_MS;
    const told = followed(bench);
    expect(told.done).toBe(false);
    time.advance(SYNC_MS + 5);
    await bench.settle();
    expect([told.done, origins(bench), bench.notices]).toEqual([true, ["newborn"], []]);
  });

  test("has to learn though its machine counts stores, as long as it has no record", async () => {
    const bench = await open("newborn", { appliesLater: true, countsStores: true });
    const told = followed(bench);
    await bench.settle();
    expect([told.done, origins(bench)]).toEqual([true, ["newborn", "empty"]]);
  });

  test("is opened once, if its keyspace was about to begin here", async () => {
    const first = await open("newborn");
    first.keepRecord("placement", Buffer.from('{"nodes":[],"keyspaces":{}}'));
    await first.settle();
    disk.crash();
    disk.log.syncMs = SYNC_MS;
    const bench = await open("kept");
    expect(origins(bench)).toEqual([]);
    const told = followed(bench);
    time.advance(3 * SYNC_MS);
    await bench.settle();
    expect([told.done, origins(bench)]).toEqual([true, ["empty"]]);
  });

  test("is opened once, as whoever has fenced it for damage will do", async () => {
    const bench = await open("newborn");
    await bench.stepAndSettle((effects) => {
      effects.append(Buffer.from("one"));
      effects.put(KEY, Buffer.from("v"));
    });
    disk.log.syncMs = SYNC_MS;
    disk.damageEntry(BENCH_SHARD, "data", KEY);
    bench.step((effects) => {
      effects.get(KEY);
    });
    const told = followed(bench);
    time.advance(3 * SYNC_MS);
    await bench.settle();
    expect([told.done, origins(bench)]).toEqual([true, ["newborn", "empty"]]);
  });

  test("is opened upon what it has if that was said before the node had joined", async () => {
    const told: { done: boolean }[] = [];
    const bench = await open("kept", { beforeBorn: (early) => told.push(followed(early)) });
    expect([told, origins(bench)]).toEqual([[{ done: true }], ["empty"]]);
  });

  test("hears of it no more when the node has stopped", async () => {
    const bench = await open("newborn");
    bench.disown();
    const told = followed(bench);
    await bench.settle();
    expect([told.done, origins(bench)]).toEqual([false, ["newborn"]]);
  });
});
