import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader, ByteWriter } from "../../../../src/core/model/bytes.ts";
import {
  checkMessages,
  clusterTagOf,
  FRAME_HEADER_BYTES,
  FRAME_VERSION,
  MESSAGE_HEADER_BYTES,
  newFrameHeader,
  newMessageHeader,
  patchFrameSequence,
  patchMessageLength,
  readFrameHeader,
  readMessageHeader,
  writeFrameHeader,
  writeMessageHeader,
} from "../../../../src/core/model/frames.ts";
import { MalformedBytesError } from "../../../../src/core/model/malformed-bytes-error.ts";

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const role = fc.constantFrom("replica" as const, "coordinator" as const, "watch" as const);
const message = fc.record({
  role,
  keyspaceHash: u32,
  shardIndex: fc.integer({ min: 0, max: 0xffff }),
  body: fc.uint8Array({ maxLength: 50 }),
});

function frameOf(
  messages: readonly {
    body: Uint8Array;
    role: "replica" | "coordinator" | "watch";
    keyspaceHash: number;
    shardIndex: number;
  }[],
): Uint8Array {
  const writer = new ByteWriter();
  writeFrameHeader(writer, "messages", 1, 2, 3);
  for (const each of messages) {
    const start = writer.length;
    writeMessageHeader(writer, each.role, each.keyspaceHash, each.shardIndex);
    writer.raw(each.body);
    patchMessageLength(writer, start);
  }
  return writer.copy();
}

describe("frames", () => {
  it("carry their header unchanged", () => {
    const kind = fc.constantFrom("hello" as const, "messages" as const);
    fc.assert(
      fc.property(kind, u32, u32, u32, (frameKind, clusterTag, sender, receiverTag) => {
        const senderTag = sender || 1;
        const writer = new ByteWriter();
        writeFrameHeader(writer, frameKind, clusterTag, senderTag, receiverTag);
        expect(writer.length).toBe(FRAME_HEADER_BYTES);
        const header = newFrameHeader();
        readFrameHeader(new ByteReader(writer.copy()), header);
        expect(header).toEqual({
          ...{ kind: frameKind, clusterTag, senderTag, receiverTag },
          sequence: 0,
        });
      }),
    );
  });

  it("carry messages with their addresses unchanged, and pass their own check", () => {
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 8 }), (messages) => {
        const frame = frameOf(messages);
        const reader = new ByteReader();
        reader.reset(frame, FRAME_HEADER_BYTES, frame.length);
        checkMessages(reader, frame);
        expect(reader.remaining).toBe(0);

        reader.reset(frame, FRAME_HEADER_BYTES, frame.length);
        for (const { body, ...address } of messages) {
          const header = newMessageHeader();
          expect(readMessageHeader(reader, header)).toBe(body.length);
          expect(header).toEqual(address);
          expect([...reader.raw(body.length)]).toEqual([...body]);
        }
        reader.end();
      }),
    );
  });

  it("spend 18 bytes on a frame and 11 on a message, whose layout is fixed", () => {
    const writer = new ByteWriter();
    writeFrameHeader(writer, "messages", 0x01020304, 0x05060708, 0x090a0b0c);
    writeMessageHeader(writer, "coordinator", 0x11121314, 0x1516);
    writer.u8(0x77);
    patchMessageLength(writer, FRAME_HEADER_BYTES);
    patchFrameSequence(writer, 0x0d0e0f10);
    expect(Buffer.from(writer.copy()).toString("hex")).toBe(
      "01020102030405060708090a0b0c0d0e0f10" + "0111121314151600000001" + "77",
    );
    expect(FRAME_HEADER_BYTES + MESSAGE_HEADER_BYTES + 1).toBe(writer.length);
  });

  it.each([
    ["another version", (frame: Buffer) => frame.writeUInt8(FRAME_VERSION + 1, 0)],
    ["an unknown kind", (frame: Buffer) => frame.writeUInt8(3, 1)],
    ["no sender", (frame: Buffer) => frame.writeUInt32BE(0, 6)],
  ])("with %s are malformed", (_what, damage) => {
    const frame = Buffer.from(frameOf([]));
    damage(frame);
    expect(() => readFrameHeader(new ByteReader(frame), newFrameHeader())).toThrow(
      MalformedBytesError,
    );
  });

  it("cut anywhere fail their check, but at a message's end", () => {
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 4 }), fc.nat(), (messages, n) => {
        const frame = frameOf(messages);
        const ends = new Set<number>();
        let end = FRAME_HEADER_BYTES;
        for (const { body } of messages) {
          end += MESSAGE_HEADER_BYTES + body.length;
          ends.add(end);
        }
        const length = FRAME_HEADER_BYTES + (n % (frame.length - FRAME_HEADER_BYTES));
        const cut = frame.subarray(0, length);
        const reader = new ByteReader();
        reader.reset(cut, FRAME_HEADER_BYTES, cut.length);
        if (ends.has(length)) checkMessages(reader, cut);
        else expect(() => checkMessages(reader, cut)).toThrow(MalformedBytesError);
      }),
    );
  });

  it("tell clusters apart by name", () => {
    expect(clusterTagOf("orders")).toBe(clusterTagOf("orders"));
    expect(clusterTagOf("orders")).not.toBe(clusterTagOf("carts"));
  });
});
