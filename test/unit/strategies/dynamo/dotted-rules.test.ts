import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeRecord, encodeRecord } from "../../../../src/strategies/dynamo/dotted-record.ts";
import { makeDottedRules, mergeRecords } from "../../../../src/strategies/dynamo/dotted-rules.ts";
import { settlementOf } from "../../../../src/strategies/dynamo/settlement.ts";
import { mergedOf } from "../../../../src/strategies/leaderless/record-rules.ts";
import {
  checkFalseDominance,
  checkFalseSiblings,
  type GhostVersion,
} from "../../../../src/verification/ghosts.ts";
import { type Copy, KeyWorld, scripts, seenBy } from "./key-script.ts";

const SEED = { seed: 3, numRuns: 500 };
const SIBLINGS = settlementOf(undefined);
const RULES = makeDottedRules(SIBLINGS);

const aliveIn = ({ record }: Copy) =>
  record.siblings.map(({ value }) => Buffer.from(value as Uint8Array).toString()).sort();
const bytesOf = ({ record }: Copy) => encodeRecord(record);
const merge = (a: Uint8Array, b: Uint8Array) => Buffer.from(mergedOf(RULES, a, b));

function everyCopy(check: (copy: Copy, world: KeyWorld) => void): void {
  fc.assert(
    fc.property(scripts, (script) => {
      const world = new KeyWorld(SIBLINGS);
      world.run(script, (copy) => check(copy, world));
    }),
    SEED,
  );
}

describe("records under one exact context", () => {
  test("hold alive what sets of whole histories hold alive", () => {
    everyCopy((copy) => expect(aliveIn(copy)).toEqual([...copy.twin.alive].sort()));
  });

  test("cover no event that was not seen, and every one that was", () => {
    everyCopy(({ record, twin }, world) => {
      expect(seenBy(record.context, world.dots)).toEqual(twin.seen);
    });
  });

  test("drop no version unless a deletion or one that stays descends from it", () => {
    everyCopy((copy, world) => {
      const seen = [...copy.twin.seen].map((id) => world.ghosts.get(id) as GhostVersion);
      const drops = seen
        .filter(({ id }) => world.puts.has(id) && !aliveIn(copy).includes(id))
        .map((dropped) => ({
          key: "k",
          node: "n",
          at: 0,
          dropped,
          kept: seen.filter((other) => other !== dropped),
        }));
      expect(checkFalseDominance(drops).violations).toEqual([]);
    });
  });

  test("never hold two versions of which one descends from the other", () => {
    everyCopy((copy, world) => {
      const versions = aliveIn(copy).map((id) => world.ghosts.get(id) as GhostVersion);
      const sighting = { key: "k", node: "n", at: 0, versions };
      expect(checkFalseSiblings([sighting]).violations).toEqual([]);
    });
  });

  test("are equal bytes where the same events are known", () => {
    everyCopy((copy, world) => {
      const same = world.history.filter(
        ({ record }) => record.context.relationTo(copy.record.context) === "equal",
      );
      for (const other of same) expect(bytesOf(other)).toEqual(bytesOf(copy));
    });
  });

  test("come back from their bytes", () => {
    everyCopy((copy) => expect(encodeRecord(decodeRecord(bytesOf(copy)))).toEqual(bytesOf(copy)));
  });

  test("merge to the same bytes in any order, however often, and as their relation says", () => {
    fc.assert(
      fc.property(scripts, (script) => {
        const world = new KeyWorld(SIBLINGS);
        world.run(script);
        const [a, b, c] = world.copies.map(bytesOf) as [Uint8Array, Uint8Array, Uint8Array];
        expect(merge(a, b)).toEqual(merge(b, a));
        expect(merge(merge(a, b), c)).toEqual(merge(a, merge(b, c)));
        expect(mergedOf(RULES, a, a)).toBe(a);
        const whole = encodeRecord(mergeRecords(SIBLINGS, decodeRecord(a), decodeRecord(b)));
        expect(merge(a, b)).toEqual(Buffer.from(whole));
      }),
      SEED,
    );
  });

  test("would lose versions if a node that lost its clock went on under its old actor", () => {
    let lost = 0;
    for (const script of fc.sample(scripts, { seed: 3, numRuns: 500 })) {
      const world = new KeyWorld(SIBLINGS, { keepsActor: true });
      world.run(script, (copy) => {
        if (aliveIn(copy).join() !== [...copy.twin.alive].sort().join()) lost++;
      });
    }
    expect(lost).toBeGreaterThan(0);
  });
});
