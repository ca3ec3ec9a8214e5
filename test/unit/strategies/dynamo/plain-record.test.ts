import fc from "fast-check";
import { expect, test } from "vitest";
import { CausalContext, compareDots } from "../../../../src/strategies/dynamo/causal-context.ts";
import { FLAG_ALIVE } from "../../../../src/strategies/dynamo/dotted-layout.ts";
import {
  type DottedRecord,
  decodeRecord,
  encodeRecord,
  type Sibling,
} from "../../../../src/strategies/dynamo/dotted-record.ts";
import { isPlainRecord } from "../../../../src/strategies/dynamo/plain-record.ts";

const dot = fc.record({
  actor: fc.record({ high: fc.constantFrom(1, 0xffff_fff0), low: fc.nat(2) }),
  counter: fc.constantFrom(0, 1, 2, 2 ** 32, 2 ** 48 - 1),
  time: fc.constantFrom(1, 5, 2 ** 40, 2 ** 53 - 1),
});

const sibling: fc.Arbitrary<Sibling> = fc
  .tuple(dot, fc.constantFrom(undefined, "", "value"), fc.constantFrom(undefined, 77))
  .map(([{ actor, counter, time }, text, expiresAtMs]) => {
    const value = text === undefined ? undefined : Buffer.from(text);
    const of = { dot: { actor, counter }, time, value };
    return expiresAtMs === undefined ? of : { ...of, expiresAtMs };
  });

/** Most of them are sound; some count from 0, or hold what their context does not cover. */
const record: fc.Arbitrary<DottedRecord> = fc
  .record({
    dots: fc.array(dot, { maxLength: 3 }),
    base: fc.constantFrom(0, 0, 3),
    siblings: fc.array(sibling, { maxLength: 3 }),
    knows: fc.boolean(),
    inOrder: fc.boolean(),
    newestTime: fc.constantFrom(0, 700, 2 ** 53 - 1),
  })
  .map(({ dots, base, siblings, knows, inOrder, newestTime }) => {
    const events = siblings.map((each) => ({ ...each.dot, time: each.time }));
    const context = CausalContext.of(knows ? [...dots, ...events] : dots).raisedTo(base);
    const sorted = [...siblings].sort((a, b) => compareDots(a.dot, b.dot));
    return { context, newestTime, siblings: inOrder ? sorted : siblings, states: [] };
  });

function decodes(bytes: Uint8Array): boolean {
  try {
    decodeRecord(bytes);
    return true;
  } catch {
    return false;
  }
}

test("a record is plain if it can be read, and has neither an expiry nor a state", () => {
  const met = { plain: 0, other: 0 };
  fc.assert(
    fc.property(record, (each) => {
      const bytes = encodeRecord(each);
      const isPlain = ((bytes[1] as number) & ~FLAG_ALIVE) === 0 && decodes(bytes);
      met[isPlain ? "plain" : "other"]++;
      expect(isPlainRecord(bytes)).toBe(isPlain);
    }),
    { numRuns: 4_000 },
  );
  expect(met.plain).toBeGreaterThan(400);
  expect(met.other).toBeGreaterThan(400);
});

test("a record that was damaged or cut is never plain unless it can be read all the same", () => {
  const cut = fc.option(fc.nat(160), { nil: undefined, freq: 3 });
  const damage = fc.tuple(fc.nat(160), fc.constantFrom(1, 2, 0x80, 0xff));
  fc.assert(
    fc.property(record, cut, fc.array(damage, { maxLength: 2 }), (each, length, damages) => {
      const bytes = Buffer.from(encodeRecord(each)).subarray(0, length);
      for (const [at, bits] of damages) {
        if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ bits;
      }
      const isPlain = bytes.length > 1 && ((bytes[1] as number) & ~FLAG_ALIVE) === 0;
      expect(isPlainRecord(bytes)).toBe(isPlain && decodes(bytes));
    }),
    { numRuns: 4_000 },
  );
});
