import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type KeySpan,
  Summary,
  separatorBetween,
} from "../../../../../src/strategies/leaderless/anti-entropy/fingerprint.ts";
import {
  beginOf,
  FingerprintIndex,
  ScanBudget,
} from "../../../../../src/strategies/leaderless/anti-entropy/fingerprint-index.ts";
import { PlainState } from "../../../../support/plain-state.ts";

const keyOf = (number: number): Uint8Array => Buffer.from(`key-${number}`);
/** As if the first byte of a record were its time. */
const timeOf = (record: Uint8Array): number => record[0] as number;
const WHOLE: KeySpan = { from: undefined, to: undefined };

function counted(state: PlainState, span: KeySpan, upTo?: number): Summary {
  const summary = new Summary();
  const { entries } = state.range(span.from, span.to, Number.MAX_SAFE_INTEGER);
  for (const { key, value } of entries) {
    if (upTo === undefined || timeOf(value) <= upTo) summary.addEntry(key, value);
  }
  return summary;
}

function summarize(
  index: FingerprintIndex,
  state: PlainState,
  span: KeySpan,
  upTo?: number,
): Summary {
  const progress = beginOf(span, upTo);
  for (let steps = 0; !index.summarize(span, progress, state, new ScanBudget(100, 1e6)); steps++) {
    if (steps > 10_000) throw new Error("the sum does not end");
  }
  return progress.summary;
}

function filled(count: number): { readonly state: PlainState; readonly index: FingerprintIndex } {
  const state = new PlainState();
  for (let number = 0; number < count; number++) state.put(keyOf(number), Buffer.from([number]));
  return { state, index: new FingerprintIndex() };
}

