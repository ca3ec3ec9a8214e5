import { describe, expect, test } from "vitest";
import { type Caution, cautionsOf } from "../../../../src/simulation/verify/cautions.ts";
import { inspectSubject } from "../../../../src/simulation/verify/subject.ts";

const BASE = {
  cluster: { nodes: ["n1", "n2", "n3"] },
  transport: { type: "nats" },
  storage: { type: "disk", path: "./data" },
};

async function cautions(
  keyspace: object,
  more: object = {},
  workload: "register" | "counter" = "register",
): Promise<readonly Caution[]> {
  const configuration = { ...BASE, ...more, keyspaces: { profiles: keyspace } };
  return cautionsOf(await inspectSubject(configuration, "profiles"), workload);
}

function codes(found: readonly Caution[]): readonly string[] {
  return found.map(({ code }) => code);
}

const NODES_2 = { cluster: { nodes: ["n1", "n2"] } };

describe("what a configuration cannot promise", () => {
  test("nothing is said of three replicas at quorum on disk", async () => {
    expect(await cautions({})).toEqual([]);
  });

  test.each([
    ["one", "one"],
    ["one", "quorum"],
    ["quorum", "one"],
  ])("read %s and write %s need not meet", async (read, write) => {
    const [first] = await cautions({ read, write });
    expect(first?.code).toBe("reads-may-miss-writes");
    expect(first?.sentence).toContain("R + W <= N");
  });

  test("reads of all see everything, and writes at one still miss each other", async () => {
    const [first] = await cautions({ read: "all", write: "one" });
    expect(first?.sentence).toContain("2 W <= N");
  });

  test.each([
    ["quorum", "quorum"],
    ["one", "all"],
    ["strong", "strong"],
    ["two", "two"],
  ])("read %s and write %s meet", async (read, write) => {
    expect(await cautions({ read, write })).toEqual([]);
  });

  test("two replicas, one, and fewer nodes than replicas", async () => {
    expect(codes(await cautions({ replicas: 2 }))).toEqual(["two-replicas"]);
    expect(codes(await cautions({ replicas: 3 }, NODES_2))).toEqual(["degraded", "two-replicas"]);
    expect(codes(await cautions({ replicas: 1 }))).toEqual(["one-replica"]);
  });

  test("what is acknowledged before a disk has it", async () => {
    expect(codes(await cautions({ durability: "os" }))).toEqual(["lazy-sync"]);
    expect(codes(await cautions({ durability: "memory" }))).toEqual(["memory"]);
    expect(codes(await cautions({}, { storage: { type: "memory" } }))).toEqual(["memory"]);
  });

  test("answers below the level that was asked", async () => {
    const found = await cautions({ partitionPolicy: "prefer-availability" });
    expect(codes(found)).toEqual(["lower-levels"]);
  });

  test("levels of one datacenter, where there are two", async () => {
    const nodes = Object.fromEntries(
      [1, 2, 3, 4].map((at) => [`n${at}`, { datacenter: at < 3 ? "east" : "west" }]),
    );
    const said = (keyspace: object) =>
      cautions({ replicas: 4, ...keyspace }, { cluster: { nodes } });
    const local = { read: "local-quorum", write: "local-quorum" };
    const [alone] = await said(local);
    expect(alone?.code).toBe("local-alone");
    expect(alone?.sentence).toContain("the one with the later clock stays");
    const [kept] = await said({ ...local, strategy: "dynamo" });
    expect(kept?.sentence).toContain("seen in another only once they have met. Keep each key");
    const [missed] = await said({ read: "local-quorum", write: "quorum" });
    expect(missed?.sentence).toContain("Write at each-quorum to read so.");
    for (const write of ["each-quorum", "all"]) {
      expect(await said({ read: "local-quorum", write })).toEqual([]);
    }
  });

  test("counts, where the last writer wins", async () => {
    expect(codes(await cautions({}, {}, "counter"))).toEqual(["counts-get-lost"]);
  });

  test("what was not simulated", async () => {
    const nodes = Array.from({ length: 9 }, (_, index) => `n${index + 1}`);
    const many = await cautions({}, { cluster: { nodes } });
    expect(many).toMatchObject([
      { code: "simulated", sentence: "of its 9 nodes 7 are simulated." },
    ]);
    const apart = { n1: { datacenter: "east" }, n2: { datacenter: "west" }, n3: {} };
    const [datacenters] = await cautions({}, { cluster: { nodes: apart } });
    expect(datacenters).toMatchObject({
      code: "simulated",
      sentence: expect.stringMatching(/^3 replicas over 3 datacenters: .* that copy/),
    });
    expect(await cautions({ strategy: "raft" }, { cluster: { nodes: apart } })).toEqual([]);
    const [exact] = await cautions({}, { clock: { maxSkew: "100ms" } });
    expect(exact?.sentence).toContain("clock.maxSkew is 100 ms: clocks were not skewed");
  });
});
