import { beforeEach, expect, test } from "vitest";
import { SILENT_OBSERVER } from "../../../../../src/core/contracts/observer.ts";
import type { Segment } from "../../../../../src/storage/disk/log/segment.ts";
import { SegmentSupply } from "../../../../../src/storage/disk/log/segment-supply.ts";
import { SimulatedDisk } from "../../../../support/simulated-disk.ts";
import { VirtualEnvironment, VirtualTime } from "../../../../support/virtual-environment.ts";

const SEGMENT_BYTES = 8_192;

let time: VirtualTime;
let disk: SimulatedDisk;
let supply: SegmentSupply;
/** In use, oldest first. */
let inUse: Segment[];

beforeEach(() => {
  time = new VirtualTime();
  disk = new SimulatedDisk({ time });
  inUse = [];
  const connected = disk.connect();
  connected.makeDirectory("/log", () => undefined);
  time.advance(100);
  supply = new SegmentSupply({
    environment: new VirtualEnvironment({ time }),
    disk: connected,
    directory: "/log",
    observer: SILENT_OBSERVER,
    logId: 1,
    segmentBytes: SEGMENT_BYTES,
    nextNumber: 1,
    segments: [],
    free: [],
  });
});

/** As the log does: the next one is made as soon as one goes into use. */
function take(count: number): void {
  for (let at = 0; at < count; at += 1) {
    supply.take((error, segment) => {
      if (error !== undefined) throw error;
      inUse.push(segment);
      supply.prepare();
    });
    time.advance(100);
  }
}

function give(count: number): void {
  for (const segment of inUse.splice(0, count)) supply.give(segment);
  time.advance(100);
}

const files = (): number => disk.files().length;
const made = (): number => disk.counts.get("create") ?? 0;

test("what comes back in a wave is kept for the next one, and no new file is filled", () => {
  take(7);
  give(6);
  const before = made();
  for (let wave = 0; wave < 5; wave += 1) {
    take(6);
    give(6);
  }
  expect(inUse).toHaveLength(1);
  expect(made()).toBe(before);
});

test("kept is what was in use in this wave or the last one, and one that is ready", () => {
  take(7);
  give(6);
  expect(files()).toBe(8);
  for (let wave = 0; wave < 3; wave += 1) {
    take(3);
    give(3);
  }
  expect(files()).toBe(5);
  for (let wave = 0; wave < 3; wave += 1) {
    take(1);
    give(1);
  }
  expect(files()).toBe(3);
});

/** Asks for one; answers what has come of it. */
function taken(): { readonly answers: unknown[] } {
  const answers: unknown[] = [];
  supply.take((error, segment) => answers.push(error === undefined ? segment.bytes : error));
  return { answers };
}

// The node stopped, though descriptors are given back as connections and files are closed.
test("one that cannot be made for want of a descriptor is made when there is one again", () => {
  for (let times = 0; times < 30; times += 1) disk.failNext("create", "EMFILE");
  const { answers } = taken();
  time.advance(2_500);
  expect(answers).toEqual([]);
  time.advance(1_000);
  expect(answers).toEqual([SEGMENT_BYTES]);
  expect(files()).toBe(1);
});

test("and is given up when there is none for long; for want of space at once", () => {
  for (let times = 0; times < 200; times += 1) disk.failNext("create", "EMFILE");
  const { answers } = taken();
  time.advance(9_000);
  expect(answers).toEqual([]);
  time.advance(2_000);
  expect(answers).toEqual([expect.objectContaining({ code: "EMFILE" })]);
  disk.clearFaults();
  disk.failNext("create", "ENOSPC");
  const { answers: full } = taken();
  time.advance(50);
  expect(full).toEqual([expect.objectContaining({ code: "ENOSPC" })]);
});

test("while it waits for a descriptor it can be stopped, and makes none any more", () => {
  for (let times = 0; times < 200; times += 1) disk.failNext("create", "EMFILE");
  const { answers } = taken();
  time.advance(500);
  let isStopped = false;
  supply.stop(() => {
    isStopped = true;
  });
  time.advance(20_000);
  expect([isStopped, answers, files()]).toEqual([true, [], 0]);
});
