import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { IncomingStream } from "../../../../src/transports/nats/incoming-stream.ts";
import {
  OutgoingStream,
  type StreamLimits,
} from "../../../../src/transports/nats/outgoing-stream.ts";
import {
  NO_FRAME,
  newMessageHeader,
  readMessage,
  STREAM_HEADER_BYTES,
} from "../../../../src/transports/nats/wire.ts";

const ENDS = { own: { start: 1, generation: 1 }, theirs: { start: 2, generation: 1 } };
const MAX_FRAME_BYTES = 1_000_000;

/** A stream of its own whose messages are kept. */
class Sender {
  readonly messages: Uint8Array[] = [];
  readonly stream: OutgoingStream;

  constructor(limits: Partial<StreamLimits> = {}) {
    const defaults = { chunkBytes: 200, windowBytes: 1e9, maxBufferedBytes: 1e9 };
    this.stream = new OutgoingStream({ ...defaults, ...limits }, (message) =>
      this.messages.push(message),
    );
  }

  send(...frames: readonly Uint8Array[]): this {
    for (const frame of frames) expect(this.stream.append(frame)).toBe(true);
    this.stream.pump(ENDS);
    return this;
  }
}

class Receiver {
  readonly frames: Uint8Array[] = [];
  readonly faults: string[] = [];
  readonly stream = new IncomingStream(MAX_FRAME_BYTES, (frame) =>
    this.frames.push(Uint8Array.from(frame)),
  );

  take(...messages: readonly Uint8Array[]): this {
    for (const message of messages) {
      const header = newMessageHeader();
      expect(readMessage(message, header)).toBeUndefined();
      const copy = Uint8Array.from(message.subarray(STREAM_HEADER_BYTES));
      const fault = this.stream.receive(copy, header.position, header.firstFrameAt);
      if (fault !== undefined) this.faults.push(fault);
      // Spoilt afterwards: nothing of it may be kept by reference.
      copy.fill(0xee);
    }
    return this;
  }
}

/** Says in every byte which frame it is of. */
function frameOf(sequence: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (sequence * 31 + at * 7 + length) & 0xff);
}

const LENGTHS = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 1, max: 60 }) },
    { weight: 1, arbitrary: fc.integer({ min: 150, max: 2_000 }) },
  ),
  { minLength: 1, maxLength: 40 },
);

describe("the streams of one lane", () => {
  test("carry all frames, whole and in order, whatever their sizes and turns are", () => {
    fc.assert(
      fc.property(
        LENGTHS,
        fc.integer({ min: 40, max: 400 }),
        fc.integer({ min: 1, max: 5 }),
        (lengths, chunkBytes, perTurn) => {
          const frames = lengths.map((length, at) => frameOf(at, length));
          const sender = new Sender({ chunkBytes });
          for (let at = 0; at < frames.length; at += perTurn) {
            sender.send(...frames.slice(at, at + perTurn));
          }
          expect(Math.max(...sender.messages.map(({ length }) => length))).toBeLessThanOrEqual(
            chunkBytes,
          );
          const receiver = new Receiver().take(...sender.messages);
          expect(receiver).toMatchObject({ faults: [], frames });
        },
      ),
    );
  });

  test("never hand over a frame that is not whole, over loss, doubling and reordering", () => {
    const fate = fc.record({
      lost: fc.integer({ min: 0, max: 9 }).map((draw) => draw < 2),
      doubled: fc.integer({ min: 0, max: 9 }).map((draw) => draw < 1),
      delay: fc.oneof(fc.constant(0), fc.constant(0), fc.integer({ min: 1, max: 4 })),
    });
    fc.assert(
      fc.property(LENGTHS, fc.array(fate, { minLength: 5, maxLength: 60 }), (lengths, fates) => {
        const frames = lengths.map((length, at) => frameOf(at, length));
        const sender = new Sender().send(...frames);
        const arriving = sender.messages.flatMap((message, at) => {
          const { lost, doubled, delay } = fates[at % fates.length] as (typeof fates)[number];
          const once = { message, at: at + delay };
          if (lost) return [];
          return doubled ? [once, { message, at: at + delay + 2 }] : [once];
        });
        arriving.sort((a, b) => a.at - b.at);
        const receiver = new Receiver().take(...arriving.map(({ message }) => message));
        expect(receiver.faults).toEqual([]);
        // In order, each once, and each the very bytes of a frame that was sent.
        let next = 0;
        for (const frame of receiver.frames) {
          const found = frames.findIndex(
            (sent, at) => at >= next && Buffer.compare(sent, frame) === 0,
          );
          expect(found).toBeGreaterThanOrEqual(next);
          next = found + 1;
        }
        // Once nothing is lost any more, nothing is.
        const after = [frameOf(900, 30), frameOf(901, 700), frameOf(902, 30)];
        const before = receiver.frames.length;
        const sent = sender.messages.length;
        sender.send(...after);
        receiver.take(...sender.messages.slice(sent));
        expect(receiver.frames.slice(before)).toEqual(after);
      }),
    );
  });

  test("lend a frame that fits into one message as a view of it", () => {
    const sender = new Sender().send(frameOf(1, 40), frameOf(2, 50));
    expect(sender.messages).toHaveLength(1);
    const bytes = (sender.messages[0] as Uint8Array).subarray(STREAM_HEADER_BYTES);
    const buffers: unknown[] = [];
    const stream = new IncomingStream(MAX_FRAME_BYTES, (frame) => buffers.push(frame.buffer));
    expect(stream.receive(bytes, 0, 0)).toBeUndefined();
    expect(buffers).toEqual([bytes.buffer, bytes.buffer]);
  });

  test("cut no frame in two that fits into one message", () => {
    const frames = Array.from({ length: 30 }, (_, at) => frameOf(at, 150));
    const { messages } = new Sender().send(...frames);
    expect(messages).toHaveLength(frames.length);
  });

  test("stop handing over once closed, in the middle of a message", () => {
    const { messages } = new Sender().send(frameOf(1, 40), frameOf(2, 50));
    const seen: number[] = [];
    const stream = new IncomingStream(MAX_FRAME_BYTES, (frame) => {
      seen.push(frame.length);
      stream.close();
    });
    stream.receive((messages[0] as Uint8Array).subarray(STREAM_HEADER_BYTES), 0, 0);
    expect(seen).toEqual([40]);
  });
});

