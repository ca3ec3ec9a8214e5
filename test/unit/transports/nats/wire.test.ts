import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  acknowledgement,
  denialOf,
  greeting,
  isEarlierLink,
  NO_FRAME,
  newMessageHeader,
  readMessage,
  STREAM_HEADER_BYTES,
  writeStreamHeader,
} from "../../../../src/transports/nats/wire.ts";

const OWN = { start: 0x01020304, generation: 5 };
const THEIRS = { start: 0xfffefdfc, generation: 0x80000001 };
const LINKS_HEX = "0102030400000005fffefdfc80000001";

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function streamMessage(
  position: number,
  firstFrameAt: number,
  body: readonly number[],
): Uint8Array {
  const message = new Uint8Array(STREAM_HEADER_BYTES + body.length);
  writeStreamHeader(message, 0, OWN, THEIRS, { asking: true, position, firstFrameAt });
  message.set(body, STREAM_HEADER_BYTES);
  return message;
}

describe("a message on the wire", () => {
  test("has the bytes that this version has always had", () => {
    expect(hex(greeting("hello", OWN, THEIRS))).toBe(`0101${LINKS_HEX}`);
    expect(hex(greeting("bye", OWN, THEIRS))).toBe(`0102${LINKS_HEX}`);
    const acknowledged = acknowledgement(OWN, THEIRS, "bulk", 0x123456789abc);
    expect(hex(acknowledged)).toBe(`0103${LINKS_HEX}02123456789abc`);
    const piece = streamMessage(0x123456789abc, 1, [7, 8]);
    const denial = denialOf(OWN, THEIRS, "identity-forked");
    expect(hex(denial)).toBe(`0106${LINKS_HEX}02`);
    expect(hex(piece)).toBe(`0105${LINKS_HEX}123456789abc000000010708`);
  });

  test("is read as it was written", () => {
    const header = newMessageHeader();
    expect(readMessage(greeting("bye", OWN, THEIRS), header)).toBeUndefined();
    expect(header).toMatchObject({ kind: "bye", sender: OWN, receiver: THEIRS });
    expect(readMessage(acknowledgement(OWN, THEIRS, "log", 2 ** 47), header)).toBeUndefined();
    expect(header).toMatchObject({ kind: "acknowledgement", lane: "log", position: 2 ** 47 });
    expect(readMessage(denialOf(OWN, THEIRS, "identity-conflict"), header)).toBeUndefined();
    expect(header).toMatchObject({ kind: "denial", denial: "identity-conflict", receiver: THEIRS });
    expect(readMessage(streamMessage(9, NO_FRAME, []), header)).toBeUndefined();
    expect(header).toMatchObject({ kind: "stream-asking", position: 9, firstFrameAt: NO_FRAME });
  });

  test.each([
    ["nothing", [], "0 bytes are no message"],
    ["one that is cut off", [...greeting("hello", OWN, THEIRS)].slice(0, 17), "17 bytes"],
    ["one that is too long", [...greeting("hello", OWN, THEIRS), 0], "hello of 19 bytes, not 18"],
    ["another version", [2, ...greeting("hello", OWN, THEIRS).subarray(1)], "version 2"],
    ["an unknown kind", [1, 7, ...greeting("hello", OWN, THEIRS).subarray(2)], "kind 7"],
    [
      "an unknown denial",
      [...denialOf(OWN, THEIRS, "identity-taken").subarray(0, 18), 3],
      "denial 3",
    ],
    ["a denial of nothing", [1, 6, ...greeting("hello", OWN, THEIRS).subarray(2)], "denial of 18"],
    ["kind 0", [1, 0, ...greeting("hello", OWN, THEIRS).subarray(2)], "kind 0"],
    ["no sender", [1, 1, ...new Array(16).fill(0)], "without its sender's link"],
    [
      "an unknown lane",
      [1, 3, ...greeting("bye", OWN, OWN).subarray(2), 3, 0, 0, 0, 0, 0, 0],
      "lane 3",
    ],
    ["half a stream header", [...streamMessage(0, 0, [1])].slice(0, 27), "in 27 bytes"],
    ["a frame beyond the end", [...streamMessage(0, 1, [1])], "a frame begins at 1 of 1 bytes"],
  ])("%s is refused, with a reason", (_what, bytes, reason) => {
    expect(readMessage(Uint8Array.from(bytes), newMessageHeader())).toContain(reason);
  });

  test("of random bytes never makes the reader throw", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 60 }),
        fc.integer({ min: 0, max: 7 }),
        (bytes, kind) => {
          const message = Uint8Array.from([1, kind, ...bytes]);
          const fault = readMessage(message, newMessageHeader());
          expect(fault === undefined || fault.length > 0).toBe(true);
        },
      ),
    );
  });
});

test("links of one process are ordered, those of two are not", () => {
  expect(isEarlierLink({ start: 1, generation: 1 }, { start: 1, generation: 2 })).toBe(true);
  expect(isEarlierLink({ start: 1, generation: 2 }, { start: 1, generation: 2 })).toBe(false);
  expect(isEarlierLink({ start: 2, generation: 1 }, { start: 1, generation: 2 })).toBe(false);
  expect(isEarlierLink({ start: 2, generation: 1 }, undefined)).toBe(false);
});
