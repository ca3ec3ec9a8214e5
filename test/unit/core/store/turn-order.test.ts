import { expect, test } from "vitest";
import { SILENT_OBSERVER } from "../../../../src/core/contracts/observer.ts";
import type { Storage } from "../../../../src/core/contracts/storage.ts";
import type { NodeId } from "../../../../src/core/model/ids.ts";
import { memoryStorage } from "../../../../src/storage/memory/memory-storage.ts";
import { MachineBench, say } from "../../../support/machine-bench.ts";
import { PersistentMemoryDisk } from "../../../support/persistent-memory-storage.ts";
import { VirtualEnvironment, VirtualTime } from "../../../support/virtual-environment.ts";

const SYNC_MS = 20;

async function openOn(
  time: VirtualTime,
  factory: PersistentMemoryDisk["factory"],
): Promise<MachineBench> {
  const environment = new VirtualEnvironment({ time });
  const context = { node: "n1", cluster: "test", environment, observer: SILENT_OBSERVER };
  const storage = await factory({}, context);
  return MachineBench.open({ time, storage, origin: "newborn" });
}

/** On a disk that takes its time, with the log's writes and the ends of turns noted. */
async function openOnDisk(time: VirtualTime): Promise<MachineBench> {
  const disk = new PersistentMemoryDisk();
  const bench = await openOn(time, disk.factory);
  disk.log.syncMs = SYNC_MS;
  noteWrites(bench.storage, bench.order);
  const { environment } = bench;
  const soon = environment.soon.bind(environment);
  environment.soon = (callback) =>
    soon(() => {
      bench.order.push("turn");
      callback();
    });
  return bench;
}

function noteWrites({ log }: Storage, order: string[]): void {
  const flush = log.flush.bind(log);
  log.flush = () => {
    if (log.queuedBytes > 0) order.push("written");
    flush();
  };
}

function append(bench: MachineBench, text: string): void {
  bench.step((effects) => {
    effects.append(Buffer.from(text));
  });
}

test("what need not wait for the log leaves before the log is written", async () => {
  const time = new VirtualTime();
  const bench = await openOnDisk(time);
  bench.step((effects) => {
    effects.append(Buffer.from("record"));
    effects.sendBeforeDurable("n2" as NodeId, "replica", 0, "record");
  });
  await bench.settle();
  expect(bench.order.filter((entry) => entry !== "turn")).toEqual(["left: record", "written"]);
});

test("what waited for a sync leaves with its end, and not with the turn behind it", async () => {
  const time = new VirtualTime();
  const bench = await openOnDisk(time);
  bench.step((effects) => {
    effects.append(Buffer.from("record"));
    say(effects, "done");
  });
  await bench.settle();
  expect(bench.said).toEqual([]);
  bench.order.length = 0;
  time.advance(SYNC_MS);
  await bench.settle();
  expect(bench.order.slice(0, 2)).toEqual(["left: done", "turn"]);
});

test("how far a log in memory is durable is told once a turn", async () => {
  const time = new VirtualTime();
  const bench = await openOn(time, memoryStorage);
  for (const text of ["a", "b", "c"]) append(bench, text);
  expect(bench.eventsOf("durable")).toEqual([]);
  await bench.settle();
  expect(bench.eventsOf("durable").map(({ sequence }) => sequence)).toEqual([3]);
  append(bench, "d");
  await bench.settle();
  expect(bench.eventsOf("durable").map(({ sequence }) => sequence)).toEqual([3, 4]);
});