describe("an outgoing stream", () => {
  test("has no more under way than its window, and goes on as acknowledgements come", () => {
    const sender = new Sender({ windowBytes: 1_000, chunkBytes: 250 });
    const frames = Array.from({ length: 50 }, (_, at) => frameOf(at, 96));
    for (const frame of frames) sender.stream.append(frame);
    const receiver = new Receiver();
    let turns = 0;
    for (let taken = 0; receiver.frames.length < frames.length; turns += 1) {
      sender.stream.pump(ENDS);
      const fresh = sender.messages.slice(taken);
      expect(fresh.length).toBeGreaterThan(0);
      const underWay = fresh.reduce((sum, { length }) => sum + length - STREAM_HEADER_BYTES, 0);
      expect(underWay).toBeLessThanOrEqual(1_000);
      taken = sender.messages.length;
      receiver.take(...fresh);
      sender.stream.acknowledge(receiver.stream.position);
    }
    expect(turns).toBe(5);
    expect(sender.stream).toMatchObject({ isSettled: true, bufferedBytes: 0 });
  });

  test("is not moved by acknowledgements of what it has not sent, or had before", () => {
    const sender = new Sender({ windowBytes: 300, chunkBytes: 128 });
    for (let at = 0; at < 10; at += 1) sender.stream.append(frameOf(at, 96));
    sender.stream.pump(ENDS);
    expect(sender.messages).toHaveLength(3);
    for (const position of [Number.MAX_SAFE_INTEGER, 2 ** 47, 301, 0]) {
      sender.stream.acknowledge(position);
      sender.stream.pump(ENDS);
    }
    expect(sender.messages).toHaveLength(3);
    sender.stream.acknowledge(100);
    sender.stream.acknowledge(0);
    sender.stream.pump(ENDS);
    expect(sender.messages).toHaveLength(4);
  });

  test("asks for an acknowledgement about four times in a window", () => {
    const sender = new Sender({ windowBytes: 4_000, chunkBytes: 228 });
    for (let at = 0; at < 20; at += 1) sender.send(frameOf(at, 196));
    const asking = sender.messages.filter((message) => message[1] === 5);
    expect([sender.messages.length, asking.length]).toEqual([20, 4]);
  });

  test("asks what became of what nobody answers, with a message without bytes", () => {
    const sender = new Sender().send(frameOf(1, 20));
    sender.stream.maybeAsk(ENDS);
    const header = newMessageHeader();
    expect(readMessage(sender.messages.at(-1) as Uint8Array, header)).toBeUndefined();
    expect(header).toMatchObject({ kind: "stream-asking", position: 24, firstFrameAt: NO_FRAME });
    sender.stream.acknowledge(24);
    sender.stream.maybeAsk(ENDS);
    sender.stream.maybeAsk(ENDS);
    expect(sender.messages).toHaveLength(2);
  });

  test("takes nothing beyond its bound, and says when half of it is free", () => {
    const limits = { windowBytes: 500, chunkBytes: 128, maxBufferedBytes: 1_000 };
    const { stream } = new Sender(limits);
    const frame = frameOf(1, 96);
    let taken = 0;
    while (stream.append(frame)) taken += 1;
    expect([taken, stream.bufferedBytes]).toEqual([10, 1_000]);
    expect(stream.pump(ENDS)).toBe(true);
    expect(stream.bufferedBytes).toBe(500);
    expect(stream.pump(ENDS)).toBe(false);
  });

  test("takes a frame larger than its bound and its window while it holds nothing", () => {
    const sender = new Sender({ windowBytes: 500, chunkBytes: 128, maxBufferedBytes: 1_000 });
    const frame = frameOf(1, 5_000);
    const receiver = new Receiver();
    sender.send(frame);
    for (let taken = 0; receiver.frames.length === 0; ) {
      receiver.take(...sender.messages.slice(taken));
      taken = sender.messages.length;
      sender.stream.acknowledge(receiver.stream.position);
      sender.stream.pump(ENDS);
    }
    expect(receiver.frames).toEqual([frame]);
  });
});

