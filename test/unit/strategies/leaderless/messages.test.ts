import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteReader, ByteWriter } from "../../../../src/core/model/bytes.ts";
import { MalformedBytesError } from "../../../../src/core/model/malformed-bytes-error.ts";
import { MAX_HYBRID_TIME, type Stamp } from "../../../../src/core/model/stamp.ts";
import { Summary } from "../../../../src/strategies/leaderless/anti-entropy/fingerprint.ts";
import {
  type LeaderlessMessage,
  leaderlessCodec,
} from "../../../../src/strategies/leaderless/messages.ts";
import { makeKeyedRecord } from "../../../../src/strategies/leaderless/record.ts";
import { stampedRules } from "../../../../src/strategies/leaderless/stamped-rules.ts";

const SEED = { seed: 1, numRuns: 1_000 };
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

const messages: fc.Arbitrary<LeaderlessMessage> = fc.oneof(
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

function encoded(message: LeaderlessMessage): Uint8Array {
  const writer = new ByteWriter();
  leaderlessCodec.encode(message, writer);
  return writer.copy();
}

function decoded(bytes: Uint8Array): LeaderlessMessage {
  return leaderlessCodec.decode(new ByteReader(bytes)) as LeaderlessMessage;
}

/** What the comparison is about, without who owns which buffer. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_name, each) => (each instanceof Uint8Array ? hex(each) : each)),
  );
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

describe("messages", () => {
  test("come back as they went in", () => {
    fc.assert(
      fc.property(messages, (message) => {
        const buffersAsData = (each: LeaderlessMessage) =>
          JSON.stringify(plain(JSON.parse(JSON.stringify(each))));
        expect(buffersAsData(decoded(encoded(message)))).toBe(buffersAsData(message));
      }),
      SEED,
    );
  });

  test("what is decoded does not change with the frame that it came in", () => {
    fc.assert(
      fc.property(messages, (message) => {
        const frame = encoded(message);
        const before = decoded(frame);
        const snapshot = JSON.stringify(before);
        frame.fill(0xee);
        expect(JSON.stringify(before)).toBe(snapshot);
      }),
      SEED,
    );
  });
});

describe("malformed bytes", () => {
  function expectRefusalAtMost(bytes: Uint8Array): void {
    try {
      decoded(bytes);
    } catch (error) {
      expect(error).toBeInstanceOf(MalformedBytesError);
    }
  }

  test("anything at all is decoded or refused as malformed", () => {
    const kinds = fc.integer({ min: 0, max: 8 });
    fc.assert(
      fc.property(kinds, fc.uint8Array({ maxLength: 80 }), (kind, rest) => {
        expectRefusalAtMost(Buffer.from([kind, ...rest]));
      }),
      { ...SEED, numRuns: 3_000 },
    );
  });

  test("a message with one byte changed, too", () => {
    fc.assert(
      fc.property(messages, fc.nat(), fc.nat({ max: 255 }), (message, at, byte) => {
        const bytes = encoded(message);
        bytes[at % bytes.length] = byte;
        expectRefusalAtMost(bytes);
      }),
      SEED,
    );
  });

  test("every cut is refused, unless a value is what is cut", () => {
    fc.assert(
      fc.property(messages, fc.nat(), (message, at) => {
        const bytes = encoded(message);
        const cut = bytes.subarray(0, at % bytes.length);
        const hasTail = ["write", "read", "read-reply"].includes(message.type);
        if (hasTail) expectRefusalAtMost(cut);
        else expect(() => decoded(cut)).toThrow(MalformedBytesError);
      }),
      SEED,
    );
  });

  test("trailing bytes, where a message has an end", () => {
    const ack = encoded({
      type: "write-ack",
      requestId: 1,
      verdict: "stored",
      serving: true,
      stamp: undefined,
    });
    expect(() => decoded(Buffer.concat([ack, Buffer.of(0)]))).toThrow(MalformedBytesError);
  });

  test("a count of entries that no frame could hold", () => {
    const reply = encoded({
      type: "range-reply",
      requestId: 1,
      purpose: "scan",
      serving: true,
      entries: [],
      more: false,
      floor: 0,
      reapable: 0,
    });
    Buffer.from(reply.buffer, reply.byteOffset).writeUInt32BE(0xffff_ffff, reply.length - 4);
    expect(() => decoded(reply)).toThrow(/4294967295 entries/);
  });
});
