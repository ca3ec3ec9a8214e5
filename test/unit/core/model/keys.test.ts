import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isCapstanError } from "../../../../src/core/model/errors.ts";
import {
  compareBytes,
  decodeKey,
  encodeKey,
  keyAfter,
  prefixEnd,
} from "../../../../src/core/model/keys.ts";
import { MalformedBytesError } from "../../../../src/core/model/malformed-bytes-error.ts";

const wellFormed = fc
  .string({ unit: "binary", minLength: 1, maxLength: 200 })
  .filter((text) => new TextEncoder().encode(text).length <= 1024);

describe("encodeKey", () => {
  test("and decodeKey are inverse for every well-formed key", () => {
    fc.assert(
      fc.property(wellFormed, (key) => {
        const bytes = encodeKey(key);
        expect(Buffer.from(bytes).equals(Buffer.from(key, "utf8"))).toBe(true);
        expect(decodeKey(bytes)).toBe(key);
      }),
      { numRuns: 300 },
    );
  });

  test.each([".", "..", "__proto__", "a/b", " ", "\u0000", "\ufeffbom", "😀", "toString"])(
    "takes %j as a key like any other",
    (key) => {
      expect(decodeKey(encodeKey(key))).toBe(key);
    },
  );

  test("keeps composed and decomposed forms apart", () => {
    expect(decodeKey(encodeKey("é".normalize("NFC")))).toBe("é".normalize("NFC"));
    expect(compareBytes(encodeKey("é".normalize("NFC")), encodeKey("é".normalize("NFD")))).not.toBe(
      0,
    );
  });

  test("takes 1 and 1,024 bytes, counted as UTF-8", () => {
    expect(encodeKey("k").length).toBe(1);
    expect(encodeKey("k".repeat(1024)).length).toBe(1024);
    expect(encodeKey("é".repeat(512)).length).toBe(1024);
    expect(encodeKey("😀".repeat(256)).length).toBe(1024);
  });

  test.each<[string, unknown, string]>([
    ["the empty key", "", "the key is empty; 1 to 1024 bytes of UTF-8 are allowed"],
    ["1,025 bytes", "k".repeat(1025), "1025 bytes; 1 to 1024"],
    ["1,025 bytes of wide text", `${"é".repeat(512)}k`, "1025 bytes; 1 to 1024"],
    ["a high surrogate alone", "a\ud800", 'the key "a\\ud800" holds half a surrogate pair'],
    ["a low surrogate alone", "\udc00b", "half a surrogate pair"],
    ["surrogates in the wrong order", "\udc00\ud800", "half a surrogate pair"],
    ["a number", 7, "a key has to be a string, not of type number"],
    ["null", null, "not null"],
    ["an array", ["k"], "not an array"],
    ["undefined", undefined, "not of type undefined"],
  ])("refuses %s", (_, key, message) => {
    const error = thrownBy(() => encodeKey(key as string));
    expect(isCapstanError(error) && error.code).toBe("INVALID_KEY");
    expect(String(error)).toContain(message);
  });
});

test.each([[0x80], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80]])(
  "decodeKey refuses bytes that are not UTF-8: %#",
  (...bytes) => {
    expect(() => decodeKey(Uint8Array.from(bytes))).toThrow(MalformedBytesError);
  },
);

test("compareBytes orders as memcmp does, shorter first", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 6 }), fc.uint8Array({ maxLength: 6 }), (a, b) => {
      expect(compareBytes(a, b)).toBe(Buffer.compare(a, b));
    }),
    { numRuns: 300 },
  );
});

describe("prefixEnd", () => {
  const bytes = fc.array(fc.constantFrom(0, 1, 0x61, 0xfe, 0xff), { maxLength: 4 });

  test("is above every key with the prefix, and above no key beyond them", () => {
    fc.assert(
      fc.property(bytes, bytes, bytes, (prefix, rest, other) => {
        const start = Uint8Array.from(prefix);
        const end = prefixEnd(start);
        const inside = Uint8Array.from([...prefix, ...rest]);
        if (end !== undefined) expect(compareBytes(inside, end)).toBe(-1);
        const key = Uint8Array.from(other);
        const inRange =
          compareBytes(key, start) >= 0 && (end === undefined || compareBytes(key, end) < 0);
        expect(inRange).toBe(prefix.every((byte, index) => other[index] === byte));
      }),
      { numRuns: 300 },
    );
  });

  test("does not change the prefix", () => {
    const prefix = Uint8Array.of(1, 0xff);
    expect(prefixEnd(prefix)).toEqual(Uint8Array.of(2));
    expect(prefix).toEqual(Uint8Array.of(1, 0xff));
  });
});

function thrownBy(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
}

test("keyAfter is the least key above: none lies between", () => {
  const bytes = fc.uint8Array({ maxLength: 4 });
  fc.assert(
    fc.property(bytes, bytes, (key, other) => {
      const next = keyAfter(key);
      expect(compareBytes(key, next)).toBe(-1);
      if (compareBytes(other, key) > 0) expect(compareBytes(other, next)).not.toBe(-1);
    }),
    { numRuns: 300 },
  );
});
