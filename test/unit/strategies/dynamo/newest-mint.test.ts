import fc from "fast-check";
import { expect, test } from "vitest";
import type { Actor } from "../../../../src/core/model/stamp.ts";
import { lww } from "../../../../src/resolvers/index.ts";
import {
  CausalContext,
  CONTEXT_ENTRY_BYTES,
} from "../../../../src/strategies/dynamo/causal-context.ts";
import { MAX_CONTEXT_BYTES } from "../../../../src/strategies/dynamo/context-token.ts";
import {
  checkRecord,
  type DottedRecord,
  decodeRecord,
  encodeRecord,
  keyDottedRecord,
  NOTHING,
  type Sibling,
} from "../../../../src/strategies/dynamo/dotted-record.ts";
import { mergeRecords } from "../../../../src/strategies/dynamo/dotted-rules.ts";
import { settledUpTo } from "../../../../src/strategies/dynamo/dotted-settling.ts";
import { mint } from "../../../../src/strategies/dynamo/mint.ts";
import { mintNewest, type NewestVersion } from "../../../../src/strategies/dynamo/newest-mint.ts";
import { settlementOf } from "../../../../src/strategies/dynamo/settlement.ts";

const LWW = settlementOf(lww());
const ACTORS: readonly Actor[] = [
  { high: 0, low: 7 },
  { high: 1, low: 0xffff_fff0 },
  { high: 1, low: 0xffff_fff1 },
  { high: 0xffff_ffff, low: 0 },
];
const KEY = Buffer.from("key");

interface Step {
  readonly actor: number;
  readonly text: string | undefined;
  readonly expiresAtMs: number | undefined;
  /** Upon a copy of its own, which the other is merged with then. */
  readonly apart: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
  actor: fc.nat(ACTORS.length - 1),
  text: fc.constantFrom(undefined, "", "value", "x".repeat(300)),
  expiresAtMs: fc.constantFrom(undefined, undefined, 2 ** 40 + 1),
  apart: fc.boolean(),
});

/** What is held after these steps, and the version that comes next. */
function versionOf(step: Step, counter: number, time: number): NewestVersion {
  const { actor, text, expiresAtMs } = step;
  const value = text === undefined ? undefined : Buffer.from(text);
  return { key: KEY, value, expiresAtMs, actor: ACTORS[actor] as Actor, counter, time };
}

/** As a replica does it where there is more to be done. */
function read(held: DottedRecord, version: NewestVersion, settledTo: number): DottedRecord {
  const { value, expiresAtMs, actor, counter, time } = version;
  const type = value === undefined ? "delete" : "put";
  const event = { type, value, seen: undefined, expiresAtMs } as const;
  const minted = mint(LWW, held, event, { actor, counter }, time);
  if (minted.type !== "record") throw new Error(minted.type);
  return settledUpTo(minted.record, settledTo);
}

function nothing(floor: number): DottedRecord {
  return { ...NOTHING, context: CausalContext.upTo(floor), newestTime: floor };
}

function heldAfter(steps: readonly Step[], floor: number, spacing: number): DottedRecord {
  let held = nothing(floor);
  steps.forEach((each, at) => {
    const version = versionOf(each, at + 1, floor + (at + 1) * spacing);
    const upon = each.apart ? nothing(floor) : held;
    held = mergeRecords(LWW, held, read(upon, version, floor));
  });
  return held;
}

test("what is made out of bytes is what reading, minting and writing make", () => {
  const met = { made: 0, passed: 0 };
  const cases = fc.property(
    fc.array(step, { maxLength: 6 }),
    step,
    fc.constantFrom(0, 0, 4_096, 2 ** 45),
    fc.constantFrom(1, 5_000, 2 ** 33),
    fc.constantFrom(0, 0, 0, 1, 2 ** 34),
    (steps, last, floor, spacing, risen) => {
      const held = heldAfter(steps, floor, spacing);
      const time = Math.max(held.newestTime, floor + risen) + 1;
      const version = versionOf(last, steps.length + 1, time);
      const isHeld = steps.length > 0;
      const settledTo = isHeld ? floor + risen : floor;
      const made = mintNewest(isHeld ? encodeRecord(held) : undefined, version, settledTo);
      const wanted = keyDottedRecord(KEY, read(held, version, settledTo));
      met[made === undefined ? "passed" : "made"]++;
      if (made !== undefined) expect(bytesOf(made)).toEqual(bytesOf(wanted));
      // Only names that a floor takes away are left to the other way.
      const others = held.context.entries.filter(
        ({ actor }) => actor.high !== version.actor.high || actor.low !== version.actor.low,
      );
      expect(made === undefined).toBe(others.some((entry) => entry.time <= settledTo));
    },
  );
  fc.assert(cases, { numRuns: 500 });
  expect(Math.min(met.made, met.passed)).toBeGreaterThan(20);
});

const bytesOf = ({ payload, key, record }: NonNullable<ReturnType<typeof mintNewest>>) =>
  [payload, key, record].map((each) => Buffer.from(each).toString("hex"));

const PUT = versionOf({ actor: 1, text: "new", expiresAtMs: undefined, apart: false }, 5, 900);

function holding(siblings: readonly Sibling[], newestTime = 700): Uint8Array {
  const context = CausalContext.of(siblings.map(({ dot, time }) => ({ ...dot, time })));
  return encodeRecord({ context, newestTime, siblings, states: [] });
}

const sibling = (actor: number, counter: number, time: number): Sibling => ({
  dot: { actor: ACTORS[actor] as Actor, counter },
  time,
  value: Buffer.from("old"),
});

test.each([
  ["another version that is not older", [sibling(0, 3, 700)], { ...PUT, time: 700 }],
  ["an event of the same name", [sibling(1, 5, 700)], PUT],
  ["an event of the same actor with a greater name", [sibling(1, 2 ** 47, 700)], PUT],
  [
    "versions side by side, of a time with another resolver",
    [sibling(0, 1, 6), sibling(1, 2, 7)],
    PUT,
  ],
] as const)("is left to who reads it: %s", (_name, siblings, version) => {
  expect(mintNewest(holding(siblings), version, 0)).toBeUndefined();
});

test("is left to who reads it: a base as late as the version, and a context that is full", () => {
  const settled = encodeRecord({ ...nothing(900), newestTime: 0 });
  expect(mintNewest(settled, PUT, 0)).toBeUndefined();
  expect(mintNewest(undefined, PUT, 900)).toBeUndefined();
  const room = Math.floor((MAX_CONTEXT_BYTES - 10) / CONTEXT_ENTRY_BYTES);
  const recordOf = (entries: number) => {
    const dots = Array.from({ length: entries }, (_, low) => ({
      ...{ actor: { high: 2, low }, counter: 1, time: 600 },
    }));
    return encodeRecord({ ...NOTHING, context: CausalContext.of(dots), newestTime: 600 });
  };
  const made = mintNewest(recordOf(room - 1), PUT, 0);
  expect(decodeRecord(made?.record as Uint8Array).context.entries).toHaveLength(room);
  expect(mintNewest(recordOf(room), PUT, 0)).toBeUndefined();
});

test("a record that was made so is one that is taken from others", () => {
  const made = mintNewest(holding([sibling(0, 3, 700)]), PUT, 0);
  expect(() => checkRecord(made?.record as Uint8Array)).not.toThrow();
});
