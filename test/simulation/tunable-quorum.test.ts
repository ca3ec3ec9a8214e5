import { describe, expect, test } from "vitest";
import { isCapstanError } from "../../src/core/model/errors.ts";
import { compareStamps, type Stamp } from "../../src/core/model/stamp.ts";
import { stampOfVersionToken } from "../../src/core/model/version-token.ts";
import { checkLostWrites } from "../../src/verification/index.ts";
import { Cluster } from "../support/cluster.ts";
import type { NetworkFaults } from "../support/cluster-network.ts";
import { Workload, type WorkloadReport } from "../support/cluster-workload.ts";

const FAULTS: NetworkFaults = {
  loss: 0.06,
  doubling: 0.05,
  delayMs: [0.2, 4],
  slow: 0.2,
  slowMs: [5, 80],
};
const KEYS = 5;

function openCluster(seed: number, more: object = {}): Promise<Cluster> {
  const skewsMs = [0, 4_000, -4_000];
  return Cluster.open({
    seed,
    keyspaces: { default: { shards: 4, ...more } },
    skewsMs,
    faults: FAULTS,
  });
}

function stampOf(version: string): Stamp {
  return stampOfVersionToken(version) as Stamp;
}

/** Reads every key at quorum through the node, over a sound network, and compares. */
async function lostWrites(cluster: Cluster, report: WorkloadReport, node: string) {
  cluster.network.heal();
  cluster.network.faults = {};
  // Longer than any copy is on its way; what is missing then, nothing but a read will mend.
  await cluster.advance(3_000);
  const finals = new Map<string, readonly Stamp[]>();
  for (let number = 0; number < KEYS; number++) {
    const key = `key-${number}`;
    const reading = cluster.keyspace(node).get(key, { consistency: "quorum" });
    const { version } = await cluster.until(reading);
    finals.set(key, version === undefined ? [] : [stampOf(version)]);
  }
  const acknowledged = report.acknowledged.map(({ key, version }, acknowledgedAt) => ({
    key,
    version: stampOf(version),
    acknowledgedAt,
    holders: cluster.ids,
  }));
  const covers = (found: Stamp, written: Stamp) => compareStamps(found, written) >= 0;
  return checkLostWrites({ acknowledged, wiped: [], finals, covers }).violations;
}

describe("quorum, on three nodes with skewed clocks, frames lost, doubled and reordered", () => {
  test("10,000 operations of 12 clients on 5 keys lose no acknowledged write", async () => {
    const cluster = await openCluster(1);
    const options = {
      clients: 12,
      keys: KEYS,
      operations: 10_000,
      level: "quorum",
      seed: 1,
    } as const;
    const report = await cluster.until(new Workload(cluster, options).run());
    const { sent, lost, doubled } = cluster.network;
    expect(lost / sent).toBeGreaterThan(0.05);
    expect(doubled / sent).toBeGreaterThan(0.03);
    expect(report.acknowledged.length).toBeGreaterThan(3_000);
    for (const id of cluster.ids) expect(await lostWrites(cluster, report, id)).toEqual([]);
    await cluster.close();
  });

  test.each([
    [11, "n3"],
    [12, "n1"],
  ])("seed %i: %s is killed and comes back empty in the middle", async (seed, victim) => {
    const cluster = await openCluster(seed);
    const options = { clients: 12, keys: KEYS, operations: 4_000, level: "quorum" } as const;
    const workload = new Workload(cluster, { ...options, seed, thinkMs: 4 });
    const running = workload.run();
    await cluster.waitFor(() => workload.begun > 1_000);
    cluster.kill(victim);
    await cluster.advance(200);
    await cluster.restart(victim);
    await cluster.waitFor(() => cluster.keyspace(victim).describe().serving === 4);
    // It counts again now; were it to lack anything, the next loss would show.
    const second = cluster.ids.find((id) => id !== victim) as string;
    await cluster.waitFor(() => workload.begun > 2_500);
    cluster.kill(second);
    await cluster.restart(second);
    const report = await cluster.until(running);
    expect(report.tally.killed).toBeGreaterThan(0);
    await cluster.waitFor(() => cluster.keyspace(second).describe().serving === 4);
    for (const id of cluster.ids) expect(await lostWrites(cluster, report, id)).toEqual([]);
    await cluster.close();
  });

  test("a check that could not fail would be none: a forgotten write is found", async () => {
    const cluster = await Cluster.open({ keyspaces: { default: { shards: 1 } } });
    const { version } = await cluster.until(
      cluster.keyspace("n1").put("key-0", "kept", { consistency: "quorum" }),
    );
    cluster.network.cut("n1", "n2");
    cluster.network.cut("n1", "n3");
    // Acknowledged by one replica alone, which then loses its memory.
    const one = await cluster.until(
      cluster.keyspace("n1").put("key-0", "lost", { consistency: "one" }),
    );
    cluster.kill("n1");
    cluster.network.heal();
    const acknowledged = [version, one.version].map((each) => ({
      key: "key-0",
      value: "",
      version: each,
    }));
    const report: WorkloadReport = { history: [], acknowledged, tally: {}, trace: "" };
    const lost = await lostWrites(cluster, report, "n2");
    expect(lost).toMatchObject([
      { write: { key: "key-0", version: stampOf(one.version) }, found: [stampOf(version)] },
    ]);
    await cluster.close();
  });
});

