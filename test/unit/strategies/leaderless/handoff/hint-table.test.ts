import { describe, expect, it } from "vitest";
import type { StateEntry } from "../../../../../src/core/contracts/storage.ts";
import type { NodeId } from "../../../../../src/core/model/ids.ts";
import { HintTable } from "../../../../../src/strategies/leaderless/handoff/hint-table.ts";
import { PlainState } from "../../../../support/plain-state.ts";

const N2 = "n2" as NodeId;
const N20 = "n20" as NodeId;
const key = (text: string): Uint8Array => Buffer.from(text);

/** A shard's `side`, by the `data` of a plain state. */
class SideRows {
  readonly rows = new PlainState();

  getSide(row: Uint8Array): Uint8Array | undefined {
    return this.rows.get(row);
  }

  putSide(row: Uint8Array, value: Uint8Array): void {
    this.rows.put(row, value);
  }

  deleteSide(row: Uint8Array): void {
    this.rows.delete(row);
  }

  rangeSide(
    from: Uint8Array | undefined,
    to: Uint8Array | undefined,
    limitBytes: number,
  ): readonly StateEntry[] {
    return this.rows.range(from, to, limitBytes).entries;
  }
}

describe("the table of hints", () => {
  it("keeps each target's rows apart, though one's name begins like another's", () => {
    const side = new SideRows();
    const table = new HintTable();
    table.add(N2, key("a"), 5, side);
    table.add(N20, key("b"), 6, side);
    table.add(N2, key("c"), 7, side);
    const of = (target: NodeId) =>
      table.first(target, 1_000, side).map((hint) => [`${Buffer.from(hint.key)}`, hint.sinceMs]);
    expect(of(N2)).toEqual([
      ["a", 5],
      ["c", 7],
    ]);
    expect(of(N20)).toEqual([["b", 6]]);
  });

  it("counts the bytes of copies, as they are now, over a start and until they are gone", () => {
    const side = new SideRows();
    const table = new HintTable();
    table.add(N2, key("a"), 5, side, 100);
    table.add(N20, key("a"), 5, side, 100);
    table.add(N2, key("b"), 6, side);
    expect(table.copyBytes).toBe(200);
    expect(table.add(N2, key("a"), 9, side, 30)).toBe(false);
    expect(table.copyBytes).toBe(130);
    const next = new HintTable();
    next.load(side);
    expect([next.copyBytes, next.size]).toEqual([130, 3]);
    expect([N2, N20].map((target) => next.copyBytesFor(target))).toEqual([30, 100]);
    expect(next.first(N2, 1_000, side)).toMatchObject([{ sinceMs: 5 }, { sinceMs: 6 }]);
    for (const hint of next.first(N2, 1_000, side)) next.remove(N2, hint, side);
    expect(next.copyBytes).toBe(100);
  });

  it("reads rows of before copies were measured", () => {
    const side = new SideRows();
    const table = new HintTable();
    table.add(N2, key("a"), 5, side);
    const [{ row } = { row: key("") }] = table.first(N2, 1_000, side);
    side.putSide(row, (side.getSide(row) as Uint8Array).subarray(0, 8));
    const next = new HintTable();
    next.load(side);
    expect(next.copyBytes).toBe(0);
    next.add(N2, key("a"), 9, side, 70);
    expect([next.copyBytes, next.size]).toEqual([70, 1]);
    expect(next.first(N2, 1_000, side)).toMatchObject([{ sinceMs: 5 }]);
  });

  it("notes a key once, since the first time", () => {
    const side = new SideRows();
    const table = new HintTable();
    expect(table.add(N2, key("a"), 5, side)).toBe(true);
    expect(table.add(N2, key("a"), 9, side)).toBe(false);
    expect(table.size).toBe(1);
    expect(table.first(N2, 1_000, side)).toMatchObject([{ sinceMs: 5 }]);
  });

  it("counts what an earlier machine has left, and what is taken out", () => {
    const side = new SideRows();
    const before = new HintTable();
    for (let i = 0; i < 300; i++) before.add(N2, key(`key-${i}`), i, side);
    const table = new HintTable();
    table.load(side);
    expect([table.count(N2), table.count(N20), table.size]).toEqual([300, 0, 300]);
    const [first] = table.first(N2, 1, side);
    if (first === undefined) throw new Error("no row");
    table.remove(N2, first, side);
    table.remove(N2, first, side);
    expect(table.count(N2)).toBe(299);
    expect(table.has(N2, first.key, side)).toBe(false);
  });

  it("knows whom it has rows for, though they are nobody's targets any more", () => {
    const side = new SideRows();
    const before = new HintTable();
    before.add(N2, key("a"), 5, side);
    before.add(N20, key("b"), 6, side);
    const table = new HintTable();
    table.load(side);
    expect(table.targets).toEqual([N2, N20]);
    for (const hint of table.first(N2, 1_000, side)) table.remove(N2, hint, side);
    expect(table.targets).toEqual([N20]);
  });
});