describe("an incoming stream refuses", () => {
  const lengthOf = (length: number): number[] =>
    [...Buffer.from(Uint32Array.of(length).buffer)].reverse();

  test.each([
    ["a frame of 0 bytes", lengthOf(0), 0, "a frame of 0 bytes"],
    ["a frame above the limit", lengthOf(MAX_FRAME_BYTES + 1), 0, "a frame of 1000001 bytes"],
    ["a length of 2^32 - 1", lengthOf(2 ** 32 - 1), 0, "a frame of 4294967295 bytes"],
    ["a length that is cut off", [0, 0, 1], 0, "cut off"],
    ["bytes that belong to no frame", [1, 2, 3, ...lengthOf(1), 9], 3, "belong to none"],
    ["bytes without a frame at the start", [1, 2, 3], NO_FRAME, "belong to none"],
  ])("%s, and finds the next frame", (_what, bytes, firstFrameAt, reason) => {
    const receiver = new Receiver();
    const { stream, frames } = receiver;
    expect(stream.receive(Uint8Array.from(bytes), 0, firstFrameAt)).toContain(reason);
    expect(frames).toEqual([]);
    const next = Uint8Array.from([7, 7, ...lengthOf(2), 1, 2]);
    expect(stream.receive(next, bytes.length, 2)).toBeUndefined();
    expect(frames).toEqual([Uint8Array.of(1, 2)]);
  });

  test("a continuation whose frame ends elsewhere than the message says", () => {
    for (const firstFrameAt of [0, 2, 4, NO_FRAME]) {
      const { stream, frames } = new Receiver();
      expect(stream.receive(Uint8Array.from([...lengthOf(5), 1, 2]), 0, 0)).toBeUndefined();
      const rest = Uint8Array.from([3, 4, 5, ...lengthOf(1), 9]);
      expect(stream.receive(rest, 6, firstFrameAt)).toContain("the one before needs 3 bytes");
      expect(frames).toEqual([]);
    }
  });

  test("to reserve memory for a frame of which hardly anything has come", () => {
    const before = process.memoryUsage().arrayBuffers;
    const streams = Array.from({ length: 200 }, () => {
      const stream = new IncomingStream(16 * 1024 * 1024, () => undefined);
      stream.receive(Uint8Array.from([...lengthOf(16 * 1024 * 1024), 1]), 0, 0);
      return stream;
    });
    expect(streams).toHaveLength(200);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(200 * 128 * 1024);
  });

  test("to wait for ever for the rest of a frame", () => {
    const { stream, frames } = new Receiver();
    stream.receive(Uint8Array.from([...lengthOf(5), 1, 2]), 0, 0);
    stream.dropStalled();
    stream.receive(Uint8Array.from([3]), 6, NO_FRAME);
    stream.dropStalled();
    stream.dropStalled();
    expect(stream.receive(Uint8Array.from([4, 5]), 7, NO_FRAME)).toBeUndefined();
    expect(frames).toEqual([]);
  });
});
