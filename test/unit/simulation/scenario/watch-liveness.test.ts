import { describe, expect, test } from "vitest";
import { Draw } from "../../../../src/simulation/scenario/draw.ts";
import { WatchedKeys } from "../../../../src/simulation/scenario/leaderless/watched-keys.ts";
import { RaftWatches } from "../../../../src/simulation/scenario/raft/raft-watches.ts";

const STILL = { fraction: () => 0, uint32: () => 0 };

/** A node whose watch tells of these, and of nothing more. */
function sceneOf(...told: readonly object[]) {
  const driver = {
    runWhile: async (isNot: () => boolean) => {
      for (let turns = 0; turns < 50 && isNot(); turns += 1) await Promise.resolve();
      return !isNot();
    },
  };
  const watch = () => {
    const left = told.map((event, at) => ({ cursor: `c${at}`, ...event }));
    const next = () => {
      const value = left.shift();
      return value ? Promise.resolve({ done: false, value }) : new Promise(() => undefined);
    };
    return { [Symbol.asyncIterator]: () => ({ next }) };
  };
  const calls = { keyspaceOf: () => ({ watch }), alive: (_node: unknown, asked: unknown) => asked };
  const world = {
    driver,
    running: () => [{ id: "n1" }],
    random: () => STILL,
    time: { nowMs: 0, setTimer: () => undefined },
  };
  return { calls, world, plan: { name: "things" } } as never;
}

describe("a watch of leaderless keys", () => {
  async function found(...told: readonly object[]) {
    const keys = new WatchedKeys(sceneOf(...told), new Draw(STILL as never));

    keys.begin();
    await keys.readAtTheEnd();
    return keys.violations();
  }

  test("that is never in step in the end is found", async () => {
    expect(await found({ type: "put", key: "watched/1" })).toEqual([
      { check: "watch-liveness", message: "the watch is never in step in the end" },
    ]);
  });
});

describe("a watch of a raft keyspace", () => {
  async function found(...told: readonly object[]) {
    const violations: (readonly [check: string, message: string])[] = [];
    const records = {
      violate: (check: string, message: string) => violations.push([check, message]),
    };
    const watches = new RaftWatches(sceneOf(...told), records as never);
    expect(watches.isOn).toBe(true);
    const going = watches.goOnForGood();
    watches.begin();
    await going;
    await watches.demandToldOf(["v1"], 0);
    return violations.map(([check, message]) => `${check}: ${message}`);
  }

  test("that is never in step in the end is found, and one that is not told of a write", async () => {
    expect(await found()).toEqual([
      "watch-liveness: w0 is never in step in the end: at n1 since 0 ms",
      "watch-liveness: w0 was not told of v1: at n1 since 0 ms",
    ]);
  });

  test("that is in step, and not told of a write, is found", async () => {
    expect(await found({ type: "synced" })).toEqual([
      "watch-liveness: w0 was not told of v1: at n1 since 0 ms",
    ]);
  });

  test("that is in step and told of it, or of a gap, is not", async () => {
    expect(await found({ type: "synced" }, { type: "put", value: "v1" })).toEqual([]);
    expect(await found({ type: "synced" }, { type: "gap" })).toEqual([]);
  });
});
