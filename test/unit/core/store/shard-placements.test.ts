import { expect, test } from "vitest";
import type {
  ResolvedKeyspace,
  ResolvedNode,
} from "../../../../src/core/model/configuration-types.ts";
import type { Epoch, NodeId } from "../../../../src/core/model/ids.ts";
import { ShardPlacements } from "../../../../src/core/store/shard-placements.ts";

const NODES = ["n1", "n2", "n3", "n4"].map(
  (id): ResolvedNode => ({
    id: id as NodeId,
    peer: undefined,
    http: undefined,
    datacenter: "",
  }),
);

function placements(): ShardPlacements {
  return new ShardPlacements({ hash: 7, shards: 2, replicas: 2 } as ResolvedKeyspace, NODES);
}

function mapOf(epoch: number, replicas: readonly string[]) {
  return { epoch: epoch as Epoch, replicas: replicas as readonly NodeId[] };
}

test("each shard is held at first by as many nodes as the keyspace asks for", () => {
  for (const { epoch, replicas, standIns } of placements().all) {
    expect([epoch, replicas.length, standIns.length]).toEqual([1, 2, 2]);
    expect(new Set([...replicas, ...standIns]).size).toBe(4);
  }
});

test("a newer map says who holds its shard, and leaves the others", () => {
  const known = placements();
  const before = known.of(0);
  const placed = known.place(1, mapOf(2, ["n1", "n4"]));
  expect(known.of(1)).toBe(placed);
  expect(placed?.replicas).toEqual(["n1", "n4"]);
  expect([...(placed?.standIns ?? [])].sort()).toEqual(["n2", "n3"]);
  expect(placed?.others).toEqual(["n2", "n3"]);
  expect(known.of(0)).toBe(before);
});

test("whoever comes or goes by a change that is pending does not stand in", () => {
  const pending = ["n2"] as NodeId[];
  const leaving = ["n3"] as NodeId[];
  const placed = placements().place(0, { ...mapOf(2, ["n1"]), pending, leaving });
  expect([placed?.standIns, placed?.others]).toEqual([["n4"], ["n4"]]);
});

test("an older map, or the same again, changes nothing", () => {
  const known = placements();
  known.place(0, mapOf(3, ["n1", "n4"]));
  expect(known.place(0, mapOf(3, ["n2"]))).toBeUndefined();
  expect(known.place(0, mapOf(2, ["n2"]))).toBeUndefined();
  expect(known.of(0).replicas).toEqual(["n1", "n4"]);
});
