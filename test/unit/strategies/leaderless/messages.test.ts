import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteReader, ByteWriter } from "../../../../src/core/model/bytes.ts";
import { MalformedBytesError } from "../../../../src/core/model/malformed-bytes-error.ts";
import { MAX_HYBRID_TIME, type Stamp } from "../../../../src/core/model/stamp.ts";
import {
  type LeaderlessMessage,
  leaderlessCodec,
} from "../../../../src/strategies/leaderless/messages.ts";
import { makeKeyedRecord } from "../../../../src/strategies/leaderless/record.ts";

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
  }),
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
    });
    Buffer.from(reply.buffer, reply.byteOffset).writeUInt32BE(0xffff_ffff, reply.length - 4);
    expect(() => decoded(reply)).toThrow(/4294967295 entries/);
  });
});
