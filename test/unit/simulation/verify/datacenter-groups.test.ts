import { expect, test } from "vitest";
import type { ResolvedNode } from "../../../../src/core/model/configuration-types.ts";
import { KeyspaceTopology } from "../../../../src/simulation/scenario/topology.ts";
import { inEachDatacenter, isLocal } from "../../../../src/simulation/verify/datacenter-groups.ts";
import { inspectSubject } from "../../../../src/simulation/verify/subject.ts";

const EAST = ["n1", "n2", "n3"];
const WEST = ["n4", "n5"];
const PAIR = { write: "local-quorum", read: "local-quorum" } as const;
const GROUP = { name: "local-quorum", pair: PAIR, workload: "register", keys: ["1", "2"] } as const;

function clusterOf(datacenters: Readonly<Record<string, readonly string[]>>) {
  const pairs = Object.entries(datacenters).flatMap(([datacenter, ids]) =>
    ids.map((id) => [id, { datacenter }]),
  );
  return { nodes: Object.fromEntries(pairs) };
}

function subjectOf(datacenters: Readonly<Record<string, readonly string[]>>, replicas: number) {
  const configuration = {
    ...{ cluster: clusterOf(datacenters), transport: { type: "nats" } },
    ...{ storage: { type: "disk", path: "./data" }, keyspaces: { profiles: { replicas } } },
  };
  return inspectSubject(configuration, "profiles");
}

test("keys of a datacenter lie where a majority of it is more than one copy", async () => {
  const { keyspace, resolved } = await subjectOf({ east: EAST, west: WEST }, 4);
  const nodes: readonly ResolvedNode[] = resolved.cluster.nodes;
  const place = new KeyspaceTopology(keyspace, nodes);
  const groups = inEachDatacenter(GROUP, [EAST, WEST], place);
  expect(groups.map(({ name, nodes: own }) => [name, own])).toEqual([
    ["local-quorum/n1", EAST],
    ["local-quorum/n4", WEST],
  ]);
  for (const { keys, nodes: own } of groups) {
    expect(keys).toHaveLength(2);
    for (const key of keys) {
      const near = place.newestOf(place.shardOf(key)).filter((id) => own?.includes(id));
      expect(near.length).toBeGreaterThanOrEqual(2);
    }
  }
});

test("with one copy in each datacenter the group stays as it is", async () => {
  const { keyspace, resolved } = await subjectOf({ east: EAST, west: WEST }, 2);
  const place = new KeyspaceTopology(keyspace, resolved.cluster.nodes);
  expect(inEachDatacenter(GROUP, [EAST, WEST], place)).toEqual([GROUP]);
});

test("a level for reads or writes alone is not about one datacenter", () => {
  expect(isLocal(PAIR)).toBe(true);
  expect(isLocal({ ...PAIR, write: "each-quorum" })).toBe(false);
  expect(isLocal({ ...PAIR, read: "quorum" })).toBe(false);
});

test("of too many nodes some of each datacenter are simulated", async () => {
  const nine = { east: ["a1", "a2", "a3", "a4", "a5", "a6"], west: ["b1", "b2", "b3"] };
  const { nodes, datacenters } = await subjectOf(nine, 3);
  expect(nodes).toEqual(["a1", "a2", "a3", "a4", "b1", "b2", "b3"]);
  expect(datacenters).toMatchObject({ a1: "east", b3: "west" });
  expect((await subjectOf({ east: EAST }, 3)).datacenters).toBeUndefined();
});
