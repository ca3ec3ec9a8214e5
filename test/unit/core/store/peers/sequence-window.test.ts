import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SequenceWindow } from "../../../../../src/core/store/peers/sequence-window.ts";

const WINDOW = 4_096;

describe("SequenceWindow", () => {
  it("takes each sequence once, in whatever order they come, also across 2^32", () => {
    fc.assert(
      fc.property(
        fc.nat(0xffff_ffff),
        fc.array(fc.nat(WINDOW - 1), { maxLength: 200 }),
        (first, offsets) => {
          const window = new SequenceWindow();
          const taken = new Set<number>();
          for (const offset of offsets) {
            expect(window.take((first + offset) >>> 0)).toBe(!taken.has(offset));
            taken.add(offset);
          }
        },
      ),
    );
  });

  it("takes nothing that is older than what it remembers", () => {
    const window = new SequenceWindow();
    expect(window.take(10)).toBe(true);
    expect(window.take(10 + WINDOW)).toBe(true);
    expect(window.take(10)).toBe(false);
    expect(window.take(11)).toBe(true);
    expect(window.take(11)).toBe(false);
    expect(window.take(10 + 5 * WINDOW)).toBe(true);
    expect(window.take(11 + WINDOW)).toBe(false);
    expect(window.take(9 + 5 * WINDOW)).toBe(true);
  });

  it("begins anew with another sender", () => {
    const window = new SequenceWindow();
    window.take(5_000);
    window.reset();
    expect(window.take(5_000)).toBe(true);
    expect(window.take(4_999)).toBe(true);
  });
});
