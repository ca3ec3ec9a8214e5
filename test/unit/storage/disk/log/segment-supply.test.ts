import { beforeEach, expect, test } from "vitest";
import { SILENT_OBSERVER } from "../../../../../src/core/contracts/observer.ts";
import type { Segment } from "../../../../../src/storage/disk/log/segment.ts";
import { SegmentSupply } from "../../../../../src/storage/disk/log/segment-supply.ts";
import { SimulatedDisk } from "../../../../support/simulated-disk.ts";
import { VirtualTime } from "../../../../support/virtual-environment.ts";

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
