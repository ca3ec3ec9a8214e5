import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isCapstanError } from "../../../../../src/core/model/errors.ts";
import { decodeValue, encodeValue } from "../../../../../src/core/model/values.ts";
import {
  type EncodedState,
  planState,
} from "../../../../../src/strategies/dynamo/states/encoded-state.ts";

function encode(state: unknown, previous?: EncodedState): EncodedState {
  const plan = planState(state, previous);
  const target = new Uint8Array(3 + plan.byteLength);
  const encoded = plan.write(target, 3);
  expect(Buffer.compare(encoded.bytes, target.subarray(3))).toBe(0);
  return encoded;
}

/** What becomes of a list: items at `at` are taken out, and others put in. */
const splices = fc.array(
  fc.record({
    at: fc.nat(200),
    out: fc.nat(3),
    items: fc.array(fc.oneof(fc.string(), fc.integer(), fc.array(fc.bigInt(), { maxLength: 3 })), {
      maxLength: 3,
    }),
  }),
  { maxLength: 12 },
);
const shapes: fc.Arbitrary<(items: readonly unknown[]) => unknown> = fc.constantFrom(
  (items) => items,
  (items) => ({ context: [["a", 0, items.length]], entries: items }),
  (items) => ({ entries: items, znother: items.length, "": null }),
  (items) => ({ first: items.slice(0, 40), second: items.slice(20) }),
  (items) => ({ dropped: undefined, entries: items }),
);

describe("the encoding of a state by what is known of the one before", () => {
  test("is its canonical encoding, whatever changed", () => {
    fc.assert(
      fc.property(fc.nat(80), splices, shapes, (length, changes, shape) => {
        let items: readonly unknown[] = Array.from({ length }, (_, at) => [
          `item-${at}`,
          [["n", at]],
        ]);
        let encoded = encode(shape(items));
        for (const { at, out, items: fresh } of changes) {
          items = items.toSpliced(at, out, ...fresh);
          encoded = encode(shape(items), encoded);
          expect(Buffer.compare(encoded.bytes, encodeValue(shape(items)))).toBe(0);
        }
      }),
      { seed: 1, numRuns: 400 },
    );
  });

  test("is right also where the state takes another shape", () => {
    fc.assert(
      fc.property(fc.array(shapes, { maxLength: 6 }), (forms) => {
        const items = Array.from({ length: 70 }, (_, at) => at);
        let encoded: EncodedState | undefined;
        for (const shape of forms) {
          encoded = encode(shape(items), encoded);
          expect(Buffer.compare(encoded.bytes, encodeValue(shape(items)))).toBe(0);
        }
      }),
      { seed: 2, numRuns: 100 },
    );
  });

  test("copies what did not change instead of encoding it", () => {
    let read = 0;
    const watched = {
      get name() {
        read++;
        return "x";
      },
    };
    const items = Array.from({ length: 100 }, () => watched);
    const first = encode({ entries: items });
    const second = encode({ entries: [...items, watched] }, first);
    read = 0;
    encode({ entries: items.with(50, { name: "y" } as typeof watched) }, second);
    // The state has one item less at its end, which is none of those that it shares.
    expect(read).toBeLessThanOrEqual(50);
    read = 0;
    encode({ entries: [...items, watched, { name: "z" }] }, second);
    expect(read).toBe(0);
  });

  test("refuses what is nested too deep for the whole, and says where", () => {
    let deep: unknown = 1;
    for (let depth = 0; depth < 99; depth++) deep = [deep];
    const items = Array.from({ length: 40 }, (_, at) => at);
    expect(decodeValue(encodeValue(deep))).toBeDefined();
    const before = encode({ entries: items });
    const faults = [before, undefined].map((previous) => {
      try {
        encode({ entries: [...items, deep] }, previous);
        return undefined;
      } catch (error) {
        return isCapstanError(error) ? error.message : String(error);
      }
    });
    expect(faults[0]).toMatch(/\$\.entries\[40\].*nested deeper/);
    expect(faults[1]).toBe(faults[0]);
  });
});
