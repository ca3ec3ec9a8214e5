import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseStrictJson } from "../../../src/http/strict-json.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const parse = (text: string) => parseStrictJson(bytes(text));

describe("what JSON.parse takes and means one thing", () => {
  test("any JSON comes back as JSON.parse gives it", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), (value) => {
        const text = JSON.stringify(value);
        const hasBigInteger = /(?<![\d.eE"])-?\d{17,}(?![\d.eE])/.test(text);
        fc.pre(!hasBigInteger);
        expect(parse(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  test.each([
    ' \t\r\n{ "a" : [ 1 , "x:{}[],\\"" , { "a" : 1 } ] , "b" : { "a" : 1 } } ',
    '{"\\"":1,"\\\\":2,"":3}',
    "9007199254740991",
    "-9007199254740991",
    "[-0, 1.0, 1e300, 0.1]",
    '"\\ud83d\\ude00 \\u0000"',
  ])("%s", (text) => {
    expect(parse(text)).toEqual(JSON.parse(text));
  });

  test("__proto__ is a name like any other", () => {
    const value = parse('{"__proto__":{"polluted":1}}') as object;
    expect(Object.hasOwn(value, "__proto__")).toBe(true);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  test("a megabyte of escapes needs no stack", () => {
    expect(parse(`"${"\\n".repeat(500_000)}"`)).toHaveLength(500_000);
  });

  test("200,000 names that look like indices", () => {
    const names = Array.from({ length: 200_000 }, (_, index) => `"${index}":1`);
    expect(Object.keys(parse(`{${names.join(",")}}`) as object)).toHaveLength(200_000);
  });
});

describe("what is refused", () => {
  test.each([
    ['{"a":1,"a":1}', /the name \$\.a stands twice/],
    ['{"v":[{},{"a":1,"\\u0061":2}]}', /the name \$\.v\[1\]\.a stands twice/],
    ['{"__proto__":1,"__proto__":2}', /__proto__ stands twice/],
    ['{"v":[9007199254740992]}', /9007199254740992 at \$\.v\[0\] is beyond 2\^53 - 1/],
    ["-9007199254740993", /beyond 2\^53/],
    ['{"n":1e400}', /1e400 at \$\.n is too large/],
    ['{"s":["\\ud800"]}', /half a surrogate pair/],
    ['{"\\udfff":1}', /half a surrogate pair/],
    ["", /not JSON/],
    ["{'a':1}", /not JSON/],
    ['{"a":1}x', /not JSON/],
    ["NaN", /not JSON/],
    ["\ufeff{}", /not JSON/],
  ])("%s", (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  test("100,000 nested arrays", () => {
    expect(() => parse("[".repeat(100_000) + "]".repeat(100_000))).toThrow(/deeper than 104/);
  });

  test.each([[[0x22, 0xff, 0x22]], [[0x22, 0xc0, 0xaf, 0x22]], [[0x22, 0xed, 0xa0, 0x80, 0x22]]])(
    "bytes that are no UTF-8: %j",
    (wrong) => {
      expect(() => parseStrictJson(new Uint8Array(wrong))).toThrow(/not well-formed UTF-8/);
    },
  );
});
