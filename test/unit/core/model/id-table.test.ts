import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { IdTable } from "../../../../src/core/model/id-table.ts";

describe("IdTable", () => {
  test("behaves as a Map, whatever ids come and go, also ids that share a slot", () => {
    const id = fc.oneof(
      fc.nat(20),
      fc.nat(20).map((n) => n + 8_192),
      fc.nat(20).map((n) => n + 2 * 8_192),
      fc.constant(0xffff_ffff),
    );
    const command = fc.record({ kind: fc.constantFrom("set", "delete", "get"), id });
    fc.assert(
      fc.property(fc.array(command, { maxLength: 200 }), (commands) => {
        const table = new IdTable<string>();
        const model = new Map<number, string>();
        for (const [step, { kind, id: at }] of commands.entries()) {
          if (kind === "set") {
            table.set(at, `v${step}`);
            model.set(at, `v${step}`);
          } else if (kind === "delete") {
            expect(table.delete(at)).toBe(model.delete(at));
          }
          expect(table.get(at)).toBe(model.get(at));
          expect(table.has(at)).toBe(model.has(at));
          expect(table.size).toBe(model.size);
        }
        expect(new Map(table.entries())).toEqual(model);
        expect([...table.values()].sort()).toEqual([...model.values()].sort());
      }),
      { numRuns: 200 },
    );
  });

  test("an id that was never set is not there, 0 included", () => {
    const table = new IdTable<string>();
    expect(table.get(0)).toBeUndefined();
    expect(table.delete(0)).toBe(false);
    expect(table.entries()).toEqual([]);
  });
});
