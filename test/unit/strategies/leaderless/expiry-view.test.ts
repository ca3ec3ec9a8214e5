import { expect, test } from "vitest";
import { HybridClock } from "../../../../src/core/model/hybrid-clock.ts";
import { HYBRID_EPOCH_MS } from "../../../../src/core/model/stamp.ts";
import { ExpiryView } from "../../../../src/strategies/leaderless/expiry-view.ts";
import { expireRecord, makeKeyedRecord } from "../../../../src/strategies/leaderless/record.ts";
import { stampedRules } from "../../../../src/strategies/leaderless/stamped-rules.ts";

const NOW_MS = HYBRID_EPOCH_MS + 1_000_000;
const MAX_SKEW_MS = 10_000;
const STAMP = { time: 1, actorHigh: 0, actorLow: 1 };

function valueUntil(expiresAtMs: number): Uint8Array {
  return makeKeyedRecord(Buffer.from("key"), STAMP, Buffer.from("value"), expiresAtMs).record;
}

function viewAt(wallMs: number): ExpiryView {
  const view = new ExpiryView(
    stampedRules,
    new HybridClock({ actor: { high: 0, low: 1 }, maxSkewMs: MAX_SKEW_MS }),
  );
  view.wallMs = wallMs;
  return view;
}

test("what a replica whose clock is ahead has shown as expired is not shown again from another copy", () => {
  const view = viewAt(NOW_MS);
  const record = valueUntil(NOW_MS + 1_000);
  expect(view.at(record)).toBe(record);
  const tombstone = expireRecord(record, NOW_MS + 1_000);
  expect(view.at(tombstone)).toEqual(tombstone);
  expect(view.at(record)).toEqual(tombstone);
  expect(view.now(record, { monotonicMs: () => 0, wallMs: () => NOW_MS })).toEqual(tombstone);
  const later = valueUntil(NOW_MS + 1_001);
  expect(view.at(later)).toBe(later);
});

test("an expiry further ahead than clocks may differ moves no clock", () => {
  const view = viewAt(NOW_MS);
  const far = valueUntil(NOW_MS + MAX_SKEW_MS + 1_000);
  view.at(expireRecord(far, NOW_MS + MAX_SKEW_MS + 1_000));
  expect(view.at(far)).toBe(far);
  const near = valueUntil(NOW_MS + 1_000);
  expect(view.at(near)).toBe(near);
});
