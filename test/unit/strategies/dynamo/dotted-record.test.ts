import { describe, expect, test } from "vitest";
import { MalformedBytesError } from "../../../../src/core/model/malformed-bytes-error.ts";
import { CausalContext } from "../../../../src/strategies/dynamo/causal-context.ts";
import {
  checkRecord,
  contextOf,
  type DottedRecord,
  decodeRecord,
  encodeRecord,
  isTombstone,
  keyDottedRecord,
  NOTHING,
  newestTimeOf,
  summaryOf,
} from "../../../../src/strategies/dynamo/dotted-record.ts";
import {
  checkRecord as checkStamped,
  keyRecord,
} from "../../../../src/strategies/leaderless/record.ts";

const dot = (low: number, counter: number) => ({ actor: { high: 9, low }, counter });
const CONTEXT = CausalContext.of([
  { ...dot(1, 5), time: 650 },
  { ...dot(2, 3), time: 700 },
]);
const VALUE = Buffer.from("value");
const TWO: DottedRecord = {
  context: CONTEXT,
  newestTime: 700,
  siblings: [
    { dot: dot(1, 4), time: 600, value: VALUE },
    { dot: dot(2, 3), time: 700, value: undefined },
  ],
  states: [],
};
const EXPIRING: DottedRecord = {
  ...TWO,
  siblings: [{ dot: dot(1, 4), time: 600, value: VALUE, expiresAtMs: 1_795_000_000_000 }],
};
const STATE: DottedRecord = { context: CONTEXT, newestTime: 700, siblings: [], states: [VALUE] };

describe("a record", () => {
  test.each([
    ["of siblings", TWO],
    ["of a version that expires", EXPIRING],
    ["of a CRDT's state", STATE],
    ["of nothing but a context", { ...TWO, siblings: [] }],
    ["of nothing", NOTHING],
  ])("%s comes back from its bytes", (_name, record) => {
    const back = decodeRecord(encodeRecord(record));
    expect(back).toEqual({
      ...record,
      siblings: record.siblings.map((each) => ({
        ...each,
        value: each.value === undefined ? undefined : Buffer.from(each.value),
      })),
      states: record.states.map((state) => Buffer.from(state)),
    });
  });

  test.each([
    ["of siblings", TWO],
    ["of a version that expires", EXPIRING],
    ["of a CRDT's state", STATE],
  ])(
    "%s is checked as it is decoded, cut short anywhere or with any byte damaged",
    (_name, record) => {
      const bytes = Buffer.from(encodeRecord(record));
      const cuts = Array.from(bytes, (_byte, at) => bytes.subarray(0, at));
      const damaged = Array.from(bytes, (byte, at) => {
        const copy = Buffer.from(bytes);
        copy[at] = byte ^ 0x81;
        return copy;
      });
      const refuses = (read: (bytes: Uint8Array) => unknown, each: Uint8Array): boolean => {
        try {
          read(each);
          return false;
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedBytesError);
          return true;
        }
      };
      for (const each of [bytes, ...cuts, ...damaged, Buffer.concat([bytes, bytes])]) {
        expect(refuses(checkRecord, each)).toBe(refuses(decodeRecord, each));
      }
      expect(cuts.every((each) => refuses(checkRecord, each))).toBe(true);
    },
  );

  test.each([
    ["of siblings", TWO],
    ["of a version that expires", EXPIRING],
  ])("%s is the same behind its key", (_name, record) => {
    const key = Buffer.from("key");
    expect(keyDottedRecord(key, record)).toEqual(keyRecord(key, encodeRecord(record)));
  });

  test("says whether anything of it is alive", () => {
    expect(isTombstone(encodeRecord(TWO))).toBe(false);
    expect(isTombstone(encodeRecord(STATE))).toBe(false);
    expect(isTombstone(encodeRecord({ ...TWO, siblings: [] }))).toBe(true);
    const deleted = { ...TWO, siblings: TWO.siblings.slice(1) };
    expect(isTombstone(encodeRecord(deleted))).toBe(true);
  });

  // It used to be cut from the Buffer itself, and the record was a summary from then on.
  test("a summary leaves the record as it was, though that is a Buffer", () => {
    const bytes = Buffer.from(encodeRecord(TWO));
    summaryOf(bytes);
    expect(decodeRecord(bytes)).toEqual(decodeRecord(encodeRecord(TWO)));
  });

  test("has a summary, which names its context and is no record", () => {
    const summary = summaryOf(encodeRecord(TWO));
    checkRecord(summary);
    expect(contextOf(summary).relationTo(CONTEXT)).toBe("equal");
    expect(newestTimeOf(summary)).toBe(700);
    expect(() => decodeRecord(summary)).toThrow(MalformedBytesError);
  });

  test("is never taken for a stamped one", () => {
    expect(() => checkStamped(encodeRecord(TWO))).toThrow(MalformedBytesError);
  });

  test("is refused when cut short, at every length, and with a byte too many", () => {
    const bytes = encodeRecord(TWO);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => checkRecord(bytes.subarray(0, length))).toThrow(MalformedBytesError);
    }
    expect(() => checkRecord(Buffer.concat([bytes, Buffer.of(0)]))).toThrow(MalformedBytesError);
  });

  test.each([
    [
      "a sibling that its context does not cover",
      { ...TWO, context: CausalContext.of([{ ...dot(1, 5), time: 650 }]) },
    ],
    ["siblings out of order", { ...TWO, siblings: [...TWO.siblings].reverse() }],
    ["states out of order", { ...STATE, states: [Buffer.from("b"), Buffer.from("a")] }],
    ["a dot that counts 0", { ...TWO, siblings: [{ dot: dot(1, 0), time: 1, value: VALUE }] }],
  ])("with %s is refused", (_name, record) => {
    expect(() => decodeRecord(encodeRecord(record))).toThrow(MalformedBytesError);
  });

  test("with a format or flag of the future is refused", () => {
    for (const [at, value] of [
      [0, 2],
      [1, 8],
      [1, 0],
      [1, 3],
    ] as const) {
      const bytes = encodeRecord(TWO);
      bytes[at] = value;
      expect(() => checkRecord(bytes)).toThrow(MalformedBytesError);
    }
  });

  test("whose context is not in its order is refused", () => {
    const bytes = encodeRecord({ ...TWO, siblings: [] });
    const entries = bytes.slice(20, 64);
    bytes.set(entries.subarray(22), 20);
    bytes.set(entries.subarray(0, 22), 42);
    expect(() => checkRecord(bytes)).toThrow("order");
  });
});
