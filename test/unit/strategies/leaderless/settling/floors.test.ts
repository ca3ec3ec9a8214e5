import { expect, test } from "vitest";
import { Floors } from "../../../../../src/strategies/leaderless/settling/floors.ts";

/** What is kept outlives whoever kept it. */
class Kept {
  bytes: Uint8Array | undefined;
  writes = 0;

  keep(_name: string, bytes: Uint8Array | undefined): void {
    this.bytes = bytes;
    this.writes++;
  }

  kept(): Uint8Array | undefined {
    return this.bytes;
  }
}

test("what was promised is known after a restart; before the first promise there is none", () => {
  const kept = new Kept();
  const floors = new Floors();
  floors.load(kept);
  expect(floors.values).toEqual({ fence: 0, floor: 0, reapable: 0, stripTo: 0 });
  floors.set({ fence: 2 ** 50, floor: 20 }, kept);
  floors.set({ reapable: 10, stripTo: 5 }, kept);
  const again = new Floors();
  again.load(kept);
  expect(again.values).toEqual({ fence: 2 ** 50, floor: 20, reapable: 10, stripTo: 5 });
});

test("what changes nothing is not written", () => {
  const kept = new Kept();
  const floors = new Floors();
  floors.set({ fence: 3 }, kept);
  floors.set({ fence: 3, floor: 0 }, kept);
  expect(kept.writes).toBe(1);
});

test("a format of a later version is not taken for promises", () => {
  const kept = new Kept();
  kept.bytes = Uint8Array.of(2, 0, 0);
  expect(() => new Floors().load(kept)).toThrow("floors of format 2; this version knows 1");
});
