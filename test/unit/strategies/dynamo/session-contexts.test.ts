import { describe, expect, test } from "vitest";
import { joinMarks } from "../../../../src/core/model/session-token.ts";
import { encodeValue } from "../../../../src/core/model/values.ts";
import { CausalContext, type TimedDot } from "../../../../src/strategies/dynamo/causal-context.ts";
import { encodeRecord, NOTHING } from "../../../../src/strategies/dynamo/dotted-record.ts";
import {
  hasAllSeen,
  markOfContext,
  markOfRecord,
  timeSeenIn,
} from "../../../../src/strategies/dynamo/session-contexts.ts";

const KEY = Buffer.from("k");

function dot(actor: number, counter: number, time: number): TimedDot {
  return { actor: { high: actor, low: 1 }, counter, time };
}

const old = dot(1, 3, 40);
const newer = dot(2, 1, 60);

/** A record with these versions alive, and their events known, beside those up to `base`. */
function record(base: number, ...alive: readonly TimedDot[]): Uint8Array {
  const named = CausalContext.of(alive.filter(({ time }) => time > base));
  const siblings = alive.map((each) => ({ dot: each, time: each.time, value: encodeValue("v") }));
  const newestTime = Math.max(base, ...alive.map(({ time }) => time));
  const context = CausalContext.upTo(base).merge(named);
  return encodeRecord({ ...NOTHING, context, newestTime, siblings });
}

const state = (base: number, event: TimedDot) =>
  encodeRecord({
    ...NOTHING,
    context: CausalContext.upTo(base).with(event),
    newestTime: event.time,
    states: [encodeValue(1)],
  });

describe("what a session has seen of a key", () => {
  test("is each actor's last event, which a record may name or have settled", () => {
    const mark = markOfContext(KEY, CausalContext.of([old, newer]), 60);
    expect(timeSeenIn(mark)).toBe(60);
    expect(hasAllSeen(KEY, mark, record(0, old, newer), true)).toBe(true);
    expect(hasAllSeen(KEY, mark, record(50, newer), true)).toBe(true);
    expect(hasAllSeen(KEY, mark, record(0, newer), true)).toBe(false);
    expect(hasAllSeen(KEY, mark, undefined, true)).toBe(false);
    expect(hasAllSeen(Buffer.from("other"), mark, undefined, true)).toBe(true);
  });

  test("is what was alive below the base, too", () => {
    const mark = markOfRecord(KEY, record(50, old, newer));
    for (const isOfReplica of [true, false]) {
      expect(hasAllSeen(KEY, mark, record(0, newer), isOfReplica)).toBe(false);
      expect(hasAllSeen(KEY, mark, record(50, old, newer), isOfReplica)).toBe(true);
    }
    expect(hasAllSeen(KEY, mark, record(0, old, newer), true)).toBe(true);
  });

  test("is that nothing else was alive there, which a replica knows without saying so", () => {
    const mark = markOfRecord(KEY, record(50));
    expect(hasAllSeen(KEY, mark, undefined, true)).toBe(true);
    expect(hasAllSeen(KEY, mark, record(0, newer), true)).toBe(true);
    expect(hasAllSeen(KEY, mark, record(0, newer), false)).toBe(true);
    // A node that stands in, or is being rebuilt, may hold what all the others have let go of.
    expect(hasAllSeen(KEY, mark, record(0, old), false)).toBe(false);
    expect(hasAllSeen(KEY, mark, record(0, old, newer), false)).toBe(false);
    expect(hasAllSeen(KEY, mark, record(50, old, newer), false)).toBe(true);
  });

  test("is all of a state that was settled, of which a copy that is no replica's may lack a part", () => {
    const mark = markOfRecord(KEY, state(50, newer));
    expect(hasAllSeen(KEY, mark, state(0, newer), false)).toBe(false);
    expect(hasAllSeen(KEY, mark, state(0, newer), true)).toBe(true);
    expect(hasAllSeen(KEY, mark, state(50, newer), false)).toBe(true);
  });

  test("joins with what it has seen elsewhere, the later base for both", () => {
    const mark = joinMarks(markOfRecord(KEY, record(30)), markOfRecord(KEY, record(50)));
    expect(hasAllSeen(KEY, mark, record(0, old), false)).toBe(false);
    expect(hasAllSeen(KEY, markOfRecord(KEY, record(30)), record(0, old), false)).toBe(true);
  });
});
