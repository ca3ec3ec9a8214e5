import fc from "fast-check";
import { expect, test } from "vitest";
import type { ShardId } from "../../../../src/core/model/ids.ts";
import { type WaitingWrite, WaitingWrites } from "../../../../src/core/store/waiting-writes.ts";

const SHARD = 7 as ShardId;

function writeOf(text: string): WaitingWrite {
  return { type: "delete", shard: SHARD, space: "data", key: Buffer.from(text) };
}

test("shows the newest write of each key until that one is settled, whatever is settled before", () => {
  const step = fc.record({
    text: fc.integer({ min: 0, max: 400 }).map(String),
    settles: fc.boolean(),
    pick: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 1_500, size: "max" }), (steps) => {
      const writes = new WaitingWrites();
      const newest = new Map<string, WaitingWrite>();
      const added: [string, WaitingWrite][] = [];
      for (const { text, settles, pick } of steps) {
        if (settles && added.length > 0) {
          const [[known, write] = ["", writeOf("")]] = added.splice(pick % added.length, 1);
          writes.settle(known, write);
          if (newest.get(known) === write) newest.delete(known);
        } else {
          const write = writeOf(text);
          writes.add(text, write);
          newest.set(text, write);
          added.push([text, write]);
        }
        expect(writes.get(text)).toBe(newest.get(text));
        expect(writes.isEmpty).toBe(newest.size === 0);
      }
      expect(new Map(writes.entries())).toEqual(newest);
    }),
    { numRuns: 50 },
  );
});

test("keeps few keys that are settled, however many there were", () => {
  const writes = new WaitingWrites();
  let most = 0;
  for (let at = 0; at < 10_000; at += 1) {
    const write = writeOf(`key-${at}`);
    writes.add(`key-${at}`, write);
    writes.settle(`key-${at}`, write);
    most = Math.max(most, writes.keptKeys);
  }
  expect(most).toBeLessThanOrEqual(256);
});
