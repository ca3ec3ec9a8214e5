import { expect, test } from "vitest";
import type { Draw } from "../../../../../src/simulation/scenario/draw.ts";
import { ExpiringKeys } from "../../../../../src/simulation/scenario/leaderless/expiring-keys.ts";
import type { KeyspaceScene } from "../../../../../src/simulation/scenario/strategy-scenario.ts";
import type { SimNode } from "../../../../../src/simulation/sim-node.ts";

const TTL_MS = 100;
const VERSION = "version";
/** Of n1; that of n2 is right. */
const AHEAD_MS = 50;

interface Answer {
  readonly atMs: number;
  readonly isFound: boolean;
}

/** A put at the beginning, and then what one node answers; the checks that this violates. */
async function judge(strategy: string, at: string, answers: readonly Answer[]) {
  const time = { nowMs: 0 };
  const nodes = ["n1", "n2"].map((id) => ({
    id,
    starts: 1,
    clock: { aheadMs: id === "n1" ? AHEAD_MS : 0 },
  }));
  let value: unknown;
  let isFound = true;
  const keyspace = {
    put: async (_key: string, put: unknown) => {
      value = put;
      return { version: VERSION };
    },
    get: async () => ({ found: isFound, conflict: false, value, version: VERSION }),
  };
  const calls = {
    begun: 1,
    keyspaceOf: () => keyspace,
    alive: (_node: unknown, asked: unknown) => asked,
    noteOk: () => undefined,
    noteFault: (_client: string, _key: string, error: unknown) => {
      throw error;
    },
  };
  const scene = { calls, world: { time, nodes }, plan: { name: "things", strategy } };
  const keys = new ExpiringKeys(scene as unknown as KeyspaceScene);
  const node = nodes.find(({ id }) => id === at) as unknown as SimNode;
  const operate = (isPut: boolean) => {
    const chances = isPut ? [true, false] : [false];
    const draw = {
      chance: () => chances.shift(),
      pick: <T>([first]: T[]) => first,
      magnitude: () => TTL_MS,
    };
    return keys.operate("c1", draw as unknown as Draw, node, () => undefined);
  };
  keys.look();
  await operate(true);
  for (const answer of answers) {
    time.nowMs = answer.atMs;
    isFound = answer.isFound;
    await operate(false);
  }
  return keys.judge().map(({ check }) => check);
}

const gone = (atMs: number): Answer => ({ atMs, isFound: false });
const found = (atMs: number): Answer => ({ atMs, isFound: true });

test("a tunable node that has shown a value as gone does not show it again", async () => {
  expect(await judge("tunable", "n2", [gone(60), found(70)])).toEqual(["expired-back"]);
  expect(await judge("tunable", "n2", [found(60), gone(70)])).toEqual([]);
});

test("a dynamo node does not, once its own clock has come to the end", async () => {
  expect(await judge("dynamo", "n1", [gone(103), found(110)])).toEqual(["expired-back"]);
  // The tombstone was of a replica whose clock is ahead, and somebody else's answered afterwards.
  expect(await judge("dynamo", "n2", [gone(103), found(110)])).toEqual([]);
});

test("no value goes before any clock has come to its end, nor stays when all have", async () => {
  for (const strategy of ["tunable", "dynamo"]) {
    expect(await judge(strategy, "n1", [gone(40)])).toEqual(["expired-early"]);
    expect(await judge(strategy, "n1", [found(160)])).toEqual(["expired-value"]);
  }
});
