import { describe, expect, test } from "vitest";
import type { Cluster } from "../support/cluster.ts";
import { faultOf, open } from "../support/cluster-calls.ts";

const KEYSPACES = {
  notes: { strategy: "dynamo", shards: 1, replicas: 3 },
  careful: { strategy: "dynamo", shards: 1, replicas: 3, partitionPolicy: "prefer-consistency" },
  counters: { strategy: "dynamo", shards: 1, replicas: 3, resolver: "pn-counter" },
} as const;

interface Placed {
  readonly cluster: Cluster;
  readonly replicas: readonly string[];
  /** Hold no replica, and stand in. */
  readonly others: readonly string[];
}

/** Five nodes, of which three hold the keyspace's only shard. */
async function openFive(keyspace: keyof typeof KEYSPACES = "notes"): Promise<Placed> {
  const cluster = await open({ nodes: 5, keyspaces: KEYSPACES });
  const { shards } = cluster.keyspace("n1", keyspace).describe() as {
    shards: readonly { replicas: readonly string[] }[];
  };
  const replicas = shards[0]?.replicas ?? [];
  return { cluster, replicas, others: cluster.ids.filter((id) => !replicas.includes(id)) };
}

/** Cuts the nodes off from all others, and lets everybody notice. */
async function cutOff(cluster: Cluster, side: readonly string[]): Promise<void> {
  const rest = cluster.ids.filter((id) => !side.includes(id));
  for (const id of side) for (const other of rest) cluster.network.cut(id, other);
  for (const id of side) {
    await cluster.waitUntilReachable(
      id,
      side.filter((other) => other !== id),
    );
  }
  for (const id of rest) {
    await cluster.waitUntilReachable(
      id,
      rest.filter((other) => other !== id),
    );
  }
}

async function heal(cluster: Cluster): Promise<void> {
  cluster.network.heal();
  for (const id of cluster.ids) {
    await cluster.waitUntilReachable(
      id,
      cluster.ids.filter((other) => other !== id),
    );
  }
}

describe("a node that is cut off from all others", () => {
  test("takes writes, whether it holds a replica or not, and says what they are worth", async () => {
    const { cluster, replicas, others } = await openFive();
    for (const id of [replicas[0], others[0]] as [string, string]) {
      await cutOff(cluster, [id]);
      const { receipt } = await cluster.until(cluster.keyspace(id, "notes").put("k", id));
      const isReplica = replicas.includes(id);
      expect(receipt).toMatchObject({
        asked: "quorum",
        achieved: isReplica ? "one" : "eventual",
        consistent: false,
        pendingSync: true,
        replicas: { total: 3, durable: isReplica ? 1 : 0, standIns: isReplica ? 0 : 1 },
        warning: "Write quorum not met",
      });
      await heal(cluster);
    }
  });

  test("reads what it holds, as a replica or standing in", async () => {
    const { cluster, replicas, others } = await openFive();
    for (const id of [replicas[0], others[0]] as [string, string]) {
      const notes = cluster.keyspace(id, "notes");
      await cutOff(cluster, [id]);
      await cluster.until(notes.put(id, "mine"));
      const read = await cluster.until(notes.get(id));
      expect(read).toMatchObject({ found: true, value: "mine", receipt: { consistent: false } });
      await heal(cluster);
    }
  });

  test("cannot say that a key is not there unless it holds a replica", async () => {
    const { cluster, replicas, others } = await openFive();
    const [replica, other] = [replicas[0], others[0]] as [string, string];
    await cutOff(cluster, [replica]);
    const read = await cluster.until(cluster.keyspace(replica, "notes").get("nothing"));
    expect(read).toMatchObject({ found: false, receipt: { consistent: false } });
    await heal(cluster);
    await cutOff(cluster, [other]);
    const fault = await faultOf(cluster, cluster.keyspace(other, "notes").get("nothing"));
    expect(fault).toMatchObject({ code: "NO_COPY_REACHABLE", outcome: "not-applied" });
    expect(fault.message).toContain('"nothing"');
  });

  test("refuses where consistency is preferred, before anything is sent", async () => {
    const { cluster, replicas, others } = await openFive("careful");
    for (const id of [replicas[0], others[0]] as [string, string]) {
      await cutOff(cluster, [id]);
      const careful = cluster.keyspace(id, "careful");
      const write = await faultOf(cluster, careful.put("k", "v"));
      expect(write).toMatchObject({ code: "UNAVAILABLE", outcome: "not-applied" });
      expect(await faultOf(cluster, careful.get("k"))).toMatchObject({ code: "UNAVAILABLE" });
      await heal(cluster);
    }
    const read = cluster.keyspace("n1", "careful").get("k", { consistency: "all" });
    expect(await cluster.until(read)).toMatchObject({ found: false });
  });
});

