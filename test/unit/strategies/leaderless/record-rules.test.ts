import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MalformedBytesError } from "../../../../src/core/model/malformed-bytes-error.ts";
import type { Stamp } from "../../../../src/core/model/stamp.ts";
import { makeKeyedRecord, splitPayload } from "../../../../src/strategies/leaderless/record.ts";
import { mergedOf } from "../../../../src/strategies/leaderless/record-rules.ts";
import { stampedRules } from "../../../../src/strategies/leaderless/stamped-rules.ts";

const SEED = { seed: 7, numRuns: 500 };
const KEY = Buffer.from("k");
const OPPOSITE = { included: "succeeded", succeeded: "included", equal: "equal", apart: "apart" };

/** Few stamps and values, so that equal ones meet. */
const stamps: fc.Arbitrary<Stamp> = fc.record({
  time: fc.integer({ min: 1, max: 4 }),
  actorHigh: fc.constant(1),
  actorLow: fc.integer({ min: 1, max: 2 }),
});
const values = fc.constantFrom(Buffer.from("a"), Buffer.from("b"), undefined);
const EXPIRY_MS = 1_795_000_000_000;
const expiries = fc.constantFrom(undefined, EXPIRY_MS, EXPIRY_MS + 1);
const records = fc
  .tuple(stamps, values, expiries, fc.boolean())
  .map(([stamp, value, expiresAtMs, isOver]) => {
    const expiry = value === undefined ? undefined : expiresAtMs;
    const { record } = makeKeyedRecord(KEY, stamp, value, expiry);
    return isOver ? stampedRules.expire(record, EXPIRY_MS) : record;
  });

describe("stamped records", () => {
  test("stand to each other the same way from either side", () => {
    fc.assert(
      fc.property(records, records, (a, b) => {
        const { relation } = stampedRules;
        expect(relation(b, a)).toBe(OPPOSITE[relation(a, b)]);
      }),
      SEED,
    );
  });

  test("merge to the same bytes in any order, however often", () => {
    const merge = (a: Uint8Array, b: Uint8Array) => mergedOf(stampedRules, a, b);
    fc.assert(
      fc.property(records, records, records, (a, b, c) => {
        expect(Buffer.from(merge(a, b))).toEqual(Buffer.from(merge(b, a)));
        expect(Buffer.from(merge(merge(a, b), c))).toEqual(Buffer.from(merge(a, merge(b, c))));
        expect(merge(a, a)).toBe(a);
      }),
      SEED,
    );
  });

  test("come to the same tombstone at their expiry, and lose against it", () => {
    fc.assert(
      fc.property(records, (a) => {
        const over = stampedRules.expire(a, EXPIRY_MS + 1);
        stampedRules.check(over);
        expect(stampedRules.expiryOf(over)).toBeUndefined();
        expect(stampedRules.expire(over, EXPIRY_MS + 1)).toBe(over);
        expect(stampedRules.isTombstone(over)).toBe(
          stampedRules.isTombstone(a) || stampedRules.expiryOf(a) !== undefined,
        );
        expect(Buffer.from(mergedOf(stampedRules, a, over))).toEqual(Buffer.from(over));
        expect(Buffer.from(mergedOf(stampedRules, over, a))).toEqual(Buffer.from(over));
        expect(stampedRules.stampOf(over)).toEqual(stampedRules.stampOf(a));
      }),
      SEED,
    );
  });

  test("are what they were until their expiry", () => {
    const stamp = { time: 1, actorHigh: 0, actorLow: 0 };
    const { record } = makeKeyedRecord(KEY, stamp, Buffer.from("v"), EXPIRY_MS);
    expect(stampedRules.expiryOf(record)).toBe(EXPIRY_MS);
    expect(stampedRules.expire(record, EXPIRY_MS - 1)).toBe(record);
    expect(stampedRules.changeOf?.(KEY, record).type).toBe("put");
    const over = stampedRules.expire(record, EXPIRY_MS);
    expect(stampedRules.changeOf?.(KEY, over)).toMatchObject({ type: "expire", key: KEY });
    expect(stampedRules.summaryOf(over)).toEqual(over);
  });

  test("the held record itself comes back where nothing is new", () => {
    const older = makeKeyedRecord(KEY, { time: 1, actorHigh: 0, actorLow: 0 }, undefined).record;
    const newer = makeKeyedRecord(KEY, { time: 2, actorHigh: 0, actorLow: 0 }, undefined).record;
    expect(mergedOf(stampedRules, newer, older)).toBe(newer);
    expect(mergedOf(stampedRules, older, newer)).toBe(newer);
    expect(mergedOf(stampedRules, undefined, older)).toBe(older);
  });

  test("a summary is a record too, and names the same stamp", () => {
    const { record } = makeKeyedRecord(
      KEY,
      { time: 5, actorHigh: 1, actorLow: 2 },
      Buffer.from("v"),
    );
    const summary = stampedRules.summaryOf(record);
    stampedRules.check(summary);
    expect(stampedRules.stampOf(summary)).toEqual({ time: 5, actorHigh: 1, actorLow: 2 });
  });

  test("a payload is refused if the rules refuse its record", () => {
    const { payload } = makeKeyedRecord(KEY, { time: 5, actorHigh: 1, actorLow: 2 }, undefined);
    const refuse = () => {
      throw new MalformedBytesError("not mine");
    };
    expect(() => splitPayload(payload, refuse)).toThrow("not mine");
  });
});
