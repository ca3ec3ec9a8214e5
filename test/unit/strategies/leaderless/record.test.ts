import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MalformedBytesError } from "../../../../src/core/model/malformed-bytes-error.ts";
import { compareStamps, MAX_HYBRID_TIME, type Stamp } from "../../../../src/core/model/stamp.ts";
import {
  checkRecord,
  compareRecordStamps,
  compareRecords,
  expiryOf,
  isTombstone,
  keyRecord,
  liveValueOf,
  makeKeyedRecord,
  RECORD_HEADER_BYTES,
  splitPayload,
  stampOf,
} from "../../../../src/strategies/leaderless/record.ts";

const SEED = { seed: 1, numRuns: 500 };
const bytes = (minLength: number, maxLength = 40) => fc.uint8Array({ minLength, maxLength });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const stamps: fc.Arbitrary<Stamp> = fc.record({
  time: fc.oneof(
    fc.integer({ min: 0, max: MAX_HYBRID_TIME }),
    fc.constantFrom(0, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, MAX_HYBRID_TIME),
  ),
  actorHigh: u32,
  actorLow: u32,
});
const expiries = fc.option(
  fc.oneof(fc.nat(), fc.constantFrom(2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER)),
  { nil: undefined },
);
const values = fc.option(bytes(0), { nil: undefined });

describe("records", () => {
  test("come back as they went in", () => {
    fc.assert(
      fc.property(bytes(1), stamps, values, expiries, (key, stamp, value, expiresAtMs) => {
        const made = makeKeyedRecord(key, stamp, value, expiresAtMs);
        const read = splitPayload(made.payload);
        expect(Buffer.compare(read.key, key)).toBe(0);
        expect(stampOf(read.record)).toEqual(stamp);
        expect(isTombstone(read.record)).toBe(value === undefined);
        const live = liveValueOf(read.record);
        expect(live === undefined ? undefined : [...live]).toEqual(value && [...value]);
        expect(expiryOf(read.record)).toBe(value === undefined ? undefined : expiresAtMs);
        expect(Buffer.compare(keyRecord(key, made.record).payload, made.payload)).toBe(0);
      }),
      SEED,
    );
  });

  test("order as their stamps do, then by their bytes; the order is total", () => {
    fc.assert(
      fc.property(stamps, stamps, values, values, (a, b, x, y) => {
        const key = new Uint8Array([1]);
        const left = makeKeyedRecord(key, a, x).record;
        const right = makeKeyedRecord(key, b, y).record;
        expect(compareRecordStamps(left, right)).toBe(compareStamps(a, b));
        expect(Math.sign(compareRecords(left, right))).toBe(
          -Math.sign(compareRecords(right, left)) + 0,
        );
        if (compareRecords(left, right) === 0) expect(Buffer.compare(left, right)).toBe(0);
        if (compareStamps(a, b) !== 0) {
          expect(Math.sign(compareRecords(left, right))).toBe(compareStamps(a, b));
        }
      }),
      SEED,
    );
  });

  test("a deletion is not an empty value", () => {
    const stamp = { time: 1, actorHigh: 0, actorLow: 0 };
    const key = new Uint8Array([1]);
    expect(liveValueOf(makeKeyedRecord(key, stamp, new Uint8Array(0)).record)).toHaveLength(0);
    expect(liveValueOf(makeKeyedRecord(key, stamp, undefined).record)).toBeUndefined();
    expect(makeKeyedRecord(key, stamp, undefined).record).toHaveLength(RECORD_HEADER_BYTES);
  });
});

describe("bytes that are no record", () => {
  test("are refused as such, whatever they are", () => {
    fc.assert(
      fc.property(bytes(0, 60), (junk) => {
        for (const read of [splitPayload, checkRecord]) {
          try {
            read(junk);
          } catch (error) {
            expect(error).toBeInstanceOf(MalformedBytesError);
          }
        }
      }),
      SEED,
    );
  });

  test.each<[string, (payload: Uint8Array) => Uint8Array]>([
    ["nothing", () => new Uint8Array(0)],
    ["half a key length", (payload) => payload.subarray(0, 1)],
    ["cut in the header", (payload) => payload.subarray(0, 2 + 3 + RECORD_HEADER_BYTES - 1)],
    ["an empty key", (payload) => withByte(payload, 1, 0)],
    ["a key that goes on behind the end", (payload) => withByte(payload, 0, 255)],
    ["a later format", (payload) => withByte(payload, 5, 2)],
    ["a flag that nobody knows", (payload) => withByte(payload, 6, 4)],
    ["an expiry that is cut short", (payload) => withByte(payload, 6, 2)],
    ["an expiry beyond 2^53", () => withByte(expiring(), 2 + 3 + RECORD_HEADER_BYTES + 1, 0x20)],
    ["a time beyond 2^53", (payload) => withByte(payload, 8, 0x20)],
  ])("%s", (_what, damage) => {
    const stamp = { time: 1, actorHigh: 0, actorLow: 0 };
    const { payload } = makeKeyedRecord(Buffer.from("key"), stamp, Buffer.from("value"));
    expect(() => splitPayload(damage(new Uint8Array(payload)))).toThrow(MalformedBytesError);
  });
});

function withByte(payload: Uint8Array, at: number, byte: number): Uint8Array {
  payload[at] = byte;
  return payload;
}

function expiring(): Uint8Array {
  const stamp = { time: 1, actorHigh: 0, actorLow: 0 };
  return new Uint8Array(makeKeyedRecord(Buffer.from("key"), stamp, Buffer.from("v"), 5).payload);
}
