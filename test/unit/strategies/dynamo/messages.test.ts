import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteReader, ByteWriter } from "../../../../src/core/model/bytes.ts";
import { MalformedBytesError } from "../../../../src/core/model/malformed-bytes-error.ts";
import { MAX_HYBRID_TIME, type Stamp } from "../../../../src/core/model/stamp.ts";
import { encodeValue } from "../../../../src/core/model/values.ts";
import { CausalContext } from "../../../../src/strategies/dynamo/causal-context.ts";
import { checkRecord, encodeRecord } from "../../../../src/strategies/dynamo/dotted-record.ts";
import { type DynamoMessage, dynamoCodec } from "../../../../src/strategies/dynamo/messages.ts";
import { keyRecord, splitPayload } from "../../../../src/strategies/leaderless/record.ts";

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
const keyed = fc
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
const deltas = fc
  .tuple(bytes(1), contexts, u32, times, fc.string())
  .map(([key, base, high, newestTime, text]) => {
    const actor = { high, low: 7 };
    const newest = Math.max(base.base, newestTime);
    const time = Math.min(newest + 1, MAX_HYBRID_TIME);
    const dot = { actor, counter: base.counterOf(actor) + 1, time };
    const state = Uint8Array.from(encodeValue(text));
    return { key: Uint8Array.from(key), base, dot, settledTo: newestTime, state };
  });
const messages: fc.Arbitrary<DynamoMessage> = fc.oneof(
  mints,
  fc.record({ type: fc.constant("delta" as const), requestId: u32, delta: deltas }),
  fc.record({ type: fc.constant("gap" as const), requestId: u32 }),
  fc.record({
    type: fc.constant("minted" as const),
    requestId: u32,
    verdict: fc.constant("minted" as const),
    keyed: fc.constant(undefined),
    delta: deltas,
    reason: fc.constant(""),
  }),
  fc.record({ type: fc.constant("recall" as const), requestId: u32, operation: stamps }),
  fc.record({
    type: fc.constant("minted" as const),
    requestId: u32,
    verdict: fc.constant("minted" as const),
    keyed,
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
    keyed,
  }),
);

function encode(message: DynamoMessage): Uint8Array {
  const writer = new ByteWriter();
  dynamoCodec.encode(message, writer);
  return writer.copy();
}

const decode = (frame: Uint8Array) => dynamoCodec.decode(new ByteReader(frame));

describe("messages of the strategy dynamo", () => {
  test("come back from their bytes", () => {
    fc.assert(
      fc.property(messages, (message) => {
        expect(decode(encode(message))).toEqual(message);
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  test("are refused when cut short, or are something that was to come", () => {
    fc.assert(
      fc.property(messages, fc.nat(), (message, at) => {
        const frame = encode(message);
        const cut = frame.subarray(0, at % frame.length);
        let back: DynamoMessage | undefined;
        try {
          back = decode(cut);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedBytesError);
        }
        // Only the value at the end may be cut without notice; frames have a length.
        if (back !== undefined) expect(back.type).toBe("mint");
      }),
      { seed: 2, numRuns: 500 },
    );
  });

  test("carry a record or what was added to it over the wire, and not both", () => {
    const [message] = fc.sample(fc.tuple(keyed, deltas), { seed: 3, numRuns: 1 });
    const [record, delta] = message ?? expect.fail("nothing was drawn");
    const minted = { type: "minted", requestId: 1, verdict: "minted", reason: "" } as const;
    const back = decode(encode({ ...minted, keyed: record, delta }));
    expect(back).toEqual({ ...minted, keyed: undefined, delta });
  });

  test("a delta that its base covers is refused", () => {
    const dot = { actor: { high: 1, low: 1 }, counter: 1, time: 1 };
    const base = CausalContext.of([dot]);
    const state = encodeValue(1);
    const delta = { key: Buffer.from("k"), base, dot, settledTo: 0, state };
    const frame = encode({ type: "delta", requestId: 1, delta });
    expect(() => decode(frame)).toThrow(/its base covers/);
  });

  test.each([
    ["a kind that is not known", Buffer.of(9)],
    ["an event that is not known", (frame: Uint8Array) => frame.fill(7, 30, 31)],
  ])("%s is refused", (_name, frame) => {
    const made = encode({
      type: "mint",
      requestId: 1,
      operation: { time: 1, actorHigh: 1, actorLow: 1 },
      again: false,
      newestTime: 0,
      key: Buffer.from("k"),
      event: { type: "put", value: Buffer.from("v"), seen: undefined },
    });
    const broken = typeof frame === "function" ? frame(made) : frame;
    expect(() => decode(broken)).toThrow(MalformedBytesError);
  });
});
