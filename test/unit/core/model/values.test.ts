import { isDeepStrictEqual } from "node:util";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CapstanError, isCapstanError } from "../../../../src/core/model/errors.ts";
import { MalformedBytesError } from "../../../../src/core/model/malformed-bytes-error.ts";
import { decodeValue, encodeValue, jsonOf } from "../../../../src/core/model/values.ts";

const text = fc.string({ unit: "binary", maxLength: 60 });
const name = fc.oneof(text, fc.constantFrom("__proto__", "toString", "constructor", "0", "-0", ""));
const storable = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false),
    fc.oneof(fc.integer(), fc.maxSafeInteger()),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map(withoutMinusZero),
    fc.bigInt(),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array({ maxLength: 40 }),
    text,
    fc.array(tie("value"), { maxLength: 5 }),
    fc.array(fc.tuple(name, tie("value")), { maxLength: 5 }).map(recordOf),
  ),
})).value;

describe("a value", () => {
  test("comes back as it went in", () => {
    fc.assert(
      fc.property(storable, (value) => {
        // Not toStrictEqual, which takes a property named "constructor" for the class.
        expect(isDeepStrictEqual(decodeValue(encodeValue(value)), value)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test.each([
    [
      "small and large integers",
      [0, 127, 128, -1, -128, -129, 2 ** 31, 2 ** 53 - 1, -(2 ** 53 - 1)],
    ],
    ["doubles", [0.1, -0.5, 1e300, 5e-324, 2 ** 53, -(2 ** 53), Number.MAX_VALUE]],
    ["bigints", [0n, 1n, -1n, 255n, 256n, 2n ** 64n, -(2n ** 521n)]],
    ["dates", [new Date(0), new Date(8.64e15), new Date(-8.64e15), new Date("2024-02-29")]],
    ["long text", ["x".repeat(33), "é".repeat(5000), "😀".repeat(40), "\ufeffbom", "a\ufffdb"]],
    [
      "names of every length",
      recordOf(["", "é", "k".repeat(24), "k".repeat(25)].map((k) => [k, 1])),
    ],
  ])("holds %s", (_, value) => {
    expect(decodeValue(encodeValue(value))).toStrictEqual(value);
  });

  test("has a property named __proto__ like any other, and pollutes nothing", () => {
    const value = JSON.parse('{"__proto__":{"admin":true},"constructor":{"prototype":{"x":1}}}');
    const back = decodeValue(encodeValue(value)) as object;
    expect(Object.hasOwn(back, "__proto__")).toBe(true);
    expect(JSON.stringify(back)).toBe(JSON.stringify(value));
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
    expect((back as { admin?: unknown }).admin).toBeUndefined();
    expect(({} as { admin?: unknown; x?: unknown }).admin).toBeUndefined();
  });

  test("may come from another realm, or have no prototype", () => {
    const foreign: unknown = runInNewContext("({ when: new Date(5), list: [new Uint8Array(2)] })");
    const expected = { when: new Date(5), list: [new Uint8Array(2)] };
    expect(decodeValue(encodeValue(foreign))).toEqual(expected);
    const bare = Object.assign(Object.create(null), { a: 1 });
    expect(decodeValue(encodeValue(bare))).toStrictEqual({ a: 1 });
  });

  test("gives bytes back as a plain Uint8Array of its own memory", () => {
    const source = Buffer.from("abc");
    const encoded = encodeValue({ source });
    const { source: back } = decodeValue(encoded) as { source: Uint8Array };
    expect(back.constructor).toBe(Uint8Array);
    expect(back.buffer).not.toBe(encoded.buffer);
    source[0] = 0;
    encoded.fill(0);
    expect([...back]).toEqual([97, 98, 99]);
  });

  test("loses what JSON loses: undefined properties, the sign of zero, symbols as names", () => {
    const value = { b: undefined, a: -0, [Symbol("s")]: 1, c: { d: undefined } };
    expect(decodeValue(encodeValue(value))).toStrictEqual({ a: 0, c: {} });
  });

  test.each([1, 127, 128, 129, 200])(
    "with %i dropped properties keeps the others in place",
    (dropped) => {
      const kept = Array.from({ length: 100 }, (_, index) => [`k${index}`, index] as const);
      const gone = Array.from({ length: dropped }, (_, index) => [`j${index}`, undefined] as const);
      const bytes = encodeValue([recordOf([...gone, ...kept]), "behind"]);
      expect(bytes).toEqual(encodeValue([recordOf(kept), "behind"]));
    },
  );
});

describe("equal values have equal bytes", () => {
  test("whatever the order of their properties", () => {
    const entries = fc.uniqueArray(fc.tuple(name, storable), {
      maxLength: 24,
      selector: ([key]) => key,
    });
    fc.assert(
      fc.property(
        entries.chain((all) =>
          fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
        ),
        ([one, other]) => {
          expect(encodeValue(recordOf(one))).toEqual(encodeValue(recordOf(other)));
        },
      ),
      { numRuns: 100 },
    );
  });

  test("and other values have others", () => {
    const pairs: [unknown, unknown][] = [
      [1, 1n],
      [1, "1"],
      [0, false],
      [null, {}],
      [[], {}],
      ["", new Uint8Array(0)],
      [new Date(0), 0],
      [{ a: 1 }, { a: 1, b: null }],
    ];
    for (const [a, b] of pairs) expect(encodeValue(a)).not.toEqual(encodeValue(b));
    expect(encodeValue(-0)).toEqual(encodeValue(0));
  });

  test.each([
    [null, "0100"],
    [1, "0181"],
    [300, "0103ac02"],
    [-2, "010401"],
    [1.5, "01053ff8000000000000"],
    [258n, "0106020102"],
    [-1n, "01070101"],
    [new Date(1), "01083ff0000000000000"],
    [Uint8Array.of(1, 2), "0109020102"],
    ["é", "010a02c3a9"],
    [{ b: [true], a: "x" }, "010c0201610a017801620b0102"],
  ])("are what they have always been: %#", (value, hex) => {
    expect(Buffer.from(encodeValue(value)).toString("hex")).toBe(hex);
  });
});

describe("what cannot be stored is refused, naming where it is", () => {
  class Price {
    readonly amount = 1;
  }
  const cycle: Record<string, unknown> = { name: "c" };
  cycle.list = [{ back: cycle }];

  test.each<[unknown, string, string]>([
    [undefined, "$", "undefined"],
    [() => 1, "$", "a function"],
    [Symbol("s"), "$", "a symbol"],
    [{ items: [1, 2, 3, { price: Number.NaN }] }, "$.items[3].price", "NaN"],
    [[Number.POSITIVE_INFINITY], "$[0]", "Infinity"],
    [[1, undefined], "$[1]", "undefined"],
    [Array(1), "$[0]", "undefined"],
    [{ when: new Date("never") }, "$.when", "an invalid Date"],
    [{ "odd name": { m: new Map() } }, '$["odd name"].m', "an instance of Map"],
    [[new Set()], "$[0]", "an instance of Set"],
    [{ price: new Price() }, "$.price", "an instance of Price"],
    [{ n: new Number(1) }, "$.n", "an instance of Number"],
    [{ x: /x/ }, "$.x", "an instance of RegExp"],
    [{ e: new Error("e") }, "$.e", "an instance of Error"],
    [new Float64Array(1), "$", "an instance of Float64Array"],
    [[new DataView(new ArrayBuffer(1))], "$[0]", "an instance of DataView"],
    [[new ArrayBuffer(1)], "$[0]", "an instance of ArrayBuffer"],
    [{ p: Promise.resolve() }, "$.p", "an instance of Promise"],
    [Object.create({ inherited: 1 }), "$", "an instance of Object"],
    [Object.create(Date.prototype), "$", "an instance of Date"],
    [{ t: "a\ud800" }, "$.t", "text with half a surrogate pair"],
    [{ a: 1, toJSON: () => 1 }, "$.toJSON", "a function"],
    [cycle, "$.list[0].back", "part of itself (a cycle)"],
    [nested(101), `$${"[0]".repeat(100)}`, "nested deeper than 100 levels"],
  ])("%#", (value, path, what) => {
    const error = faultOf(() => encodeValue(value));
    expect(error).toMatchObject({ code: "INVALID_VALUE", details: { path } });
    expect(error.message).toContain(`the value at ${path} is ${what}, which cannot be stored`);
  });

  test("in a name as well", () => {
    const error = faultOf(() => encodeValue({ good: { "bad\udc00": 1 } }));
    expect(error.code).toBe("INVALID_VALUE");
    expect(error.message).toContain("half a surrogate pair");
  });

  test("but the same object twice is no cycle, and 100 levels are allowed", () => {
    const shared = { a: 1 };
    expect(decodeValue(encodeValue([shared, shared]))).toStrictEqual([{ a: 1 }, { a: 1 }]);
    expect(decodeValue(encodeValue(nested(100)))).toStrictEqual(nested(100));
  });

  test("and the next value is not touched by it", () => {
    expect(() => encodeValue({ a: [{ b: Number.NaN }] })).toThrow();
    expect(decodeValue(encodeValue({ a: 1 }))).toStrictEqual({ a: 1 });
  });
});

describe("the size limit", () => {
  test.each<[string, (length: number) => unknown]>([
    ["text", (length) => "x".repeat(length)],
    ["wide text", (length) => "é".repeat(length)],
    ["bytes", (length) => new Uint8Array(length)],
    ["numbers", (length) => Array.from({ length }, () => 0.5)],
    ["names", (length) => recordOf(Array.from({ length }, (_, index) => [`k${index}`, 1]))],
  ])("of %s is met to the byte", (_, make) => {
    const value = make(5000);
    const { length } = encodeValue(value);
    expect(encodeValue(value, { maxBytes: length }).length).toBe(length);
    const error = faultOf(() => encodeValue(value, { maxBytes: length - 1 }));
    expect(error).toMatchObject({ code: "VALUE_TOO_LARGE", details: { maxBytes: length - 1 } });
    expect(error.message).toContain(`${length - 1} bytes`);
  });

  test("ends the work early: a value far above it is not encoded to its end", () => {
    let read = 0;
    const item = {
      get text() {
        read++;
        return "x".repeat(1000);
      },
    };
    const value = Array.from({ length: 10_000 }, () => item);
    expect(faultOf(() => encodeValue(value, { maxBytes: 10_000 })).code).toBe("VALUE_TOO_LARGE");
    expect(read).toBeLessThan(100);
  });
});

test("a getter may encode another value meanwhile, and its fault leaves as it is", () => {
  const value = {
    a: 1,
    get b() {
      return encodeValue({ inner: "x".repeat(100) });
    },
  };
  const { b } = decodeValue(encodeValue(value)) as { b: Uint8Array };
  expect(decodeValue(b)).toStrictEqual({ inner: "x".repeat(100) });
  const fault = new Error("mine");
  const failing = {
    get a() {
      throw fault;
    },
  };
  expect(() => encodeValue(failing)).toThrow(fault);
});

describe("damaged bytes", () => {
  test("of any kind are a MalformedBytesError, or are the one encoding of what they decode to", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expectCanonicalOrMalformed(bytes);
        expectCanonicalOrMalformed(Uint8Array.of(1, ...bytes));
      }),
      { numRuns: 300 },
    );
  });

  test("made from real encodings by changing, dropping or doubling some", () => {
    const mutation = fc.record({
      at: fc.nat(),
      remove: fc.nat(3),
      insert: fc.uint8Array({ maxLength: 3 }),
    });
    fc.assert(
      fc.property(storable, fc.array(mutation, { minLength: 1, maxLength: 3 }), (value, all) => {
        const bytes = [...encodeValue(value)];
        for (const { at, remove, insert } of all) {
          bytes.splice(at % (bytes.length + 1), remove, ...insert);
        }
        expectCanonicalOrMalformed(Uint8Array.from(bytes));
      }),
      { numRuns: 300 },
    );
  });

  test("cut short anywhere are refused", () => {
    const bytes = encodeValue({ a: [1.5, "text", 300n, new Date(0)], b: new Uint8Array(9) });
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeValue(bytes.subarray(0, length))).toThrow(MalformedBytesError);
    }
  });

  test.each([
    ["another version", "0200"],
    ["no bytes", ""],
    ["bytes behind", "010000"],
    ["an unknown tag", "010d"],
    ["a count beyond the bytes", "010bffffffff0f"],
    ["a length beyond the bytes", "0109ffffffffffff0f"],
    ["a varint without end", "0103ffffffffffffffffffff01"],
    ["a varint beyond 2^53", "0103ffffffffffffff7f"],
    ["a varint spelt too long", "0103808000"],
    ["a small integer spelt long", "010301"],
    ["an integer below the safe ones", "0104ffffffffffffff0f"],
    ["an integer as a double", "01053ff0000000000000"],
    ["minus zero", "01058000000000000000"],
    ["NaN", "01057ff8000000000000"],
    ["infinity", "01057ff0000000000000"],
    ["a bigint with a leading zero", "0106020001"],
    ["minus zero as a bigint", "010700"],
    ["a date with a fraction", "01083fe0000000000000"],
    ["a date out of range", "01084341c37937e08000"],
    ["text that is not UTF-8", "010a01ff"],
    ["text with half a surrogate pair", "010a03eda080"],
    ["keys in the wrong order", "010c02016281016181"],
    ["a key twice", "010c02016181016181"],
    ["nesting without end", `01${"0b01".repeat(101)}00`],
  ])("are refused: %s", (_, hex) => {
    expect(() => decodeValue(Buffer.from(hex, "hex"))).toThrow(MalformedBytesError);
  });

  test("are refused where a name that was met before was a letter and is a stray byte", () => {
    expect(decodeValue(encodeValue({ é: 1 }))).toStrictEqual({ é: 1 });
    expect(() => decodeValue(Buffer.from("010c0101e981", "hex"))).toThrow(MalformedBytesError);
  });
});

