import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteReader, ByteWriter } from "../../../../src/core/model/bytes.ts";
import {
  compareStamps,
  describeStamp,
  HYBRID_EPOCH_MS,
  hybridTimeOf,
  MAX_HYBRID_TIME,
  readStamp,
  STAMP_BYTES,
  type Stamp,
  wallMsOf,
  writeStamp,
  ZERO_STAMP,
} from "../../../../src/core/model/stamp.ts";

const u32 = fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), fc.nat(1));
const stamp: fc.Arbitrary<Stamp> = fc.record({
  time: fc.oneof(fc.maxSafeNat(), fc.nat(1)),
  actorHigh: u32,
  actorLow: u32,
});

describe("stamps", () => {
  test("have a total order, which is that of their bytes", () => {
    fc.assert(
      fc.property(stamp, stamp, (a, b) => {
        expect(compareStamps(a, b)).toBe(Buffer.compare(bytesOf(a), bytesOf(b)));
        expect(compareStamps(a, b)).toBe(-compareStamps(b, a) + 0);
        expect(compareStamps(a, { ...a })).toBe(0);
        expect(compareStamps(ZERO_STAMP, a)).toBeLessThanOrEqual(0);
      }),
      { numRuns: 300 },
    );
  });

  test("take 16 bytes and come back", () => {
    fc.assert(
      fc.property(stamp, (each) => {
        expect(bytesOf(each).length).toBe(STAMP_BYTES);
        expect(readStamp(new ByteReader(bytesOf(each)))).toEqual(each);
      }),
      { numRuns: 100 },
    );
  });

  test("are shown with time, counter and actor", () => {
    const time = hybridTimeOf(Date.UTC(2025, 5, 1)) + 7;
    expect(describeStamp({ time, actorHigh: 0xab, actorLow: 1 })).toBe(
      "2025-06-01T00:00:00.000Z+7@000000ab",
    );
  });
});

describe("hybrid times", () => {
  test("hold every millisecond from 2024 to 2093", () => {
    const last = wallMsOf(MAX_HYBRID_TIME);
    expect(new Date(last).getUTCFullYear()).toBe(2093);
    fc.assert(
      fc.property(fc.integer({ min: HYBRID_EPOCH_MS, max: last }), fc.nat(4095), (ms, counter) => {
        expect(wallMsOf(hybridTimeOf(ms) + counter)).toBe(ms);
      }),
      { numRuns: 100 },
    );
  });

  test("before 2024 are 0", () => {
    expect(hybridTimeOf(0)).toBe(0);
  });
});

function bytesOf(each: Stamp): Uint8Array {
  const writer = new ByteWriter();
  writeStamp(writer, each);
  return writer.copy();
}
