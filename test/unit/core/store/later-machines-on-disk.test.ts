import { afterAll, expect, test } from "vitest";
import type { LogSequence } from "../../../../src/core/model/ids.ts";
import { diskHarness } from "../../../support/disk-harness.ts";
import { type BenchEvent, MachineBench, say } from "../../../support/machine-bench.ts";
import { runBeside } from "../../../support/run-beside.ts";
import { VirtualTime } from "../../../support/virtual-environment.ts";

// What later-machines.test.ts and machine-records.test.ts show, over the real log and LMDB.

const time = new VirtualTime();
const harness = diskHarness(time);
afterAll(() => harness.remove());

function seq(sequence: number): LogSequence {
  return sequence as LogSequence;
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text, "utf8");
}

function eventually(condition: () => boolean): Promise<void> {
  const met = async (): Promise<void> => {
    while (!condition()) await new Promise((resolve) => setImmediate(resolve));
  };
  return runBeside(time, met());
}

async function open(previous?: MachineBench): Promise<MachineBench> {
  const storage = await runBeside(
    time,
    harness.open(previous?.storage, { commitInterval: 60_000 }),
  );
  const origin = previous === undefined ? "newborn" : "kept";
  const bench = await MachineBench.open({ time, storage, origin });
  await eventually(() => bench.eventsOf("opened").length > 0);
  return bench;
}

/** Waits until the last word of the steps so far has left. */
async function spoken(bench: MachineBench, text: string): Promise<void> {
  bench.step((effects) => say(effects, text));
  await eventually(() => bench.said.includes(text));
}

function payloads(events: readonly Extract<BenchEvent, { type: "replay" }>[]): string[] {
  return events.flatMap(({ records }) =>
    records.map(({ sequence, payload }) => `${sequence} ${Buffer.from(payload)}`),
  );
}

test("a power cut leaves what a step did to its log, and what it kept, once that was said", {
  timeout: 30_000,
}, async () => {
  const first = await open();
  first.step((effects) => {
    effects.keep("vote", bytes("n2 in 7"));
    for (const payload of ["a", "b", "c"]) effects.append(bytes(payload));
  });
  first.step((effects) => {
    effects.put(bytes("k"), bytes("of a"));
    effects.applied(seq(1));
  });
  await spoken(first, "one");
  first.step((effects) => {
    effects.truncateSuffix(seq(1));
    effects.append(bytes("B"));
  });
  await spoken(first, "two");
  await harness.crash?.(first.storage);

  const second = await open(first);
  await eventually(() => second.replayed().length > 0);
  // The state was never written: its part comes from the log as well.
  expect(payloads(second.eventsOf("replay"))).toEqual(["1 a", "2 B"]);
  expect(second.eventsOf("opened")[0]?.state.appliedSequence).toBe(0);
  const vote = second.read((effects) => effects.kept("vote"));
  expect(Buffer.from(vote ?? []).toString()).toBe("n2 in 7");
  second.step((effects) => {
    effects.put(bytes("k"), bytes("of B"));
    effects.applied(seq(2));
    effects.keep("vote", undefined);
  });
  await spoken(second, "three");
  await second.close();

  // Closed in order, it has everything in the state, and nothing to be fed.
  const third = await open(second);
  expect(third.eventsOf("opened")[0]?.state.appliedSequence).toBe(2);
  expect(third.replayed()).toEqual([]);
  const value = third.read((effects) => effects.get(bytes("k")));
  expect(Buffer.from(value ?? []).toString()).toBe("of B");
  expect(third.read((effects) => effects.kept("vote"))).toBeUndefined();
  await third.close();
});
