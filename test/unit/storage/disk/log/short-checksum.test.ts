import { crc32 } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { shortChecksum } from "../../../../../src/storage/disk/log/short-checksum.ts";

test("is zlib's CRC-32 of some of any bytes, with any beginning", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 120 }),
      fc.nat(119),
      fc.nat(119),
      fc.integer({ min: 0, max: 0xffff_ffff }),
      (bytes, a, b, seed) => {
        const from = Math.min(a, b, bytes.length - 1);
        const to = Math.min(Math.max(a, b) + 1, bytes.length);
        expect(shortChecksum(bytes, from, to, seed)).toBe(crc32(bytes.subarray(from, to), seed));
      },
    ),
  );
});

test("begins with 0 where no beginning is given", () => {
  const bytes = Buffer.from("123456789");
  expect(shortChecksum(bytes, 0, bytes.length)).toBe(0xcbf4_3926);
});
