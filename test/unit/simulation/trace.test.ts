import { describe, expect, test } from "vitest";
import { TRACE, Trace } from "../../../src/simulation/trace.ts";

function digestOf(fill: (trace: Trace) => void): string {
  const trace = new Trace();
  fill(trace);
  return trace.digest();
}

/** Of the same length each, as a difference in length shows anyway. */
function distinct(inputs: readonly Uint8Array[]): number {
  const noted = inputs.map((bytes) =>
    digestOf((trace) => trace.noteBytes(TRACE.diskWrite, 1, 2, bytes)),
  );
  return new Set(noted).size;
}

describe("a trace", () => {
  test("is the same for the same notes", () => {
    const fill = (trace: Trace): void => {
      trace.note(TRACE.timerSet, 1.5, 2, 3);
      trace.noteBytes(TRACE.frameSent, 2.25, 1, Buffer.from("a frame"));
      trace.noteText(TRACE.answer, 3, "an answer");
    };
    expect(digestOf(fill)).toBe(digestOf(fill));
    expect(digestOf(fill)).toMatch(/^[0-9a-f]{16}$/);
  });

  test.each([1, 2, 3, 4, 7, 64, 511, 512, 2_000])("shows every bit of %i bytes", (length) => {
    const bits = Math.min(8 * length, 1_024);
    const step = (8 * length) / bits;
    const inputs = Array.from({ length: bits }, (_, index) => {
      const bytes = new Uint8Array(length).fill(0x5a);
      const bit = Math.floor(index * step);
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      return bytes;
    });
    expect(distinct([new Uint8Array(length).fill(0x5a), ...inputs])).toBe(bits + 1);
  });

  test("shows the order of bytes, of words, and how many zeros there are", () => {
    expect(distinct([Buffer.from("abcdefgh"), Buffer.from("efghabcd")])).toBe(2);
    expect(distinct([Buffer.from("abcd"), Buffer.from("abdc")])).toBe(2);
    expect(distinct([new Uint8Array(3), new Uint8Array(4), new Uint8Array(5)])).toBe(3);
  });

  test("shows every character of a text, and their order", () => {
    const texts = ["n1 sync", "n2 sync", "n1 sybc", "sync n1", "n1 syn\u0163", "n1 syncs", ""];
    const noted = texts.map((text) => digestOf((trace) => trace.noteText(TRACE.disk, 1, text)));
    expect(new Set(noted).size).toBe(texts.length);
  });

  test("shows when and of what kind something was, and in which order", () => {
    const soon = (trace: Trace): void => trace.note(TRACE.soon, 1, 2);
    const defer = (trace: Trace): void => trace.note(TRACE.defer, 1, 2);
    const later = (trace: Trace): void => trace.note(TRACE.soon, 1.5, 2);
    const orders = [[soon], [defer], [later], [soon, defer], [defer, soon]];
    const noted = orders.map((notes) =>
      digestOf((trace) => {
        for (const note of notes) note(trace);
      }),
    );
    expect(new Set(noted).size).toBe(noted.length);
  });
});
