import { expect, test } from "vitest";
import type { Operation } from "../../../../src/core/model/operations.ts";
import { joinMarks, type SessionMark } from "../../../../src/core/model/session-token.ts";
import { makeKeyedRecord } from "../../../../src/strategies/leaderless/record.ts";
import { floorRecordOf } from "../../../../src/strategies/leaderless/settling/stamped-settling.ts";
import { stampedRules } from "../../../../src/strategies/leaderless/stamped-rules.ts";
import { markOfRecord, shownInSession } from "../../../../src/strategies/tunable/session-stamps.ts";

const KEY = Buffer.from("key");
const EXPIRY_MS = 1_795_000_000_000;

function recordOf(time: number, actorHigh: number, expiresAtMs?: number): Uint8Array {
  return makeKeyedRecord(KEY, { time, actorHigh, actorLow: 5 }, Buffer.from("v"), expiresAtMs)
    .record;
}

function shown(mark: SessionMark, record: Uint8Array | undefined, key: Uint8Array = KEY) {
  return shownInSession({ key, options: { session: mark } } as unknown as Operation, record);
}

test("a session is shown what it has seen and what is newer, and nothing older", () => {
  const seen = markOfRecord(KEY, recordOf(10, 7));
  for (const [time, actor] of [
    [10, 7],
    [10, 8],
    [11, 0],
  ] as const) {
    const record = recordOf(time, actor);
    expect(shown(seen, record)).toEqual({ record });
  }
  for (const [time, actor] of [
    [9, 9],
    [10, 6],
  ] as const) {
    expect(shown(seen, recordOf(time, actor))).toBeUndefined();
  }
  expect(shown(seen, undefined)).toBeUndefined();
  expect(shown(seen, undefined, Buffer.from("another"))).toEqual({ record: undefined });
});

test("of one key a session keeps the newest stamp alone", () => {
  const older = markOfRecord(KEY, recordOf(10, 0xffff_ffff));
  const newer = markOfRecord(KEY, recordOf(11, 1));
  const both = joinMarks(older, newer);
  expect([...both]).toEqual([...newer]);
  expect([...joinMarks(newer, older)]).toEqual([...newer]);
});

test("what a session has seen expire it is shown as expired", () => {
  const full = recordOf(10, 7, EXPIRY_MS);
  const over = stampedRules.expire(full, EXPIRY_MS);
  const seen = joinMarks(markOfRecord(KEY, full), markOfRecord(KEY, over));
  expect(shown(seen, full)?.record).toEqual(over);
  expect(shown(seen, over)?.record).toEqual(over);
  expect(shown(markOfRecord(KEY, full), full)?.record).toBe(full);
  const newer = recordOf(11, 7, EXPIRY_MS);
  expect(shown(seen, newer)?.record).toBe(newer);
});

test("where a session has seen a deletion, nothing at all is as good as the deletion", () => {
  const { record } = makeKeyedRecord(KEY, { time: 10, actorHigh: 7, actorLow: 5 }, undefined);
  const seen = markOfRecord(KEY, record);
  expect(shown(seen, undefined)).toEqual({ record: undefined });
  expect(shown(seen, record)?.record).toBe(record);
  expect(shown(seen, recordOf(9, 9))).toBeUndefined();
});

test("a session that was shown a floor is shown it again where a replica's floor is lower", () => {
  const floor = floorRecordOf(10);
  const seen = markOfRecord(KEY, floor);
  const { record: deletion } = makeKeyedRecord(
    KEY,
    { time: 9, actorHigh: 7, actorLow: 5 },
    undefined,
  );
  for (const lower of [floorRecordOf(8), deletion]) {
    expect(shown(seen, lower)?.record).toEqual(floor);
  }
  expect(shown(seen, undefined)).toEqual({ record: undefined });
  const higher = floorRecordOf(11);
  expect(shown(seen, higher)?.record).toBe(higher);
  expect(shown(seen, recordOf(11, 7))).toEqual({ record: recordOf(11, 7) });
  expect(shown(seen, recordOf(9, 7))).toBeUndefined();
  const written = markOfRecord(KEY, recordOf(10, 7));
  expect(shown(written, floorRecordOf(8))).toBeUndefined();
});
