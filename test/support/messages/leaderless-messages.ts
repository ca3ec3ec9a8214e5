import fc from "fast-check";
import { MAX_HYBRID_TIME, type Stamp } from "../../../src/core/model/stamp.ts";
import { Summary } from "../../../src/strategies/leaderless/anti-entropy/fingerprint.ts";
import type { LeaderlessMessage } from "../../../src/strategies/leaderless/messages.ts";
import { makeKeyedRecord } from "../../../src/strategies/leaderless/record.ts";
import { stampedRules } from "../../../src/strategies/leaderless/stamped-rules.ts";

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const buffers = (minLength: number) =>
  fc.uint8Array({ minLength, maxLength: 30 }).map((bytes) => Buffer.from(bytes));
const stamps: fc.Arbitrary<Stamp> = fc.record({
  time: fc.integer({ min: 0, max: MAX_HYBRID_TIME }),
  actorHigh: u32,
  actorLow: u32,
});
const option = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const keyed = fc
  .tuple(buffers(1), stamps, option(buffers(0)))
  .map(([key, stamp, value]) => makeKeyedRecord(key, stamp, value));
const purposes = fc.constantFrom("scan" as const, "rebuild" as const);
const serving = fc.boolean();

const times = fc.integer({ min: 0, max: MAX_HYBRID_TIME });
const settle = { type: fc.constant("settle" as const), requestId: u32, upTo: times };
const sums = fc.tuple(u32, u32, u32).map(([count, high, low]) => {
  return Object.assign(new Summary(), { count, high, low });
});
const settles: fc.Arbitrary<LeaderlessMessage> = fc.oneof(
  fc.record({ ...settle, step: fc.constant("promise" as const), epoch: u32, reapable: times }),
  fc.record({
    ...settle,
    step: fc.constant("promised" as const),
    verdict: fc.constantFrom("promised" as const, "rebuilding" as const, "ahead" as const),
    copies: u32,
    fence: times,
    reapable: times,
  }),
  fc.record({
    ...settle,
    step: fc.constant("span" as const),
    after: times,
    span: fc.constantFrom(
      { from: undefined, to: undefined },
      { from: Buffer.from("a"), to: Buffer.from("b") },
    ),
    sum: sums,
  }),
  fc.record({
    ...settle,
    step: fc.constant("spanned" as const),
    verdict: fc.constantFrom("equal" as const, "differs" as const, "void" as const),
    to: option(buffers(1)),
  }),
  fc.record({ ...settle, step: fc.constant("adopt" as const) }),
  fc.record({
    ...settle,
    step: fc.constant("adopted" as const),
    verdict: fc.constantFrom("adopted" as const, "void" as const),
  }),
  fc.record({ ...settle, step: fc.constant("reap" as const), reapable: times }),
);

/** What coordinators and replicas of leaderless keyspaces say to each other. */
export const leaderlessMessages: fc.Arbitrary<LeaderlessMessage> = fc.oneof(
  fc.record({
    type: fc.constant("write" as const),
    requestId: u32,
    kind: fc.constantFrom("first-hand" as const, "write-back" as const, "repair" as const),
    proof: option(stamps),
    keyed,
  }),
  fc.record({
    type: fc.constant("write-ack" as const),
    requestId: u32,
    verdict: fc.constantFrom(
      "stored" as const,
      "equal" as const,
      "newer" as const,
      "skewed" as const,
      "reused" as const,
    ),
    serving,
    stamp: option(stamps),
  }),
  fc.record({
    type: fc.constant("write-ack" as const),
    requestId: u32,
    verdict: fc.constantFrom("stored" as const, "equal" as const),
    serving,
    stamp: fc.constant(undefined),
    others: fc.array(u32, { minLength: 1, maxLength: 5 }),
  }),
  fc.record({
    type: fc.constant("read" as const),
    requestId: u32,
    stampOnly: fc.boolean(),
    key: buffers(1),
  }),
  fc.record({
    type: fc.constant("read-reply" as const),
    requestId: u32,
    serving,
    record: option(keyed.map(({ record }) => record)),
  }),
  fc.record({
    type: fc.constant("read" as const),
    requestId: u32,
    stampOnly: fc.constant(false),
    digestAbove: u32,
    key: buffers(1),
  }),
  fc.record({
    type: fc.constant("read-reply" as const),
    requestId: u32,
    serving,
    record: keyed.map(({ record }) => stampedRules.summaryOf(record)),
    fullBytes: u32,
  }),
  fc.record({
    type: fc.constant("range" as const),
    requestId: u32,
    purpose: purposes,
    from: option(buffers(0)),
    to: option(buffers(0)),
    limitBytes: u32,
    limitEntries: u32,
  }),
  fc.record({
    type: fc.constant("range-reply" as const),
    requestId: u32,
    purpose: purposes,
    serving,
    entries: fc.array(keyed, { maxLength: 5 }),
    more: fc.boolean(),
    floor: fc.integer({ min: 1, max: MAX_HYBRID_TIME }),
    reapable: times,
  }),
  settles,
);
