import { expect, test } from "vitest";
import { ContextTokens } from "../../../../../src/built-ins.ts";
import { DynamoCopies } from "../../../../../src/simulation/scenario/dynamo/copies.ts";
import type { KeyspaceTopology } from "../../../../../src/simulation/scenario/topology.ts";
import type { SimWorld } from "../../../../../src/simulation/sim-world.ts";
import { CausalContext } from "../../../../../src/strategies/dynamo/causal-context.ts";

const HASH = 7;
const tokens = new ContextTokens("things", HASH, undefined);
const copies = new DynamoCopies(
  {} as SimWorld,
  { keyspace: { name: "things", hash: HASH } } as unknown as KeyspaceTopology,
);

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
