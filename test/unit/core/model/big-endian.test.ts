import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  putU32,
  putU48,
  putU64,
  u16At,
  u32At,
  u48At,
  u64At,
} from "../../../../src/core/model/big-endian.ts";

/** Where a half fills up, a sign bit is set, or a float has no room for more. */
const EDGES: readonly number[] = [
  0,
  1,
  2 ** 16 - 1,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 31 + 1,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 32 + 1,
  2 ** 33 - 1,
  2 ** 48 - 1,
  2 ** 48,
  2 ** 52 - 1,
  2 ** 52,
  2 ** 53 - 2 ** 32,
  2 ** 53 - 2 ** 31,
  2 ** 53 - 2,
  2 ** 53 - 1,
];
/** Lows around the sign bit, to be beneath every high. */
const LOWS = fc.constantFrom(0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32 - 1);
const AROUND = 3;

describe("numbers in bytes are what a Buffer makes of them", () => {
  test.each(EDGES)("%d", (value) => {
    check(value);
  });

  test("at random", () => {
    fc.assert(fc.property(fc.maxSafeNat(), check), { numRuns: 500 });
    const halves = fc.property(fc.nat(2 ** 21 - 1), LOWS, (high, low) => {
      check(high * 2 ** 32 + low);
    });
    fc.assert(halves, { numRuns: 500 });
  });
});

function check(value: number): void {
  const eight = written(8, (bytes) => putU64(bytes, AROUND, value));
  expect(eight.readBigUInt64BE(AROUND)).toBe(BigInt(value));
  expect(u64At(eight, AROUND)).toBe(value);

  const six = written(6, (bytes) => putU48(bytes, AROUND, value % 2 ** 48));
  expect(six.readUIntBE(AROUND, 6)).toBe(value % 2 ** 48);
  expect(u48At(six, AROUND)).toBe(value % 2 ** 48);

  const four = written(4, (bytes) => putU32(bytes, AROUND, value % 2 ** 32));
  expect(four.readUInt32BE(AROUND)).toBe(value % 2 ** 32);
  expect(u32At(four, AROUND)).toBe(value % 2 ** 32);
  expect(u16At(four, AROUND)).toBe(four.readUInt16BE(AROUND));
}

/** Nothing beside the number changes. */
function written(size: number, put: (bytes: Uint8Array) => void): Buffer {
  const bytes = Buffer.alloc(AROUND + size + AROUND, 0xa5);
  put(bytes);
  expect([...bytes.subarray(0, AROUND), ...bytes.subarray(AROUND + size)]).toEqual(
    new Array(2 * AROUND).fill(0xa5),
  );
  return bytes;
}