describe("quorum in a partition", () => {
  async function partitioned(more: object) {
    const cluster = await Cluster.open({ keyspaces: { default: { shards: 1, ...more } } });
    await cluster.until(cluster.keyspace("n1").put("a", "before"));
    cluster.isolate("n3");
    await cluster.waitUntilReachable("n3", []);
    await cluster.waitUntilReachable("n1", ["n2"]);
    return cluster;
  }

  test("prefer-consistency: the minority refuses, nothing is applied; the majority goes on", async () => {
    const cluster = await partitioned({});
    const minority = cluster.keyspace("n3");
    for (const call of [() => minority.put("a", "minor"), () => minority.delete("a")]) {
      const fault = await cluster.until(call().catch((error: unknown) => error));
      expect(isCapstanError(fault) && [fault.code, fault.outcome, fault.retry]).toEqual([
        "UNAVAILABLE",
        "not-applied",
        "safe",
      ]);
    }
    const read = await cluster.until(minority.get("a").catch((error: unknown) => error));
    expect(read).toMatchObject({ code: "UNAVAILABLE" });
    await cluster.until(cluster.keyspace("n1").put("a", "major"));
    cluster.network.heal();
    await cluster.ready();
    for (const id of cluster.ids) {
      const result = await cluster.until(cluster.keyspace(id).get("a", { consistency: "all" }));
      expect(result).toMatchObject({ found: true, value: "major" });
    }
    await cluster.close();
  });

  test("prefer-availability: the minority goes on, and says that it is less", async () => {
    const cluster = await partitioned({ partitionPolicy: "prefer-availability" });
    const minority = cluster.keyspace("n3");
    const lowered = {
      asked: "quorum",
      achieved: "one",
      consistent: false,
      replicas: { total: 3, answered: 1, durable: 1, standIns: 0 },
    };
    const written = await cluster.until(minority.put("a", "minor"));
    expect(written.receipt).toMatchObject({
      ...lowered,
      pendingSync: true,
      warning: "Write quorum not met",
    });
    const read = await cluster.until(minority.get("a"));
    expect(read).toMatchObject({ found: true, value: "minor" });
    expect(read.receipt).toMatchObject({ ...lowered, warning: "Read quorum not met" });
    // `strong` is never lowered.
    for (const call of [
      () => minority.put("a", "x", { consistency: "strong" }),
      () => minority.get("a", { consistency: "strong" }),
    ]) {
      const fault = await cluster.until(call().catch((error: unknown) => error));
      expect(fault).toMatchObject({ code: "UNAVAILABLE", outcome: "not-applied" });
    }
    const majority = await cluster.until(cluster.keyspace("n1").put("b", "major"));
    expect(majority.receipt).toMatchObject({ achieved: "quorum", consistent: true });
    expect(majority.receipt.warning).toBeUndefined();
    cluster.network.heal();
    await cluster.ready();
    const healed = await cluster.until(cluster.keyspace("n1").get("a", { consistency: "all" }));
    expect(healed).toMatchObject({ found: true, value: "minor" });
    await cluster.close();
  });
});
