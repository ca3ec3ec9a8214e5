import { expect, test } from "vitest";
import { resolveConfiguration } from "../../../../../src/core/model/configuration.ts";
import { KeyspaceTopology } from "../../../../../src/simulation/scenario/topology.ts";
import { groupOf, LOCAL_GROUPS } from "../../../../../src/simulation/scenario/tunable/groups.ts";
import { LocalKeys } from "../../../../../src/simulation/scenario/tunable/local-keys.ts";

const EAST = ["n1", "n2", "n3"];
const WEST = ["n4", "n5"];
const KEYS_PER_GROUP = 2;

function topologyOf(replicas: number): KeyspaceTopology {
  const nodes = [...EAST, ...WEST].map((id) => [
    id,
    { datacenter: EAST.includes(id) ? "east" : "west" },
  ]);
  const { keyspaces, cluster } = resolveConfiguration({
    cluster: { nodes: Object.fromEntries(nodes) },
    transport: { type: "nats" },
    keyspaces: { things: { replicas, shards: 1 } },
  });
  const [keyspace] = keyspaces;
  if (keyspace === undefined) throw new Error("there is no keyspace");
  return new KeyspaceTopology(keyspace, cluster.nodes);
}

const [LOCAL, EACH] = LOCAL_GROUPS as [(typeof LOCAL_GROUPS)[0], (typeof LOCAL_GROUPS)[0]];

test("each datacenter has keys of its own, and all share those of each-quorum", () => {
  const keys = new LocalKeys([EAST, WEST], topologyOf(5), KEYS_PER_GROUP);
  expect(keys.all()).toEqual([
    ...["local@n1/1", "local@n1/2", "local@n4/1", "local@n4/2"],
    ...["each-local/1", "each-local/2"],
  ]);
  const key = keys.nameFor(LOCAL, "n5", 2);
  expect(key).toBe("local@n4/2");
  expect([groupOf(key), groupOf(keys.nameFor(EACH, "n5", 2))]).toEqual([LOCAL, EACH]);
  expect([...EAST, ...WEST].filter((id) => keys.mayUse(key, id))).toEqual(WEST);
  expect([...EAST, ...WEST].filter((id) => keys.mayUse("each-local/1", id))).toHaveLength(5);
  expect([keys.homeOf(key), keys.homeOf("quorum/1")]).toEqual(["n4", undefined]);
  expect(new LocalKeys([], topologyOf(5), KEYS_PER_GROUP).all()).toEqual([]);
});

test("nothing is promised where a datacenter has one copy, nor once the shard was moved", () => {
  const held = (replicas: number) => {
    const keys = new LocalKeys([EAST, WEST], topologyOf(replicas), KEYS_PER_GROUP);
    return ["local@n1/1", "local@n4/1", "each-local/1"].map((key) => keys.isHeldTo(key));
  };
  expect(held(5)).toEqual([true, true, true]);
  expect(held(2)).toEqual([false, false, true]);
  const topology = topologyOf(5);
  const keys = new LocalKeys([EAST, WEST], topology, KEYS_PER_GROUP);
  topology.mayMoveTo(0, ["n1", "n2"]);
  expect(keys.all().filter((key) => keys.isHeldTo(key))).toEqual([]);
});
