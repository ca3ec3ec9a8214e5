import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keyspaceHash } from "../../../../src/core/model/hash.ts";
import type { NodeId } from "../../../../src/core/model/ids.ts";
import {
  type PlacementNode,
  type PlacementRequest,
  placeShard,
} from "../../../../src/core/model/placement.ts";

const KEYSPACE = keyspaceHash("default");
const SHARDS = 2000;

describe("placeShard", () => {
  test("is what it has always been", () => {
    const nodes = cluster(["a", "b", "c", "d", "e"]);
    expect(place({ nodes, shardIndex: 7, replicas: 3 })).toEqual({
      replicas: ["b", "c", "a"],
      standIns: ["d", "e"],
    });
  });

  test("gives every node where there are fewer than replicas", () => {
    const { replicas, standIns } = place({ nodes: cluster(["a", "b"]), replicas: 3 });
    expect([...replicas].sort()).toEqual(["a", "b"]);
    expect(standIns).toEqual([]);
  });

  test("names as many stand-ins as asked, the next in the same order", () => {
    const nodes = cluster(["a", "b", "c", "d", "e", "f", "g", "h"]);
    const all = place({ nodes, replicas: 8 }).replicas;
    expect(place({ nodes, replicas: 3 })).toEqual({
      replicas: all.slice(0, 3),
      standIns: all.slice(3, 6),
    });
    expect(place({ nodes, replicas: 3, standIns: 1 }).standIns).toEqual(all.slice(3, 4));
    expect(place({ nodes, replicas: 3, standIns: 9 }).standIns).toEqual(all.slice(3));
  });

  test("does not depend on the order of its input", () => {
    fc.assert(
      fc.property(someCluster().chain(withShuffled), fc.nat(5), ([nodes, shuffled], shardIndex) => {
        const replicas = 3;
        expect(place({ nodes: shuffled, shardIndex, replicas })).toEqual(
          place({ nodes, shardIndex, replicas }),
        );
      }),
      { numRuns: 100 },
    );
  });

  test("gives no datacenter a second turn before each with a free node had its turn", () => {
    fc.assert(
      fc.property(someCluster(), fc.nat(50), fc.integer({ min: 1, max: 7 }), (nodes, shard, n) => {
        const { replicas } = place({ nodes, shardIndex: shard, replicas: n });
        const held = countBy(nodes.filter(({ id }) => replicas.includes(id)));
        const capacity = countBy(nodes);
        const most = Math.max(...held.values());
        for (const [datacenter, nodesThere] of capacity) {
          const here = held.get(datacenter) ?? 0;
          expect(here === nodesThere || here >= most - 1).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });

  test("changes at most one replica of a shard when one node joins or leaves", () => {
    fc.assert(
      fc.property(
        someCluster(),
        fc.constantFrom("east", "west", "north"),
        fc.integer({ min: 1, max: 5 }),
        (nodes, datacenter, replicas) => {
          const joined = [...nodes, { id: "joiner" as NodeId, datacenter }];
          for (let shardIndex = 0; shardIndex < 20; shardIndex++) {
            const before = place({ nodes, shardIndex, replicas }).replicas;
            const after = place({ nodes: joined, shardIndex, replicas }).replicas;
            expect(before.filter((id) => !after.includes(id)).length).toBeLessThanOrEqual(1);
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  test("a joining node of one datacenter takes its share of shards and moves nothing else", () => {
    const nodes = cluster(["a", "b", "c", "d"]);
    const joined = cluster(["a", "b", "c", "d", "e"]);
    let taken = 0;
    for (let shardIndex = 0; shardIndex < SHARDS; shardIndex++) {
      const before = place({ nodes, shardIndex, replicas: 3 }).replicas;
      const after = place({ nodes: joined, shardIndex, replicas: 3 }).replicas;
      const gained = after.filter((id) => !before.includes(id));
      expect(gained.every((id) => id === "e")).toBe(true);
      taken += gained.length;
    }
    // Three replicas of five nodes: each node holds 60 % of the shards.
    expect(taken / SHARDS).toBeGreaterThan(0.55);
    expect(taken / SHARDS).toBeLessThan(0.65);
  });

  test.each([
    { name: "numbered names", ids: ["n1", "n2", "n3", "n4", "n5"] },
    { name: "names that share a prefix", ids: ["orders-1", "orders-2", "orders-3", "orders-10"] },
    { name: "names of all lengths", ids: ["a", "bb", "ccc", "dddddddddddd", "e.e_e-e"] },
  ])("spreads shards evenly over $name", ({ ids }) => {
    const firsts = new Map<string, number>();
    const copies = new Map<string, number>();
    for (let shardIndex = 0; shardIndex < SHARDS; shardIndex++) {
      const { replicas } = place({ nodes: cluster(ids), shardIndex, replicas: 3 });
      for (const id of replicas) copies.set(id, (copies.get(id) ?? 0) + 1);
      const first = replicas[0] as string;
      firsts.set(first, (firsts.get(first) ?? 0) + 1);
    }
    for (const id of ids) {
      expectShare(firsts.get(id), SHARDS / ids.length);
      expectShare(copies.get(id), (3 * SHARDS) / ids.length);
    }
  });
});

function place(
  request: Omit<PlacementRequest, "keyspaceHash" | "shardIndex"> & Partial<PlacementRequest>,
) {
  return placeShard({ keyspaceHash: KEYSPACE, shardIndex: 0, ...request });
}

/** Three standard deviations of the rarer of the two counts are 13 %. */
function expectShare(actual: number | undefined, fair: number): void {
  expect((actual ?? 0) / fair).toBeGreaterThan(0.85);
  expect((actual ?? 0) / fair).toBeLessThan(1.15);
}

function cluster(ids: readonly string[], datacenter = "default"): PlacementNode[] {
  return ids.map((id) => ({ id: id as NodeId, datacenter }));
}

function someCluster(): fc.Arbitrary<PlacementNode[]> {
  const node = fc.record({
    id: fc.stringMatching(/^[a-z0-9]{1,6}$/).map((id) => id as NodeId),
    datacenter: fc.constantFrom("east", "west", "south"),
  });
  return fc.uniqueArray(node, { minLength: 1, maxLength: 12, selector: ({ id }) => id });
}

function withShuffled(nodes: PlacementNode[]): fc.Arbitrary<[PlacementNode[], PlacementNode[]]> {
  const shuffled = fc.shuffledSubarray(nodes, { minLength: nodes.length });
  return shuffled.map((each) => [nodes, each]);
}

function countBy(nodes: readonly PlacementNode[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { datacenter } of nodes) counts.set(datacenter, (counts.get(datacenter) ?? 0) + 1);
  return counts;
}
