import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteReader, ByteWriter } from "../../../../src/core/model/bytes.ts";
import type { Epoch } from "../../../../src/core/model/ids.ts";
import { MalformedBytesError } from "../../../../src/core/model/malformed-bytes-error.ts";
import {
  type LeaderlessMessage,
  leaderlessCodec,
  type WriteAck,
} from "../../../../src/strategies/leaderless/messages.ts";
import { leaderlessMessages } from "../../../support/messages/leaderless-messages.ts";

const SEED = { seed: 1, numRuns: 1_000 };
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
      fc.property(leaderlessMessages, (message) => {
        const buffersAsData = (each: LeaderlessMessage) =>
          JSON.stringify(plain(JSON.parse(JSON.stringify(each))));
        expect(buffersAsData(decoded(encoded(message)))).toBe(buffersAsData(message));
      }),
      SEED,
    );
  });

  test("what is decoded does not change with the frame that it came in", () => {
    fc.assert(
      fc.property(leaderlessMessages, (message) => {
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

test("an acknowledgement of what was handed over says which of it was not taken", () => {
  const ack = { type: "handoff-ack", requestId: 7 } as const;
  expect(decoded(encoded(ack))).toEqual(ack);
  expect(decoded(encoded({ ...ack, refused: [0, 1_023] }))).toEqual({
    ...ack,
    refused: [0, 1_023],
  });
});

describe("acknowledgements", () => {
  const ack = (requestId: number, more: Partial<WriteAck> = {}): WriteAck => ({
    ...{ type: "write-ack", requestId, verdict: "stored", serving: true, stamp: undefined },
    ...more,
  });
  const STAMP = { time: 5, actorHigh: 1, actorLow: 2 };

  test("that say the same of several requests are one message", () => {
    const writer = new ByteWriter();
    leaderlessCodec.encode(ack(7), writer);
    expect(leaderlessCodec.addTo?.(ack(7), ack(0xffff_fffe), writer)).toBe(true);
    expect(leaderlessCodec.addTo?.(ack(7), ack(9), writer)).toBe(true);
    expect(decoded(writer.copy())).toEqual(ack(7, { others: [0xffff_fffe, 9] }));
  });

  test.each([
    ["another verdict", ack(1), ack(2, { verdict: "equal" })],
    ["a replica that counts and one that does not", ack(1), ack(2, { serving: false })],
    ["a stamp", ack(1), ack(2, { stamp: STAMP })],
    ["a stamp before it", ack(1, { stamp: STAMP }), ack(2)],
    ["another message", ack(1), { type: "handoff-ack", requestId: 2 } as const],
    ["another message before it", { type: "handoff-ack", requestId: 2 } as const, ack(1)],
    ["who holds the shard", ack(1), { type: "place-wanted", epoch: 2 as Epoch } as const],
  ])("are messages of their own with %s", (_name, last, message) => {
    const writer = new ByteWriter();
    leaderlessCodec.encode(last, writer);
    const before = writer.length;
    expect(leaderlessCodec.addTo?.(last, message, writer)).toBe(false);
    expect(writer.length).toBe(before);
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
      fc.property(leaderlessMessages, fc.nat(), fc.nat({ max: 255 }), (message, at, byte) => {
        const bytes = encoded(message);
        bytes[at % bytes.length] = byte;
        expectRefusalAtMost(bytes);
      }),
      SEED,
    );
  });

  test("every cut is refused, unless a value is what is cut", () => {
    fc.assert(
      fc.property(leaderlessMessages, fc.nat(), (message, at) => {
        const bytes = encoded(message);
        const cut = bytes.subarray(0, at % bytes.length);
        const hasTail =
          ["write", "read", "read-reply"].includes(message.type) || "others" in message;
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
