import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteReader, ByteWriter } from "../../../../src/core/model/bytes.ts";
import { MalformedBytesError } from "../../../../src/core/model/malformed-bytes-error.ts";

type Field =
  | { readonly type: "u8" | "u16" | "u32" | "u48" | "u64" | "f64"; readonly value: number }
  | { readonly type: "bytes"; readonly value: Uint8Array }
  | { readonly type: "string"; readonly value: string };

const field: fc.Arbitrary<Field> = fc.oneof(
  number("u8", fc.nat(0xff)),
  number("u16", fc.nat(0xffff)),
  number("u32", fc.integer({ min: 0, max: 0xffffffff })),
  number(
    "u48",
    fc.maxSafeNat().map((value) => value % 2 ** 48),
  ),
  number("u64", fc.maxSafeNat()),
  number("f64", fc.double({ noNaN: true })),
  fc.record({ type: fc.constant("bytes" as const), value: fc.uint8Array({ maxLength: 2000 }) }),
  fc.record({
    type: fc.constant("string" as const),
    value: fc.string({ unit: "binary", maxLength: 400 }),
  }),
);

describe("a writer and a reader", () => {
  test("agree on every field, while the writer grows and is used again", () => {
    const writer = new ByteWriter();
    fc.assert(
      fc.property(fc.array(field, { maxLength: 12 }), (fields) => {
        writer.reset();
        for (const each of fields) write(writer, each);
        const reader = new ByteReader(writer.copy());
        for (const each of fields) expect(read(reader, each.type)).toEqual(each.value);
        reader.end();
        expect(writer.length).toBe(reader.offset);
      }),
      { numRuns: 200 },
    );
  });

  test("give what is written as text, from anywhere on", () => {
    const writer = new ByteWriter();
    writer.u32(0xfb_ff_fe_01);
    writer.u16(7);
    expect(writer.base64url()).toBe(Buffer.from(writer.view()).toString("base64url"));
    expect(writer.base64url(1)).toBe("__4BAAc");
  });

  test("pass over what nobody asks for, and never beyond the end", () => {
    const reader = new ByteReader(Uint8Array.of(1, 2, 3, 4));
    reader.skip(3);
    expect(reader.u8()).toBe(4);
    expect(() => reader.skip(1)).toThrow(MalformedBytesError);
  });

  test("give the whole memory where it was asked for as large as what is written", () => {
    const writer = new ByteWriter(6);
    writer.u32(7);
    writer.u16(8);
    expect(writer.view()).toEqual(Buffer.from([0, 0, 0, 7, 0, 8]));
    expect(writer.view(4)).toEqual(Buffer.from([0, 8]));
    writer.u8(9);
    expect(writer.view()).toEqual(Buffer.from([0, 0, 0, 7, 0, 8, 9]));
  });

  test("order bytes as numbers", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (a, b) => {
        expect(Math.sign(Buffer.compare(u64(a), u64(b)))).toBe(Math.sign(a - b));
      }),
      { numRuns: 100 },
    );
  });
});

describe("ByteWriter", () => {
  test("patches, rewinds and copies", () => {
    const writer = new ByteWriter();
    writer.u32(0);
    writer.string("ab");
    const end = writer.length;
    writer.raw(Uint8Array.of(9, 9));
    writer.rewind(end);
    writer.patchU32(0, end);
    const copy = writer.copy(4);
    writer.reset();
    writer.u32(0xffffffff);
    expect([...copy]).toEqual([0, 2, 97, 98]);
    expect(() => writer.rewind(5)).toThrow(RangeError);
  });

  test("a string that is too long leaves what was written before", () => {
    const writer = new ByteWriter();
    writer.u8(7);
    expect(() => writer.string("é".repeat(40_000))).toThrow("80000 bytes does not fit");
    expect([...writer.view()]).toEqual([7]);
    writer.string("x".repeat(0xffff));
    expect(writer.length).toBe(1 + 2 + 0xffff);
  });

  test.each([
    ["u16", 2 ** 16],
    ["u48", 2 ** 48],
    ["u64", 2 ** 53],
  ] as const)("%s refuses an integer that a reader could not give back", (type, tooMuch) => {
    for (const value of [-1, tooMuch, Number.NaN, Number.POSITIVE_INFINITY]) {
      const writer = new ByteWriter();
      expect(() => writer[type](value)).toThrow(RangeError);
      expect(writer.length).toBe(0);
    }
    expect(() => new ByteWriter()[type](tooMuch - 1)).not.toThrow();
  });
});

