import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FrameReader } from "../../../../src/transports/tcp/frame-reader.ts";
import { frameOf } from "./foreign-socket.ts";

const MAX_FRAME_BYTES = 1_000_000;

function readerInto(frames: Uint8Array[], maxFrameBytes = MAX_FRAME_BYTES): FrameReader {
  return new FrameReader(maxFrameBytes, (frame) => {
    frames.push(Uint8Array.from(frame));
    return true;
  });
}

function bodyOf(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 7 + length) & 0xff);
}

describe("FrameReader", () => {
  test("gives the same frames however the stream is cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 20 }),
        (lengths, cuts) => {
          const stream = Buffer.concat(lengths.map((length) => frameOf(bodyOf(length))));
          const frames: Uint8Array[] = [];
          const reader = readerInto(frames);
          let at = 0;
          for (let turn = 0; at < stream.length; turn += 1) {
            const end = at + (cuts[turn % cuts.length] as number);
            // A chunk of its own, spoilt afterwards: nothing of it may be kept by reference.
            const chunk = Uint8Array.from(stream.subarray(at, end));
            expect(reader.push(chunk)).toBeUndefined();
            chunk.fill(0xee);
            at = end;
          }
          expect(frames).toEqual(lengths.map(bodyOf));
        },
      ),
    );
  });

  test("hands on a frame that lies whole in a chunk without a copy", () => {
    const chunk = Buffer.concat([frameOf(bodyOf(100)), frameOf(bodyOf(50))]);
    const views: Uint8Array[] = [];
    const reader = new FrameReader(MAX_FRAME_BYTES, (frame) => {
      views.push(frame);
      return true;
    });
    reader.push(chunk);
    expect(views.map(({ buffer, byteOffset }) => [buffer, byteOffset - chunk.byteOffset])).toEqual([
      [chunk.buffer, 4],
      [chunk.buffer, 108],
    ]);
  });

  test("puts a frame of the largest size together from many chunks", () => {
    const frames: Uint8Array[] = [];
    const reader = readerInto(frames);
    const stream = Buffer.concat([frameOf(bodyOf(MAX_FRAME_BYTES)), frameOf(bodyOf(3))]);
    for (let at = 0; at < stream.length; at += 65_536) {
      reader.push(stream.subarray(at, at + 65_536));
    }
    expect(frames.map(({ length }) => length)).toEqual([MAX_FRAME_BYTES, 3]);
    expect(Buffer.compare(frames[0] as Uint8Array, bodyOf(MAX_FRAME_BYTES))).toBe(0);
  });

  test.each([
    ["0", Uint8Array.of(0, 0, 0, 0), 0],
    ["one above the largest", frameOf(Buffer.alloc(0), 11), 11],
    ["2^32 - 1", frameOf(Buffer.alloc(0), 2 ** 32 - 1), 2 ** 32 - 1],
  ])(
    "refuses a length of %s, whole or split, before anything of the body",
    (_name, header, size) => {
      const message = `a frame of ${size} bytes was announced; allowed are 1 to 10`;
      for (const cut of [0, 1, 2, 3, 4]) {
        const frames: Uint8Array[] = [];
        const reader = readerInto(frames, 10);
        expect(reader.push(frameOf(bodyOf(10)))).toBeUndefined();
        const first = cut === 0 ? undefined : reader.push(header.subarray(0, cut));
        const second =
          first ?? reader.push(Buffer.concat([header.subarray(cut), Buffer.from("x")]));
        expect(second).toBe(message);
        expect(reader.push(frameOf(bodyOf(5)))).toBeUndefined();
        expect(frames).toHaveLength(1);
      }
    },
  );

  test("stops in the middle of a chunk when the receiver says so", () => {
    let handed = 0;
    const reader = new FrameReader(MAX_FRAME_BYTES, () => {
      handed += 1;
      return false;
    });
    reader.push(Buffer.concat([frameOf(bodyOf(1)), frameOf(bodyOf(2)), frameOf(bodyOf(3))]));
    reader.push(frameOf(bodyOf(4)));
    expect(handed).toBe(1);
  });
});
