import { describe, expect, test } from "vitest";
import { DerivedState } from "../../../../../src/simulation/scenario/leaderless/derived-state.ts";
import { ShardMoves } from "../../../../../src/simulation/scenario/leaderless/shard-moves.ts";
import type { KeyspaceScene } from "../../../../../src/simulation/scenario/strategy-scenario.ts";

/** Virtual time that is always over: whatever is waited for comes at once, or never. */
const driver = { runWhile: async (isNot: () => boolean) => !isNot() };

const STILL = { fraction: () => 0, uint32: () => 0 };

describe("hints that are never handed over", () => {
  function sceneWith(held: number): KeyspaceScene {
    const shards = [{ shard: 3, hints: { held } }];
    const keyspace = () => ({ describe: () => ({ shards }) });
    const node = { id: "n2", disk: {}, life: { store: { keyspace } } };
    const world = { driver, running: () => [node] };
    return { world, plan: { name: "things" }, keyspace: { keyspace: { hash: 7 } } } as never;
  }

  test("are found, with their shard and their node", async () => {
    const derived = new DerivedState(sceneWith(2));
    await derived.compareAtTheEnd();
    expect(derived.violations).toEqual([
      { check: "left-hints", message: "in the end hints are left for shards 3 at n2" },
    ]);
  });

  test("none are found where none are left", async () => {
    const derived = new DerivedState(sceneWith(0));
    await derived.compareAtTheEnd();
    expect(derived.violations).toEqual([]);
  });
});

describe("a copy at a node that holds the shard no longer", () => {
  /** Of one shard, placed at three of four nodes. */
  function movesWith(holders: readonly string[]): ShardMoves {
    const nodes = ["n1", "n2", "n3", "n4"].map((id) => {
      const entries = holders.includes(id) ? [{ key: "a", value: "1" }] : [];
      const view = () => ({ range: () => ({ entries }), close: () => undefined });
      return { id, disk: { storage: { state: { view } } } };
    });
    const time = { nowMs: 0, setTimer: () => undefined };
    const world = { driver, nodes, time, random: () => STILL };
    const keyspace = { keyspace: { hash: 7, shards: 1 }, decidersOf: () => [["n1", "n2", "n3"]] };
    return new ShardMoves({ world, keyspace, plan: { name: "things" } } as never);
  }

  test("is found once shards were moved", async () => {
    const moves = movesWith(["n1", "n2", "n3", "n4"]);
    moves.begin();
    await moves.demandLeft();
    expect(moves.violations).toEqual([
      {
        check: "left-copy",
        message: "in the end copies are left at nodes that hold them no longer: 0 at n4",
      },
    ]);
  });

  test("none is found where those alone have one that hold the shard", async () => {
    const moves = movesWith(["n1", "n3"]);
    moves.begin();
    await moves.demandLeft();
    expect(moves.violations).toEqual([]);
  });
});
