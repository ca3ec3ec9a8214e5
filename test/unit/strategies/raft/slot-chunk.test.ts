import { expect, test } from "vitest";
import { hybridTimeOf } from "../../../../src/core/model/stamp.ts";
import type { MemoryOfOperation } from "../../../../src/strategies/raft/remembered.ts";
import {
  CHUNK_SLOTS,
  SESSION_WINDOW,
  SlotChunk,
  slotsInRow,
} from "../../../../src/strategies/raft/slot-chunk.ts";

const SESSION = { time: hybridTimeOf(1_900_000_000_000), actorHigh: 7, actorLow: 9 };
const NUMBER = 2;
const FIRST = NUMBER * CHUNK_SLOTS;

function memory(revision: number): MemoryOfOperation {
  return { outcome: "written", revision, fingerprint: (revision * 3) % 2 ** 32 };
}

function chunkOf(sequences: readonly number[]): SlotChunk {
  const chunk = new SlotChunk(SESSION, NUMBER, undefined);
  for (const sequence of sequences) chunk.set(sequence, memory(sequence + 1));
  return chunk;
}

const ALL = Array.from({ length: CHUNK_SLOTS }, (_, at) => FIRST + at);

test.each([
  ["none", []],
  ["the first ones", ALL.slice(0, 3)],
  ["some with gaps", [FIRST + 1, FIRST + 7, FIRST + CHUNK_SLOTS - 1]],
  ["all but the first", ALL.slice(1)],
  ["all", ALL],
  ["all, in the window after", ALL.map((sequence) => sequence + SESSION_WINDOW)],
  ["numbers beyond 32 bits", [FIRST + 2 ** 40, FIRST + 1 + 2 ** 40]],
])("its row says what the chunk does: %s", (_name, sequences) => {
  const row = chunkOf(sequences).encode();
  const read = new SlotChunk(SESSION, NUMBER, row);
  expect(read.isDirty).toBe(false);
  for (const sequence of sequences) {
    const slot = sequence % SESSION_WINDOW;
    expect(read.sequenceIn(slot)).toBe(sequence);
    expect(read.memoryIn(slot)).toEqual(memory(sequence + 1));
  }
  const slots = sequences.map((sequence) => sequence % SESSION_WINDOW);
  expect(ALL.filter((slot) => read.sequenceIn(slot) !== undefined)).toEqual(slots);
  expect(slotsInRow(row)).toEqual(slots);
  expect(read.encode()).toEqual(row);
});

test("equal slots are equal rows, in whichever order they came, and whatever was there before", () => {
  const row = chunkOf([FIRST + 3, FIRST + 9]).encode();
  expect(chunkOf([FIRST + 9, FIRST + 3]).encode()).toEqual(row);
  const chunk = chunkOf([FIRST + 4, FIRST + 9, FIRST + 3]);
  expect(chunk.clear(FIRST + 4)).toBe(true);
  expect(chunk.clear(FIRST + 4)).toBe(false);
  expect(chunk.encode()).toEqual(row);
});

test("bytes that were given away stay as they are", () => {
  const chunk = chunkOf([FIRST]);
  const row = chunk.encode();
  const before = Buffer.from(row);
  chunk.set(FIRST + SESSION_WINDOW, memory(99));
  expect(Buffer.compare(before, row)).toBe(0);
});

test("a row that is cut short, of another chunk, or has a slot twice is not taken", () => {
  const row = chunkOf([FIRST, FIRST + 1]).encode();
  expect(() => new SlotChunk(SESSION, NUMBER, row.subarray(1))).toThrow("41 bytes");
  expect(() => new SlotChunk(SESSION, NUMBER + 1, row)).toThrow("remembered outcomes");
  const twice = Buffer.concat([row.subarray(0, 21), row.subarray(0, 21)]);
  expect(() => new SlotChunk(SESSION, NUMBER, twice)).toThrow("remembered outcomes");
});