describe("the index of fingerprints", () => {
  it("sums up what is there, whatever was written, deleted and asked in between", () => {
    const change = fc.record({
      key: fc.nat(400),
      value: fc.option(fc.nat(255), { nil: undefined }),
      ask: fc.option(fc.tuple(fc.nat(400), fc.nat(400)), { nil: undefined, freq: 10 }),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 900, minLength: 300 }), (changes) => {
        const { state, index } = filled(200);
        for (const { key, value, ask } of changes) {
          if (value === undefined) state.delete(keyOf(key));
          else state.put(keyOf(key), Buffer.from([value]));
          index.touch(keyOf(key));
          if (ask === undefined) continue;
          const [from, to] = ask.map(keyOf).sort(Buffer.compare);
          const span =
            Buffer.compare(from as Uint8Array, to as Uint8Array) === 0
              ? { from, to: undefined }
              : { from, to };
          expect(summarize(index, state, span)).toEqual(counted(state, span));
        }
        expect(summarize(index, state, WHOLE)).toEqual(counted(state, WHOLE));
        expect(summarize(new FingerprintIndex(), state, WHOLE)).toEqual(counted(state, WHOLE));
      }),
      { numRuns: 20 },
    );
  });

  it("leaves out what is younger than it is asked for, whatever else it was asked", () => {
    const change = fc.record({
      key: fc.nat(600),
      value: fc.option(fc.nat(255), { nil: undefined }),
      ask: fc.option(fc.tuple(fc.nat(600), fc.nat(255), fc.boolean()), { nil: undefined, freq: 8 }),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 900, minLength: 300 }), (changes) => {
        const { state } = filled(300);
        const index = new FingerprintIndex(timeOf);
        for (const { key, value, ask } of changes) {
          if (value === undefined) state.delete(keyOf(key));
          else state.put(keyOf(key), Buffer.from([value]));
          index.touch(keyOf(key));
          if (ask === undefined) continue;
          const [from, upTo, isWhole] = ask;
          const span = { from: keyOf(from), to: undefined };
          const asked = isWhole ? undefined : upTo + 1;
          expect(summarize(index, state, span, asked)).toEqual(counted(state, span, asked));
        }
        expect(summarize(index, state, WHOLE)).toEqual(counted(state, WHOLE));
        expect(summarize(index, state, WHOLE, 100)).toEqual(counted(state, WHOLE, 100));
      }),
      { numRuns: 20 },
    );
  });

  it("has places to cut at, though nothing but what is not younger was ever asked for", () => {
    const { state } = filled(4_000);
    const index = new FingerprintIndex(timeOf);
    const progress = beginOf(WHOLE, 100);
    while (!index.summarize(WHOLE, progress, state, new ScanBudget(100, 1e6)));
    expect(progress.seen).toBe(4_000);
    expect(state.mostRead).toBeLessThanOrEqual(128);
    expect(index.cuts(WHOLE, 16).length).toBeGreaterThan(10);
  });

  it("reads little at a time, and after a write no more than the blocks that were written to", () => {
    const { state, index } = filled(5_000);
    summarize(index, state, WHOLE);
    expect(state.mostRead).toBeLessThanOrEqual(128);
    expect(index.blocks).toBeGreaterThan(5_000 / 128);
    expect(index.blocks).toBeLessThan(5_000 / 32);
    index.touch(keyOf(7));
    const progress = beginOf(WHOLE);
    expect(index.summarize(WHOLE, progress, state, new ScanBudget(140, 1e6))).toBe(true);
    expect(progress.summary).toEqual(counted(state, WHOLE));
  });

  it("is right again after so many writes that it stops looking up whose block they are", () => {
    const { state, index } = filled(5_000);
    summarize(index, state, WHOLE);
    // All but a few blocks at the end; then what is written is not even noted, there as elsewhere.
    for (let number = 0; number < 4_900; number++) index.touch(keyOf(number));
    for (let number = 0; number < 5_000; number += 7) {
      state.put(keyOf(number), Buffer.from([number + 1]));
      index.touch(keyOf(number));
    }
    expect(summarize(index, state, WHOLE)).toEqual(counted(state, WHOLE));
    state.put(keyOf(4_999), Buffer.from([99]));
    index.touch(keyOf(4_999));
    expect(summarize(index, state, WHOLE)).toEqual(counted(state, WHOLE));
  });

  it("stops where the budget is spent, and goes on from there", () => {
    const { state, index } = filled(1_000);
    const progress = beginOf(WHOLE);
    const step = (): boolean => index.summarize(WHOLE, progress, state, new ScanBudget(50, 1e6));
    let steps = 1;
    while (!step()) steps++;
    expect(steps).toBeGreaterThan(5);
    expect(progress.summary).toEqual(counted(state, WHOLE));
  });

  it("lets go of small blocks when entries go", () => {
    const { state, index } = filled(2_000);
    summarize(index, state, WHOLE);
    const before = index.blocks;
    for (let number = 0; number < 2_000; number++) {
      if (number % 100 === 0) continue;
      state.delete(keyOf(number));
      index.touch(keyOf(number));
    }
    for (let times = 0; times < 3; times++) {
      index.touch(keyOf(100));
      for (let number = 0; number < 2_000; number += 100) index.touch(keyOf(number));
      expect(summarize(index, state, WHOLE)).toEqual(counted(state, WHOLE));
    }
    expect(index.blocks).toBeLessThan(before / 4);
  });

  it("does not join blocks of large entries, which a step would have to read at once", () => {
    const state = new PlainState();
    const index = new FingerprintIndex();
    const put = (number: number, byte: number): void => {
      state.put(keyOf(number), Buffer.alloc(100 * 1024, byte));
      index.touch(keyOf(number));
    };
    for (let number = 100; number < 130; number++) put(number, 1);
    summarize(index, state, WHOLE);
    for (let number = 100; number < 130; number++) {
      put(number, 2);
      expect(summarize(index, state, WHOLE)).toEqual(counted(state, WHOLE));
    }
    expect(index.blocks).toBeGreaterThanOrEqual(30);
  });

  it("cuts a span into parts of about the same number of entries", () => {
    const { state, index } = filled(4_000);
    summarize(index, state, WHOLE);
    const cuts = index.cuts(WHOLE, 16);
    expect(cuts).toHaveLength(15);
    const bounds = [undefined, ...cuts, undefined];
    for (let at = 0; at < 16; at++) {
      const { count } = counted(state, { from: bounds[at], to: bounds[at + 1] });
      expect(count).toBeGreaterThan(100);
      expect(count).toBeLessThan(400);
    }
  });

  it("tells two states apart that differ in one record, or in where records stand", () => {
    const { state } = filled(100);
    const before = counted(state, WHOLE);
    const [one, other] = [state.get(keyOf(1)), state.get(keyOf(2))] as Uint8Array[];
    state.put(keyOf(1), other as Uint8Array);
    state.put(keyOf(2), one as Uint8Array);
    expect(counted(state, WHOLE).equals(before)).toBe(false);
  });
});

describe("a separator", () => {
  it("is above the one key, not above the other, and as short as can be", () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        const [below, key] = [a, b].sort(Buffer.compare) as [Uint8Array, Uint8Array];
        fc.pre(Buffer.compare(below, key) !== 0);
        const separator = separatorBetween(below, key);
        expect(Buffer.compare(separator, below)).toBe(1);
        expect(Buffer.compare(separator, key)).toBeLessThanOrEqual(0);
        expect(Buffer.compare(separator.subarray(0, -1), below)).toBeLessThanOrEqual(0);
      }),
    );
  });
});
