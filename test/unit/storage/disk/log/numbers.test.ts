import { describe, expect, test } from "vitest";
import { getU32, getU48, getU64 } from "../../../../../src/storage/disk/log/get-number.ts";
import { putU32, putU48, putU64 } from "../../../../../src/storage/disk/log/put-number.ts";

const AT = 3;

describe("numbers of a log's headers", () => {
  test.each([0, 1, 0x7f_ff_ff_ff, 0x80_00_00_00, 0xff_ff_ff_ff])("%i in 32 bits", (value) => {
    const bytes = Buffer.alloc(16, 0xa5);
    putU32(bytes, value, AT);
    expect(getU32(bytes, AT)).toBe(value);
    expect(bytes.readUInt32BE(AT)).toBe(value);
  });

  test.each([0, 0xff_ff_ff_ff, 2 ** 32, 2 ** 47, 2 ** 48 - 1])("%i in 48 bits", (value) => {
    const bytes = Buffer.alloc(16, 0xa5);
    putU48(bytes, value, AT);
    expect(getU48(bytes, AT)).toBe(value);
    expect(bytes.readUIntBE(AT, 6)).toBe(value);
  });

  test.each([0, 2 ** 31, 2 ** 32, 2 ** 52 + 1, Number.MAX_SAFE_INTEGER])(
    "%i in 64 bits",
    (value) => {
      const bytes = Buffer.alloc(16, 0xa5);
      putU64(bytes, value, AT);
      expect(getU64(bytes, AT)).toBe(value);
      expect(bytes.readBigUInt64BE(AT)).toBe(BigInt(value));
    },
  );
});
