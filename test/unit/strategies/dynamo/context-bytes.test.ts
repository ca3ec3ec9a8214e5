import fc from "fast-check";
import { expect, test } from "vitest";
import { ByteWriter } from "../../../../src/core/model/bytes.ts";
import { CausalContext, type TimedDot } from "../../../../src/strategies/dynamo/causal-context.ts";
import { relationOfEncoded } from "../../../../src/strategies/dynamo/context-bytes.ts";

const MANY = 2 ** 32;

/** Of each actor times rise with counters; some numbers need more than 32 bits. */
const dot: fc.Arbitrary<TimedDot> = fc
  .record({
    high: fc.constantFrom(0, 0xffff_ffff),
    low: fc.constantFrom(0, 1, 0x8000_0000),
    counter: fc.constantFrom(1, 2, MANY - 1, MANY, MANY + 1),
  })
  .map(({ high, low, counter }) => ({ actor: { high, low }, counter, time: MANY + counter + low }));

const context = fc
  .record({
    dots: fc.array(dot, { maxLength: 6 }),
    base: fc.constantFrom(0, MANY, MANY + 1, 2 * MANY),
  })
  .map(({ dots, base }) => CausalContext.of(dots).raisedTo(base));

/** Behind `at` bytes of something else. */
function encoded(of: CausalContext, at: number): Uint8Array {
  const writer = new ByteWriter();
  for (let i = 0; i < at; i++) writer.u8(0xff);
  of.write(writer);
  return writer.copy();
}

test("encoded contexts stand to each other as the contexts do", () => {
  const met = new Set<string>();
  fc.assert(
    fc.property(context, context, fc.boolean(), fc.nat(12), (a, other, isAbove, at) => {
      const b = isAbove ? a.merge(other) : other;
      const relation = a.relationTo(b);
      met.add(relation);
      expect(relationOfEncoded(encoded(a, at), encoded(b, at), at)).toBe(relation);
    }),
    { numRuns: 3_000 },
  );
  expect([...met].sort()).toEqual(["apart", "equal", "included", "succeeded"]);
});
