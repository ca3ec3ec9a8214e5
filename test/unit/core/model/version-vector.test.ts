import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isCapstanError } from "../../../../src/core/model/errors.ts";
import { MalformedBytesError } from "../../../../src/core/model/malformed-bytes-error.ts";
import { VersionVector } from "../../../../src/index.ts";

const actors = ["a", "b", "c", "__proto__"];
const vector = fc
  .array(fc.tuple(fc.constantFrom(...actors), fc.nat(3)), { maxLength: 6 })
  .map((entries) => new VersionVector(entries));

describe("happensBefore", () => {
  const of = (entries: Record<string, number>) => new VersionVector(Object.entries(entries));

  test.each([
    [{}, { a: 1 }, true],
    [{ a: 1 }, { a: 1, b: 1 }, true],
    [{ a: 1 }, { a: 2 }, true],
    [{ a: 1, b: 1 }, { a: 2 }, false],
    [{ b: 1 }, { a: 5 }, false],
    [{ a: 1 }, { a: 1 }, false],
    [{ a: 1, b: 0 }, { a: 1 }, false],
    [{ a: 1 }, {}, false],
    [{}, {}, false],
  ])("%j before %j: %s", (a, b, expected) => {
    expect(of(a).happensBefore(of(b))).toBe(expected);
  });
});

test("the order is that of the counters, actor by actor", () => {
  fc.assert(
    fc.property(vector, vector, (a, b) => {
      const below = actors.every((actor) => a.get(actor) <= b.get(actor));
      const above = actors.every((actor) => a.get(actor) >= b.get(actor));
      expect(b.dominates(a)).toBe(below);
      expect(a.happensBefore(b)).toBe(below && !above);
      expect(a.equals(b)).toBe(below && above);
      expect(a.concurrentWith(b)).toBe(!below && !above);
    }),
    { numRuns: 300 },
  );
});

test("merge is the least vector that dominates both: commutative, associative, idempotent", () => {
  fc.assert(
    fc.property(vector, vector, vector, (a, b, c) => {
      const merged = a.merge(b);
      expect(merged.dominates(a) && merged.dominates(b)).toBe(true);
      if (c.dominates(a) && c.dominates(b)) expect(c.dominates(merged)).toBe(true);
      expect(merged.encode()).toEqual(b.merge(a).encode());
      expect(merged.merge(c).encode()).toEqual(a.merge(b.merge(c)).encode());
      expect(a.merge(a).encode()).toEqual(a.encode());
    }),
    { numRuns: 200 },
  );
});

test("increment counts one more event of one actor, and changes nothing that was there", () => {
  const first = new VersionVector([["a", 1]]);
  const second = first.increment("a").increment("b");
  expect(second.toJSON()).toEqual({ a: 2, b: 1 });
  expect(first.toJSON()).toEqual({ a: 1 });
  expect(first.happensBefore(second)).toBe(true);
  expect(first.increment("a").concurrentWith(first.increment("b"))).toBe(true);
});

test("what entries() gives cannot be used to change the vector", () => {
  const source = new Map([["a", 1]]);
  const one = new VersionVector(source);
  source.set("a", 9);
  expect([...one.entries()]).toEqual([["a", 1]]);
});

test("JSON and bytes give the same vector back", () => {
  fc.assert(
    fc.property(vector, (one) => {
      expect(VersionVector.fromJSON(JSON.parse(JSON.stringify(one))).equals(one)).toBe(true);
      const back = VersionVector.decode(one.encode());
      expect(back.equals(one)).toBe(true);
      expect(back.encode()).toEqual(one.encode());
    }),
    { numRuns: 200 },
  );
});

test.each([
  ["a negative counter", [["a", -1]], 'the counter of actor "a" is -1; allowed: a whole number'],
  ["a fraction", [["a", 0.5]], "is 0.5"],
  ["NaN", [["a", Number.NaN]], "is NaN"],
  ["a counter beyond 2^53", [["a", 2 ** 53]], "is 9007199254740992"],
  ["text", [["a", "1"]], "is 1"],
  ["an empty actor", [["", 1]], 'the actor "" is not text of 1 to 255 bytes'],
  ["a long actor", [["é".repeat(128), 1]], "is not text of 1 to 255 bytes"],
  ["half a surrogate pair", [["\ud800", 1]], "is not text of 1 to 255 bytes"],
  ["no actor", [[7, 1]], "is not text of 1 to 255 bytes"],
])("refuses %s", (_, entries, message) => {
  const error = thrownBy(() => new VersionVector(entries as unknown as [string, number][]));
  expect(isCapstanError(error) && error.code).toBe("INVALID_ARGUMENT");
  expect(String(error)).toContain(message);
});

test.each([null, [["a", 1]], "a", { a: null }])("fromJSON refuses %j", (json) => {
  const error = thrownBy(() => VersionVector.fromJSON(json));
  expect(isCapstanError(error) && error.code).toBe("INVALID_ARGUMENT");
});

test("a counter cannot be counted beyond 2^53 - 1", () => {
  const full = new VersionVector([["a", Number.MAX_SAFE_INTEGER]]);
  expect(() => full.increment("a")).toThrow(/allowed/);
  expect(VersionVector.decode(full.encode()).equals(full)).toBe(true);
});

describe("decode", () => {
  test("takes any bytes for what they are: the one encoding of a vector, or damage", () => {
    const edit = fc.tuple(fc.nat(), fc.nat(255));
    fc.assert(
      fc.property(vector, fc.array(edit, { minLength: 1, maxLength: 3 }), (one, edits) => {
        const bytes = one.encode();
        for (const [at, byte] of edits) bytes[at % bytes.length] = byte;
        let back: VersionVector;
        try {
          back = VersionVector.decode(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedBytesError);
          return;
        }
        expect(back.encode()).toEqual(bytes);
      }),
      { numRuns: 300 },
    );
  });

  test.each([
    ["an actor twice", "01000200016100000000000000010001610000000000000002"],
    ["actors in another order", "01000200016200000000000000010001610000000000000001"],
    ["a counter of 0", "0100010001610000000000000000"],
    ["an empty actor", "01000100000000000000000001"],
    ["another format", "020000"],
  ])("refuses %s", (_, hex) => {
    expect(() => VersionVector.decode(Buffer.from(hex, "hex"))).toThrow(MalformedBytesError);
  });

  test("refuses missing and trailing bytes, and more actors than are allowed", () => {
    const bytes = new VersionVector([
      ["a", 1],
      ["b", 2],
    ]).encode();
    for (let length = 0; length < bytes.length; length++) {
      expect(() => VersionVector.decode(bytes.subarray(0, length))).toThrow(MalformedBytesError);
    }
    expect(() => VersionVector.decode(Uint8Array.of(...bytes, 0))).toThrow(MalformedBytesError);
    expect(() => VersionVector.decode(bytes, 1)).toThrow("2 actors are above the allowed 1");
    expect(VersionVector.decode(bytes, 2).get("b")).toBe(2);
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
