import fc from "fast-check";
import { MAX_HYBRID_TIME, type Stamp } from "../../../src/core/model/stamp.ts";
import { encodeValue } from "../../../src/core/model/values.ts";
import { CausalContext } from "../../../src/strategies/dynamo/causal-context.ts";
import { checkRecord, encodeRecord } from "../../../src/strategies/dynamo/dotted-record.ts";
import type { DynamoMessage } from "../../../src/strategies/dynamo/messages.ts";
import { keyRecord, splitPayload } from "../../../src/strategies/leaderless/record.ts";

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const bytes = (minLength: number) =>
  fc.uint8Array({ minLength, maxLength: 20 }).map((array) => Buffer.from(array));
const times = fc.integer({ min: 0, max: MAX_HYBRID_TIME - 1 });
const stamps: fc.Arbitrary<Stamp> = fc.record({ time: times, actorHigh: u32, actorLow: u32 });
const contexts = fc
  .array(fc.tuple(u32, u32, fc.integer({ min: 1, max: 2 ** 48 - 1 }), times), { maxLength: 4 })
  .map((dots) =>
    CausalContext.of(
      dots.map(([high, low, counter, time]) => ({ actor: { high, low }, counter, time: time + 1 })),
    ),
  );
export const dottedRecords = fc
  .tuple(bytes(1), contexts, times)
  .map(([key, context, newestTime]) =>
    splitPayload(
      keyRecord(key, encodeRecord({ context, newestTime, siblings: [], states: [] })).payload,
      checkRecord,
    ),
  );

const mints = fc.record({
  type: fc.constant("mint" as const),
  requestId: u32,
  operation: stamps,
  again: fc.boolean(),
  newestTime: times,
  key: bytes(1),
  event: fc.oneof(
    fc.record({
      type: fc.constantFrom("put" as const, "update" as const),
      value: bytes(0),
      seen: fc.option(contexts, { nil: undefined }),
    }),
    fc.record({
      type: fc.constant("put" as const),
      value: bytes(0),
      seen: fc.option(contexts, { nil: undefined }),
      expiresAtMs: fc.maxSafeNat(),
    }),
    fc.record({
      type: fc.constant("delete" as const),
      value: fc.constant(undefined),
      seen: fc.option(contexts, { nil: undefined }),
    }),
  ),
});
export const stateDeltas = fc
  .tuple(bytes(1), contexts, u32, times, fc.string())
  .map(([key, base, high, newestTime, text]) => {
    const actor = { high, low: 7 };
    const newest = Math.max(base.base, newestTime);
    const time = Math.min(newest + 1, MAX_HYBRID_TIME);
    const dot = { actor, counter: base.counterOf(actor) + 1, time };
    const state = Uint8Array.from(encodeValue(text));
    return { key: Uint8Array.from(key), base, dot, settledTo: newestTime, state };
  });
/** What the strategy dynamo says beyond that. */
export const dynamoMessages: fc.Arbitrary<DynamoMessage> = fc.oneof(
  mints,
  fc.record({ type: fc.constant("delta" as const), requestId: u32, delta: stateDeltas }),
  fc.record({ type: fc.constant("gap" as const), requestId: u32 }),
  fc.record({
    type: fc.constant("minted" as const),
    requestId: u32,
    verdict: fc.constant("minted" as const),
    keyed: fc.constant(undefined),
    delta: stateDeltas,
    reason: fc.constant(""),
  }),
  fc.record({ type: fc.constant("recall" as const), requestId: u32, operation: stamps }),
  fc.record({
    type: fc.constant("minted" as const),
    requestId: u32,
    verdict: fc.constant("minted" as const),
    keyed: dottedRecords,
    reason: fc.constant(""),
  }),
  fc.record({
    type: fc.constant("minted" as const),
    requestId: u32,
    verdict: fc.constantFrom("known" as const, "forgotten" as const, "too-many-siblings" as const),
    keyed: fc.constant(undefined),
    reason: fc.string({ maxLength: 20 }),
  }),
  fc.record({
    type: fc.constant("write" as const),
    requestId: u32,
    kind: fc.constantFrom("write-back" as const, "repair" as const),
    proof: fc.constant(undefined),
    keyed: dottedRecords,
  }),
);
