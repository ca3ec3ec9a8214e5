import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeValue } from "../../../../src/core/model/values.ts";
import { lww } from "../../../../src/resolvers/lww.ts";
import { compareDots } from "../../../../src/strategies/dynamo/causal-context.ts";
import type { Sibling } from "../../../../src/strategies/dynamo/dotted-record.ts";
import { picked } from "../../../../src/strategies/dynamo/settlement.ts";

/** Versions of one key: of each actor times rise with counters. */
const siblings: fc.Arbitrary<readonly Sibling[]> = fc
  .uniqueArray(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })), {
    minLength: 2,
    maxLength: 5,
    selector: ([low, counter]) => `${low}-${counter}`,
  })
  .chain((dots) =>
    fc
      .array(fc.option(fc.nat(2), { nil: undefined }), {
        minLength: dots.length,
        maxLength: dots.length,
      })
      .map((values) =>
        dots
          .map(([low, counter], at): Sibling => {
            const value = values[at];
            const dot = { actor: { high: 0, low }, counter };
            const encoded = value === undefined ? undefined : encodeValue(value);
            return { dot, time: counter, value: encoded };
          })
          .sort((a, b) => compareDots(a.dot, b.dot)),
      ),
  );

test("who says to keep the newest is not asked, and keeps what he would have kept", () => {
  const resolver = lww();
  const asked = { ...resolver, capabilities: { ...resolver.capabilities, keepsNewest: false } };
  fc.assert(
    fc.property(siblings, (versions) => {
      expect(picked(resolver, versions)).toEqual(picked(asked, versions));
    }),
    { numRuns: 500 },
  );
});

test("values need not be decoded where the newest is kept", () => {
  const older: Sibling = {
    dot: { actor: { high: 0, low: 1 }, counter: 1 },
    time: 1,
    value: encodeValue("older"),
  };
  const broken = { dot: { actor: { high: 0, low: 2 }, counter: 1 }, time: 2, value: Buffer.of(99) };
  expect(picked(lww(), [older, broken])).toEqual([broken]);
});