describe("ByteReader", () => {
  const step = fc.oneof(
    fc.constantFrom("u8", "u16", "u32", "u48", "u64", "f64", "string", "bytes").map((type) => ({
      type,
      length: 0,
    })),
    fc.record({ type: fc.constant("raw"), length: fc.integer({ min: -5, max: 20 }) }),
  );

  test("never reads outside its range, whatever the bytes say", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40 }),
        fc.nat(40),
        fc.nat(40),
        fc.array(step, { maxLength: 10 }),
        (bytes, one, other, steps) => {
          const from = Math.min(one, other) % (bytes.length + 1);
          const to = Math.max(from, Math.max(one, other) % (bytes.length + 1));
          const reader = new ByteReader();
          reader.reset(bytes, from, to);
          let before = from;
          for (const { type, length } of steps) {
            try {
              const value = type === "raw" ? reader.raw(length) : read(reader, type);
              if (value instanceof Uint8Array) {
                expect(value.byteOffset + value.length).toBeLessThanOrEqual(bytes.byteOffset + to);
              } else expect(value).not.toBeUndefined();
            } catch (error) {
              expect(error).toBeInstanceOf(MalformedBytesError);
            }
            expect(reader.offset).toBeGreaterThanOrEqual(before);
            expect(reader.offset).toBeLessThanOrEqual(to);
            before = reader.offset;
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test.each([
    ["a length above what is allowed", (r: ByteReader) => r.bytes(3), [0, 0, 0, 4, 1, 2, 3, 4]],
    ["text above what is allowed", (r: ByteReader) => r.string(1), [0, 2, 97, 98]],
    ["text that is not UTF-8", (r: ByteReader) => r.string(), [0, 1, 0xff]],
    ["an integer of 2^53", (r: ByteReader) => r.u64(), [0, 0x20, 0, 0, 0, 0, 0, 0]],
    ["a negative length", (r: ByteReader) => r.raw(-1), [1, 2, 3]],
    ["a length that is no number", (r: ByteReader) => r.raw(Number.NaN), [1, 2, 3]],
    ["bytes that are left over", (r: ByteReader) => r.end(), [1]],
  ])("refuses %s", (_, act, bytes) => {
    const reader = new ByteReader(Uint8Array.from(bytes));
    expect(() => act(reader)).toThrow(MalformedBytesError);
  });

  test("keeps U+FFFD that was written", () => {
    const writer = new ByteWriter();
    writer.string("a\ufffdb");
    expect(new ByteReader(writer.copy()).string()).toBe("a\ufffdb");
  });

  test.each([
    [0, 4],
    [-1, 2],
    [2, 1],
    [4, 4],
  ])("cannot be set on bytes that are not there: %i to %i of 3", (from, to) => {
    expect(() => new ByteReader().reset(new Uint8Array(3), from, to)).toThrow(RangeError);
  });
});

function number(type: "u8" | "u16" | "u32" | "u48" | "u64" | "f64", value: fc.Arbitrary<number>) {
  return fc.record({ type: fc.constant(type), value });
}

function write(writer: ByteWriter, { type, value }: Field): void {
  if (type === "bytes") writer.bytes(value);
  else if (type === "string") writer.string(value);
  else writer[type](value);
}

function read(reader: ByteReader, type: string): number | string | Uint8Array {
  const value = reader[type as Field["type"]]();
  return Buffer.isBuffer(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.length)
    : value;
}

function u64(value: number): Uint8Array {
  const writer = new ByteWriter();
  writer.u64(value);
  return writer.copy();
}
