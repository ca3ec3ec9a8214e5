import { describe, expect, test } from "vitest";
import { ContextTokens } from "../../../../../src/built-ins.ts";
import { encodeValue } from "../../../../../src/core/model/values.ts";
import { DynamoCopies } from "../../../../../src/simulation/scenario/dynamo/copies.ts";
import type { KeyspaceTopology } from "../../../../../src/simulation/scenario/topology.ts";
import type { SimWorld } from "../../../../../src/simulation/sim-world.ts";
import { CausalContext } from "../../../../../src/strategies/dynamo/causal-context.ts";
import {
  encodeRecord,
  NOTHING,
  type Sibling,
} from "../../../../../src/strategies/dynamo/dotted-record.ts";

const HASH = 7;
const tokens = new ContextTokens("things", HASH, undefined);
const copies = makeCopies();

function makeCopies(): DynamoCopies {
  const topology = { keyspace: { name: "things", hash: HASH } } as unknown as KeyspaceTopology;
  return new DynamoCopies({} as SimWorld, topology);
}

function versionOf(context: CausalContext): string {
  return tokens.tokenOf(Buffer.from("a"), context, 0);
}

const gone = { actor: { high: 1, low: 1 }, counter: 7, time: 40 };
const earlier = { actor: { high: 2, low: 1 }, counter: 3, time: 30 };
const later = { actor: { high: 3, low: 1 }, counter: 1, time: 90 };
const written = versionOf(CausalContext.of([earlier, gone]));

test("an event that a floor alone covers is not known by its name", () => {
  const found = versionOf(CausalContext.upTo(50).with(later));
  expect(copies.covers("a", found, written)).toBe(true);
  expect(copies.names("a", found, written)).toBe(false);
});

test("an event is known by its name, whatever the write had seen before it", () => {
  const found = versionOf(CausalContext.upTo(35).with(gone).with(later));
  expect(copies.names("a", found, written)).toBe(true);
});

test("an earlier event of the same actor does not name a later one", () => {
  const found = versionOf(CausalContext.of([{ ...gone, counter: 6, time: 39 }]));
  expect(copies.names("a", found, written)).toBe(false);
});

describe("a read within a session", () => {
  const b = { actor: { high: 4, low: 1 }, counter: 2, time: 60 };
  const oneBytes = encodeValue("one");
  const shown = (context: CausalContext, values: readonly string[] = [], isAll = true) => ({
    version: versionOf(context),
    values,
    isAll,
  });
  const floor = (time: number) => shown(CausalContext.upTo(time));

  function copiesWith(...siblings: readonly Sibling[]): DynamoCopies {
    const known = makeCopies();
    const context = CausalContext.of(siblings.map(({ dot, time }) => ({ ...dot, time })));
    known.noteNames("a", encodeRecord({ ...NOTHING, context, newestTime: 90, siblings }));
    return known;
  }

  test("shows no less where another replica has an earlier floor, or none yet", () => {
    expect(copies.isLess("a", floor(40), floor(50))).toBe(false);
    expect(copies.isLess("a", undefined, floor(50))).toBe(false);
    const named = shown(CausalContext.of([b]), ["two"]);
    const above = shown(CausalContext.upTo(50).with(b), ["two"]);
    expect(copies.isLess("a", named, above)).toBe(false);
  });

  test("shows less without an event that the session has seen by its name", () => {
    const seen = shown(CausalContext.of([b]), ["two"], false);
    expect(copies.isLess("a", floor(50), seen)).toBe(true);
    expect(copies.isLess("a", undefined, seen)).toBe(true);
    expect(copies.isLess("a", floor(60), seen)).toBe(false);
  });

  test("shows less without a version below the floor that stood beside a newer one", () => {
    const known = copiesWith({ dot: gone, time: gone.time, value: oneBytes });
    const seen = shown(CausalContext.upTo(50).with(b), ["one", "two"]);
    expect(known.isLess("a", shown(CausalContext.of([b]), ["two"]), seen)).toBe(true);
    const replaced = shown(CausalContext.upTo(50).with(b).with(later), ["three"]);
    expect(known.isLess("a", replaced, seen)).toBe(false);
  });

  test("shows less with a version that the session knows to be replaced", () => {
    const known = copiesWith({ dot: gone, time: gone.time, value: oneBytes });
    const back = shown(CausalContext.of([gone]), ["one"]);
    expect(known.isLess("a", back, floor(50))).toBe(true);
    expect(known.isLess("a", back, floor(30))).toBe(false);
  });
});
