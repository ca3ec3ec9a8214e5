import { beforeEach, describe, expect, test } from "vitest";
import type { MessageCodec } from "../../../../../src/core/contracts/machine.ts";
import type { Transport } from "../../../../../src/core/contracts/transport.ts";
import { ByteReader } from "../../../../../src/core/model/bytes.ts";
import {
  newFrameHeader,
  newMessageHeader,
  readFrameHeader,
  readMessageHeader,
} from "../../../../../src/core/model/frames.ts";
import { FilteredTransport } from "../../../../../src/core/store/peers/filtered-transport.ts";
import { LaneQueue } from "../../../../../src/core/store/peers/lane-queue.ts";
import { VirtualEnvironment } from "../../../../support/virtual-environment.ts";
import { nodeId } from "./world.ts";

const TAGS = { cluster: 1, sender: 2, receiver: 3 };
const ROOM = 100_000;

/** Texts of one letter, of which one message says those of the same case. */
const letters: MessageCodec<string> = {
  encode: (text, writer) => writer.string(text),
  addTo: (last, text, writer) => {
    if (isUpper(last) !== isUpper(text)) return false;
    writer.string(text);
    return true;
  },
  decode: (reader) => {
    let texts = "";
    while (reader.remaining > 0) texts += reader.string();
    return texts;
  },
};

function isUpper(text: string): boolean {
  return text === text.toUpperCase();
}

describe("LaneQueue", () => {
  let frames: { readonly shardIndex: number; readonly text: string }[][];
  let lengths: number[];

  beforeEach(() => {
    frames = [];
    lengths = [];
  });

  function queue(targetBytes = 1_000): LaneQueue {
    const send = (_peer: string, frame: Uint8Array) => {
      const reader = new ByteReader(frame);
      readFrameHeader(reader, newFrameHeader());
      const messages = [];
      while (reader.remaining > 0) {
        const address = newMessageHeader();
        const length = readMessageHeader(reader, address);
        const text = letters.decode(new ByteReader(reader.raw(length)));
        messages.push({ shardIndex: address.shardIndex, text });
      }
      frames.push(messages);
      lengths.push(frame.length);
      return "accepted";
    };
    const wire = { send } as unknown as Transport;
    const filtered = new FilteredTransport(
      wire,
      undefined,
      new VirtualEnvironment(),
      () => undefined,
    );
    const limits = { firstBytes: targetBytes, targetBytes, maxBytes: 4_000 };
    return new LaneQueue(filtered, nodeId("b"), "log", limits);
  }

  function add(
    to: LaneQueue,
    text: string,
    { role = "coordinator" as "coordinator" | "replica", keyspaceHash = 7, shardIndex = 0 } = {},
    codec = letters,
  ): void {
    expect(to.add(TAGS, ROOM, { role, keyspaceHash, shardIndex }, codec, text)).toBe("queued");
  }

  test("makes one message of those for a coordinator that its codec adds to each other", () => {
    const log = queue();
    add(log, "a", { shardIndex: 4 });
    add(log, "b", { shardIndex: 5 });
    add(log, "C");
    add(log, "D");
    add(log, "e");
    log.flush();
    expect(frames).toEqual([
      [
        { shardIndex: 4, text: "ab" },
        { shardIndex: 0, text: "CD" },
        { shardIndex: 0, text: "e" },
      ],
    ]);
  });

  test.each([
    ["of another keyspace", { keyspaceHash: 8 }, letters],
    ["to a replica", { role: "replica" as const }, letters],
    ["whose codec adds nothing", {}, { encode: letters.encode, decode: letters.decode }],
  ])("leaves a message %s by itself, and what comes behind it", (_name, address, codec) => {
    const log = queue();
    add(log, "a");
    add(log, "b", address, codec);
    add(log, "c");
    log.flush();
    expect(frames[0]?.map(({ text }) => text)).toEqual(["a", "b", "c"]);
  });

  test("adds nothing to a message that has left, or was dropped", () => {
    const log = queue();
    add(log, "a");
    log.flush();
    add(log, "b");
    log.drop();
    add(log, "c");
    log.flush();
    expect(frames.flat().map(({ text }) => text)).toEqual(["a", "c"]);
  });

  test("lets no frame grow beyond its target by what is added", () => {
    const log = queue(200);
    const said = "abcdefgh".repeat(60);
    for (const letter of said) add(log, letter);
    log.flush();
    expect(
      frames
        .flat()
        .map(({ text }) => text)
        .join(""),
    ).toBe(said);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(200);
    expect(frames.flat().length).toBeLessThan(said.length / 3);
  });

  test("hands over a message that is longer than the first frame is to be, and the rest behind it", () => {
    const log = queue(100);
    const long = "a".repeat(100);
    add(log, long);
    expect(frames).toHaveLength(1);
    // The next frame may have twice that length, if the transport takes it.
    add(log, "b");
    add(log, "c", { shardIndex: 1 });
    expect(frames).toHaveLength(1);
    log.flush();
    expect(frames.map((frame) => frame.map(({ text }) => text))).toEqual([[long], ["bc"]]);
  });

  test("keeps the order where the transport takes nothing", () => {
    let isFull = true;
    const taken: number[] = [];
    const wire = {
      send: (_peer: string, frame: Uint8Array) => {
        if (isFull) return "saturated";
        taken.push(frame.length);
        return "accepted";
      },
    } as unknown as Transport;
    const environment = new VirtualEnvironment();
    const filtered = new FilteredTransport(wire, undefined, environment, () => undefined);
    const limits = { firstBytes: 100, targetBytes: 100, maxBytes: 4_000 };
    const log = new LaneQueue(filtered, nodeId("b"), "log", limits);
    for (const length of [200, 300, 400]) add(log, "a".repeat(length), { role: "replica" });
    log.flush();
    expect(taken).toEqual([]);
    isFull = false;
    log.onWritable();
    expect(taken).toHaveLength(3);
    expect(taken).toEqual([...taken].sort((a, b) => a - b));
  });

  test("adds to what a refused message has left behind as if that had not come", () => {
    const log = queue();
    add(log, "a");
    const refused = log.add(
      ...([TAGS, 10, { role: "coordinator", keyspaceHash: 7, shardIndex: 0 }] as const),
      ...([letters, "b"] as const),
    );
    expect(refused).toBe("saturated");
    add(log, "c");
    log.flush();
    expect(frames.flat().map(({ text }) => text)).toEqual(["ac"]);
  });
});
