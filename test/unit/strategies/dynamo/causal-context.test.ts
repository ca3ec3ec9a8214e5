import fc from "fast-check";
import { expect, test } from "vitest";
import { CausalContext, type TimedDot } from "../../../../src/strategies/dynamo/causal-context.ts";

/** Of each actor times rise with counters. */
const dot: fc.Arbitrary<TimedDot> = fc
  .record({ low: fc.integer({ min: 1, max: 5 }), counter: fc.integer({ min: 1, max: 6 }) })
  .map(({ low, counter }) => ({ actor: { high: 0, low }, counter, time: 10 * counter + low }));

test("an event is added as the merge with a context of it alone would add it", () => {
  fc.assert(
    fc.property(fc.array(dot, { maxLength: 8 }), fc.nat(40), dot, (dots, base, added) => {
      const context = CausalContext.of(dots).raisedTo(base);
      const merged = context.merge(CausalContext.of([added]));
      expect(context.with(added)).toEqual(merged);
      expect(context.with(added) === context).toBe(context.covers(added, added.time));
    }),
  );
});
