import { expect, test } from "vitest";
import type { Draw } from "../../../../../src/simulation/scenario/draw.ts";
import {
  SessionKeys,
  type Versions,
} from "../../../../../src/simulation/scenario/leaderless/session-keys.ts";
import type { KeyspaceScene } from "../../../../../src/simulation/scenario/strategy-scenario.ts";
import type { SimNode } from "../../../../../src/simulation/sim-node.ts";

/** Versions are times; one of a floor has an `f` before it. */
const versions: Versions = {
  covers: (_key, found, seen) => timeOf(found) >= timeOf(seen),
  isFloor: (_key, version) => version.startsWith("f"),
};

function timeOf(version: string): number {
  return Number(version.replace("f", ""));
}

/** One client reads one key so often, and finds these versions; nothing is alive by a floor. */
async function violationsOf(...found: readonly (string | undefined)[]): Promise<number> {
  let reads = 0;
  const get = async () => {
    const version = found[reads++];
    const isFound = version !== undefined && versions.isFloor("", version) === false;
    return { found: isFound, conflict: false, value: "v", version, session: "token" };
  };
  const calls = {
    keyspaceOf: () => ({ get }),
    alive: (_node: unknown, asked: unknown) => asked,
    noteOk: () => undefined,
    noteFault: (_client: string, _key: string, error: unknown) => {
      throw error;
    },
  };
  const scene = { calls, world: { time: { nowMs: 0 } }, plan: { name: "things" } };
  const keys = new SessionKeys(scene as unknown as KeyspaceScene, versions);
  const draw = { chance: () => false, pick: <T>([first]: T[]) => first, whole: () => 0 };
  for (const _ of found) {
    const node = { id: "n1" } as SimNode;
    await keys.operate("c1", draw as unknown as Draw, node, () => undefined);
  }
  return keys.violations().length;
}

test("an older version than the session has read is less", async () => {
  expect(await violationsOf("5", "4")).toBe(1);
  expect(await violationsOf("5", undefined)).toBe(1);
  expect(await violationsOf("5", "f4")).toBe(1);
  expect(await violationsOf("5", "5", "6", "f7")).toBe(0);
});

test("the floor of a replica that has not heard of the next one is not less than that", async () => {
  expect(await violationsOf("f5", "f4")).toBe(0);
  expect(await violationsOf("f5", undefined)).toBe(0);
  expect(await violationsOf("f5", "6")).toBe(0);
});

test("a version that was settled as gone is less than the floor that said so", async () => {
  expect(await violationsOf("f5", "4")).toBe(1);
});
