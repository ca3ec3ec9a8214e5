import { describe, expect, test } from "vitest";
import { KeyspaceTopology } from "../../../../src/simulation/scenario/topology.ts";
import { cautionsOf } from "../../../../src/simulation/verify/cautions.ts";
import { sideGroups } from "../../../../src/simulation/verify/side-groups.ts";
import { inspectSubject, type Subject } from "../../../../src/simulation/verify/subject.ts";

function subjectOf(keyspace: object): Promise<Subject> {
  const configuration = {
    cluster: { nodes: ["n1", "n2", "n3"] },
    transport: { type: "nats" },
    storage: { type: "disk", path: "./data" },
    keyspaces: { profiles: keyspace },
  };
  return inspectSubject(configuration, "profiles");
}

function topologyOf({ keyspace, resolved }: Subject): KeyspaceTopology {
  return new KeyspaceTopology(keyspace, resolved.cluster.nodes);
}

async function groupsOf(keyspace: object) {
  const subject = await subjectOf(keyspace);
  return sideGroups(subject, topologyOf(subject)).map(({ workload, pair }) => [workload, pair]);
}

const STRONG = { write: "strong", read: "strong" };
const QUORUM = { write: "quorum", read: "quorum" };

/** A schema that takes what passes the condition. */
function schemaOf(isTaken: (value: unknown) => boolean): object {
  const validate = (value: unknown) =>
    isTaken(value) ? { value } : { issues: [{ message: "refused" }] };
  return { "~standard": { version: 1, vendor: "test", validate } };
}

describe("what is tried beside the levels", () => {
  test("conditions and batches, at the levels that promise something of both", async () => {
    expect(await groupsOf({ strategy: "raft" })).toEqual([
      ["conditions", STRONG],
      ["batches", STRONG],
    ]);
    expect(await groupsOf({ strategy: "raft", read: "stale" })).toEqual([
      ["conditions", expect.objectContaining({ read: expect.not.stringMatching("stale") })],
      ["batches", expect.objectContaining({ read: expect.not.stringMatching("stale") })],
    ]);
  });

  test("batches where conditions are not offered", async () => {
    expect(await groupsOf({})).toEqual([["batches", QUORUM]]);
    expect(await groupsOf({ strategy: "dynamo" })).toEqual([["batches", QUORUM]]);
  });

  test("neither where values cannot be written, or are merged", async () => {
    expect(await groupsOf({ strategy: "dynamo", resolver: "or-map" })).toEqual([]);
    expect(await groupsOf({ strategy: "dynamo", resolver: "union" })).toEqual([]);
  });

  test("the keys of a batch that is all or nothing lie in one shard", async () => {
    const subject = await subjectOf({ strategy: "raft", shards: 32 });
    const topology = topologyOf(subject);
    const batches = sideGroups(subject, topology).find(({ workload }) => workload === "batches");
    const shards = new Set(batches?.keys.map((key) => topology.shardOf(key)));
    expect(batches?.keys).toHaveLength(3);
    expect(shards.size).toBe(1);
  });

  test("conditions are not tried where two writes may have one value, and that is said", async () => {
    const schema = schemaOf((value) => typeof value === "boolean");
    const subject = await subjectOf({ strategy: "raft", schema });
    const groups = sideGroups(subject, topologyOf(subject));
    expect(groups.map(({ workload }) => workload)).toEqual(["batches"]);
    const cautions = cautionsOf(subject, "register");
    expect(cautions.map(({ code }) => code)).toEqual(["conditions-not-tried"]);
  });
});
