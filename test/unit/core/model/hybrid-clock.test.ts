import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HybridClock } from "../../../../src/core/model/hybrid-clock.ts";
import {
  compareStamps,
  HYBRID_COUNTER_SPAN,
  HYBRID_EPOCH_MS,
  hybridTimeOf,
  MAX_HYBRID_TIME,
  type Stamp,
} from "../../../../src/core/model/stamp.ts";

const START_MS = HYBRID_EPOCH_MS + 1_000_000;
const MAX_SKEW_MS = 10_000;
const ACTOR = { high: 1, low: 2 };

/** What happens to a clock: its wall steps, and then it mints or is shown something. */
const action = fc.record({
  wallStepMs: fc.oneof(fc.integer({ min: -60_000, max: 60_000 }), fc.constant(0)),
  act: fc.constantFrom("mint", "observe", "mintAbove"),
  /** Of the stamp that it is shown, ahead of its wall clock. */
  aheadMs: fc.integer({ min: -30_000, max: 30_000 }),
  counter: fc.nat(HYBRID_COUNTER_SPAN - 1),
});
const actions = fc.array(action, { maxLength: 40 });

describe("HybridClock", () => {
  test("rises strictly over all that it minted and observed, however the wall clock steps", () => {
    fc.assert(
      fc.property(actions, (all) => {
        const clock = newClock();
        let wallMs = START_MS;
        let highest = 0;
        for (const { wallStepMs, act, aheadMs, counter } of all) {
          wallMs += wallStepMs;
          const seen = stampAt(wallMs + aheadMs, counter);
          const isWithin = !clock.isBeyondGuard(seen, wallMs);
          if (act === "observe") {
            clock.observe(seen, wallMs);
            if (isWithin) highest = Math.max(highest, seen.time);
          } else if (act === "mint" || isWithin) {
            const stamp = act === "mint" ? clock.mint(wallMs) : clock.mintAbove(seen, wallMs).stamp;
            expect(stamp.time).toBeGreaterThan(highest);
            if (act === "mintAbove") expect(stamp.time).toBeGreaterThan(seen.time);
            highest = stamp.time;
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  test("never makes two equal stamps, the ones beyond the guard included", () => {
    fc.assert(
      fc.property(actions, fc.array(fc.nat(3), { maxLength: 30 }), (all, offsets) => {
        const clock = newClock();
        const stamps: Stamp[] = [];
        for (const { wallStepMs, aheadMs, counter } of all) {
          const wallMs = START_MS + wallStepMs;
          stamps.push(clock.mint(wallMs));
          stamps.push(clock.mintAbove(stampAt(wallMs + aheadMs, counter), wallMs).stamp);
        }
        // Again and again behind nearly the same stamp, an older one after a newer one too.
        for (const offset of offsets) {
          const seen = stampAt(START_MS + 3_600_000, offset);
          stamps.push(clock.mintAbove(seen, START_MS).stamp);
        }
        const sorted = stamps.toSorted(compareStamps);
        for (let index = 1; index < sorted.length; index++) {
          expect(compareStamps(sorted[index - 1] as Stamp, sorted[index] as Stamp)).toBe(-1);
        }
      }),
      { numRuns: 200 },
    );
  });

  test("is never moved ahead of the wall clock by more than the guard", () => {
    fc.assert(
      fc.property(actions, (all) => {
        const clock = newClock();
        let highestWallMs = 0;
        for (const { wallStepMs, act, aheadMs, counter } of all) {
          const wallMs = START_MS + wallStepMs;
          highestWallMs = Math.max(highestWallMs, wallMs);
          const seen = stampAt(wallMs + aheadMs, counter);
          if (act === "mint") clock.mint(wallMs);
          else if (act === "observe") clock.observe(seen, wallMs);
          else clock.mintAbove(seen, wallMs);
          // Each mint behind the wall clock takes one step of the counter more.
          const most = hybridTimeOf(highestWallMs + MAX_SKEW_MS) + all.length;
          expect(clock.last).toBeLessThanOrEqual(most);
        }
      }),
      { numRuns: 200 },
    );
  });

  test("follows a stamp at the guard, and not one beyond it", () => {
    const clock = newClock();
    const before = clock.mint(START_MS).time;
    expect(clock.observe(stampAt(START_MS + MAX_SKEW_MS, 1), START_MS)).toBe("beyond-guard");
    expect(clock.last).toBe(before);
    expect(clock.observe(stampAt(START_MS + MAX_SKEW_MS, 0), START_MS)).toBe("observed");
    expect(clock.mint(START_MS).time).toBe(hybridTimeOf(START_MS + MAX_SKEW_MS) + 1);
  });

  test("beyond the guard, mintAbove gives what its proof alone makes acceptable", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: MAX_SKEW_MS + 1, max: 10 ** 9 }),
        fc.nat(4095),
        (ahead, counter) => {
          const clock = newClock();
          const seen = stampAt(START_MS + ahead, counter);
          const { stamp, proof } = clock.mintAbove(seen, START_MS);
          expect(compareStamps(stamp, seen)).toBe(1);
          const replica = newClock({ actor: { high: 5, low: 5 } });
          expect(replica.accepts(stamp, proof, START_MS)).toBe(true);
          expect(replica.accepts(stamp, undefined, START_MS)).toBe(false);
          // A retry of a write that a replica was found to hold.
          expect(replica.accepts(stamp, stamp, START_MS)).toBe(true);
          expect(replica.accepts(stamp, stampAt(START_MS + ahead - 2, counter), START_MS)).toBe(
            false,
          );
          expect(clock.last).toBe(0);
        },
      ),
      { numRuns: 100 },
    );
  });

  test("within the guard, mintAbove needs no proof and moves the clock", () => {
    const clock = newClock();
    const seen = stampAt(START_MS + 5_000, 7);
    const { stamp, proof } = clock.mintAbove(seen, START_MS);
    expect(proof).toBeUndefined();
    expect(stamp.time).toBe(seen.time + 1);
    expect(clock.last).toBe(stamp.time);
  });

  test("behind the end of time it still makes a stamp that can be stored", () => {
    const seen = { time: MAX_HYBRID_TIME, actorHigh: 0, actorLow: 0 };
    const { stamp } = newClock().mintAbove(seen, START_MS);
    expect(stamp.time).toBe(MAX_HYBRID_TIME);
  });

  test("stays above its floor after reopening, even with a wall clock that went back", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { minLength: 1 }), fc.nat(100_000), (steps, back) => {
        const first = newClock();
        let wallMs = START_MS;
        for (const step of steps) {
          wallMs += step;
          first.mint(wallMs);
        }
        const reopened = newClock({ floor: first.last });
        expect(reopened.mint(wallMs - back).time).toBeGreaterThan(first.last);
      }),
      { numRuns: 100 },
    );
  });
});

function newClock(options: Partial<ConstructorParameters<typeof HybridClock>[0]> = {}) {
  return new HybridClock({ actor: ACTOR, maxSkewMs: MAX_SKEW_MS, ...options });
}

function stampAt(wallMs: number, counter: number): Stamp {
  return { time: hybridTimeOf(wallMs) + counter, actorHigh: 9, actorLow: 9 };
}