describe("jsonOf", () => {
  test("gives what JSON can hold as it is", () => {
    const value = { a: [1, "x", null, true], b: {} };
    expect(jsonOf(value)).toBe(value);
    expect(jsonOf(null)).toBe(null);
  });

  test.each<[unknown, string, string]>([
    [1n, "$", "a bigint"],
    [{ a: [0, new Uint8Array(1)] }, "$.a[1]", "bytes"],
    [{ "a b": { c: new Date(0) } }, '$["a b"].c', "a Date"],
  ])("refuses %#", (value, path, what) => {
    const error = faultOf(() => jsonOf(value));
    expect(error).toMatchObject({ code: "NOT_REPRESENTABLE", details: { path } });
    expect(error.message).toContain(`the value at ${path} is ${what}`);
  });
});

function expectCanonicalOrMalformed(bytes: Uint8Array): void {
  let value: unknown;
  try {
    value = decodeValue(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(MalformedBytesError);
    return;
  }
  expect(Uint8Array.from(encodeValue(value))).toEqual(Uint8Array.from(bytes));
}

function recordOf(entries: readonly (readonly [string, unknown])[]): object {
  return Object.fromEntries(entries);
}

function withoutMinusZero(value: number): number {
  return Object.is(value, -0) ? 0 : value;
}

function nested(levels: number): unknown {
  return levels === 0 ? 7 : [nested(levels - 1)];
}

function faultOf(act: () => unknown): CapstanError {
  try {
    act();
  } catch (error) {
    if (isCapstanError(error)) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
