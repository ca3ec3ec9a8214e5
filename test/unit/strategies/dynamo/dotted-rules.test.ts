import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { lww } from "../../../../src/resolvers/lww.ts";
import { decodeRecord, encodeRecord } from "../../../../src/strategies/dynamo/dotted-record.ts";
import { makeDottedRules, mergeRecords } from "../../../../src/strategies/dynamo/dotted-rules.ts";
import { type Settlement, settlementOf } from "../../../../src/strategies/dynamo/settlement.ts";
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

const EXPIRY_MS = 100;
const SETTLEMENTS: readonly (readonly [string, Settlement])[] = [
  ["siblings", SIBLINGS],
  ["the last writer's", settlementOf(lww())],
];

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

describe.each(SETTLEMENTS)("versions that expire, kept as %s", (_what, settlement) => {
  const rules = makeDottedRules(settlement);
  const join = (a: Uint8Array, b: Uint8Array) => Buffer.from(mergedOf(rules, a, b));
  const expired = (a: Uint8Array) => Buffer.from(rules.expire(a, EXPIRY_MS));

  function everyPair(check: (a: Uint8Array, b: Uint8Array) => void): void {
    fc.assert(
      fc.property(scripts, (script) => {
        const world = new KeyWorld(settlement, { expiresAtMs: EXPIRY_MS });
        world.run(script);
        const [a, b] = world.copies.map(bytesOf) as [Uint8Array, Uint8Array];
        check(a, b);
      }),
      SEED,
    );
  }

  test("are what they were until then, and say when", () => {
    everyPair((a) => {
      expect(rules.expire(a, EXPIRY_MS - 1)).toBe(a);
      expect([undefined, EXPIRY_MS]).toContain(rules.expiryOf(a));
      expect(rules.expiryOf(expired(a))).toBeUndefined();
      expect(rules.expire(expired(a), EXPIRY_MS)).toEqual(expired(a));
    });
  });

  test("come to the same bytes, whichever copy comes to it first", () => {
    everyPair((a, b) => {
      const whole = expired(join(a, b));
      expect(expired(join(expired(a), b))).toEqual(whole);
      expect(expired(join(a, expired(b)))).toEqual(whole);
      expect(join(expired(a), expired(b))).toEqual(whole);
    });
  });

  test("do not come back from a copy that knows more, and has not come to it yet", () => {
    everyPair((a, b) => {
      const gone = decodeRecord(expired(a)).context;
      const isBack = (bytes: Uint8Array) =>
        decodeRecord(bytes).siblings.some(
          ({ dot, time, expiresAtMs }) => expiresAtMs !== undefined && gone.covers(dot, time),
        );
      expect(isBack(join(expired(a), b))).toBe(false);
      expect(isBack(join(b, expired(a)))).toBe(false);
    });
  });

  test("lose against what they have come to, from either side", () => {
    everyPair((a) => {
      expect(join(a, expired(a))).toEqual(expired(a));
      expect(join(expired(a), a)).toEqual(expired(a));
    });
  });
});