describe("a partition", () => {
  test("both sides write; afterwards both versions stand side by side everywhere", async () => {
    const { cluster, replicas } = await openFive();
    const [alone, ...rest] = replicas as [string, string, string];
    await cluster.until(
      cluster.keyspace(alone, "notes").put("k", "before", { consistency: "all" }),
    );
    await cutOff(cluster, [alone]);
    const write = async (id: string, value: string) => {
      const read = await cluster.until(cluster.keyspace(id, "notes").get("k"));
      const context = read.found ? read.version : "";
      return cluster.until(cluster.keyspace(id, "notes").put("k", value, { context }));
    };
    expect((await write(alone, "there")).receipt.consistent).toBe(false);
    expect((await write(rest[0], "here")).receipt).toMatchObject({
      consistent: true,
      replicas: { standIns: 1 },
    });
    await heal(cluster);
    for (const id of cluster.ids) {
      const read = await cluster.until(
        cluster.keyspace(id, "notes").get("k", { consistency: "all" }),
      );
      expect(read.found && read.conflict && [...read.siblings].sort()).toEqual(["here", "there"]);
    }
  });

  test("counts what was added on both sides, once each", async () => {
    const { cluster, replicas } = await openFive("counters");
    const [alone, other] = replicas as [string, string];
    const add = (id: string, increment: number) =>
      cluster.until(cluster.keyspace(id, "counters").update("k", { increment }));
    await add(alone, 1);
    await cutOff(cluster, [alone]);
    await add(alone, 10);
    await add(other, 100);
    await heal(cluster);
    const read = cluster.keyspace(other, "counters").get("k", { consistency: "all" });
    expect(await cluster.until(read)).toMatchObject({ value: 111 });
  });
});

describe("a write through a node without a replica", () => {
  test("is forwarded to one replica, which names it once though the message comes twice", async () => {
    const { cluster, others } = await openFive("counters");
    cluster.network.faults = { doubling: 1, delayMs: [0, 5] };
    const counters = cluster.keyspace(others[0] as string, "counters");
    for (let i = 0; i < 10; i++) await cluster.until(counters.update("k", { increment: 1 }));
    expect(await cluster.until(counters.get("k"))).toMatchObject({ value: 10 });
  });

  test("is unknown if the replica does not answer, and a retry under its id is the same", async () => {
    const { cluster, replicas, others } = await openFive("counters");
    // Old enough that a replica knows what it has not seen.
    await cluster.advance(30_000);
    const outside = others[0] as string;
    const counters = cluster.keyspace(outside, "counters");
    const minter = replicas[0] as string;
    // The message gets there, and its answers do not come back.
    cluster.network.cutOneWay(minter, outside);
    const fault = await faultOf(cluster, counters.update("k", { increment: 1 }));
    expect(fault).toMatchObject({ code: "OUTCOME_UNKNOWN", outcome: "unknown" });
    expect(fault.message).toContain(minter);
    await heal(cluster);
    const { operationId } = fault as { operationId: string };
    for (let tries = 0; tries < 2; tries++) {
      await cluster.until(counters.update("k", { increment: 1 }, { operationId }));
    }
    const read = counters.get("k", { consistency: "all" });
    expect(await cluster.until(read)).toMatchObject({ value: 1 });
  });
});
