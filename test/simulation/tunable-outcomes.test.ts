import { describe, expect, test } from "vitest";
import type { CapstanError } from "../../src/core/model/errors.ts";
import { compareStamps, type Stamp } from "../../src/core/model/stamp.ts";
import { stampOfVersionToken } from "../../src/core/model/version-token.ts";
import type { Cluster, ClusterOptions } from "../support/cluster.ts";
import { faultOf, open, watchFrames } from "../support/cluster-calls.ts";

describe("once a copy may be anywhere", () => {
  /** Acknowledgements from n2 and n3 do not come back to n1. */
  async function openDeaf(options: ClusterOptions = {}): Promise<Cluster> {
    const cluster = await open(options);
    cluster.network.cutOneWay("n2", "n1");
    cluster.network.cutOneWay("n3", "n1");
    return cluster;
  }

  test("the outcome is unknown, and a retry at another node is the same write", async () => {
    const cluster = await openDeaf();
    const first = await faultOf(cluster, cluster.keyspace("n1").put("key", "value"));
    expect([first.code, first.outcome, first.retry]).toEqual([
      "OUTCOME_UNKNOWN",
      "unknown",
      "same-operation-id",
    ]);
    const operationId = first.operationId as string;
    cluster.network.heal();
    await cluster.ready();
    const seen = await cluster.until(cluster.keyspace("n2").get("key"));
    const again = await cluster.until(cluster.keyspace("n3").put("key", "value", { operationId }));
    const third = await cluster.until(cluster.keyspace("n2").put("key", "value", { operationId }));
    expect(again.version).toBe(seen.version);
    expect(third.version).toBe(seen.version);
    for (const id of cluster.ids) {
      const outcome = await cluster.until(cluster.node(id).store.resolve(operationId));
      expect(outcome).toEqual({ outcome: "applied" });
    }
  });

  test("a retry does not undo what was written in between", async () => {
    const cluster = await openDeaf();
    const first = await faultOf(cluster, cluster.keyspace("n1").put("key", "older"));
    const operationId = first.operationId as string;
    cluster.network.heal();
    await cluster.ready();
    await cluster.until(cluster.keyspace("n2").put("key", "newer", { consistency: "strong" }));
    for (const consistency of ["quorum", "strong"] as const) {
      const retry = cluster.keyspace("n3").put("key", "older", { operationId, consistency });
      const fault = await faultOf(cluster, retry);
      // Whether it was there before the newer one, nobody can say any more.
      expect([fault.code, fault.outcome, fault.operationId]).toEqual([
        "SUPERSEDED",
        "unknown",
        operationId,
      ]);
    }
    const read = await cluster.until(cluster.keyspace("n1").get("key", { consistency: "all" }));
    expect(read).toMatchObject({ found: true, value: "newer" });
    const resolved = await cluster.until(cluster.node("n2").store.resolve(operationId));
    expect(resolved).toEqual({ outcome: "unknown" });
  });

  test("an id that was asked for makes retries one write; resolve knows its key here", async () => {
    const cluster = await open();
    const { store } = cluster.node("n1");
    const operationId = store.operationId("default");
    expect(await cluster.until(store.resolve(operationId))).toEqual({ outcome: "unknown" });
    const first = await cluster.until(cluster.keyspace("n1").put("key", 1, { operationId }));
    const second = await cluster.until(cluster.keyspace("n1").put("key", 1, { operationId }));
    expect(second.version).toBe(first.version);
    expect(await cluster.until(store.resolve(operationId))).toEqual({ outcome: "applied" });
    const elsewhere = cluster.node("n2").store.resolve(operationId);
    expect(await cluster.until(elsewhere)).toEqual({ outcome: "unknown" });
  });

  test("an id is not taken for another value, key or keyspace", async () => {
    const cluster = await open({ keyspaces: { default: {}, other: {} } });
    const keyspace = cluster.keyspace("n1");
    const operationId = await cluster.until(keyspace.operationId());
    await cluster.until(keyspace.put("key", "a", { operationId, consistency: "all" }));
    for (const id of cluster.ids) {
      const otherValue = cluster.keyspace(id).put("key", "b", { operationId });
      const fault = await faultOf(cluster, otherValue);
      expect(fault.code).toBe("OPERATION_ID_REUSED");
    }
    const otherKey = await faultOf(cluster, keyspace.put("key 2", "a", { operationId }));
    expect([otherKey.code, otherKey.outcome]).toEqual(["OPERATION_ID_REUSED", "not-applied"]);
    const other = cluster.keyspace("n1", "other").put("key", "a", { operationId });
    expect((await faultOf(cluster, other)).code).toBe("INVALID_OPERATION_ID");
    for (const made of ["mine", "", `${operationId}x`]) {
      const fault = await faultOf(cluster, keyspace.put("key", "a", { operationId: made }));
      expect(["INVALID_OPERATION_ID", "INVALID_ARGUMENT"]).toContain(fault.code);
    }
    const read = await cluster.until(keyspace.get("key", { consistency: "all" }));
    expect(read).toMatchObject({ value: "a" });
    expect((await cluster.until(keyspace.get("key 2", { consistency: "all" }))).found).toBe(false);
  });

  // A second value under an id used to be acknowledged where a majority had missed the first one.
  test("a second value under an id is not acknowledged, though a majority lacks the first", async () => {
    const cluster = await open();
    const operationId = cluster.node("n1").store.operationId("default");
    cluster.isolate("n1");
    await cluster.until(
      cluster.keyspace("n1").put("key", "first", { operationId, consistency: "one" }),
    );
    cluster.network.heal();
    await cluster.waitUntilReachable("n1", ["n2", "n3"]);
    await cluster.waitUntilReachable("n2", ["n1", "n3"]);
    const fault = await faultOf(
      cluster,
      cluster.keyspace("n1").put("key", "second", { operationId, consistency: "all" }),
    );
    expect([fault.code, fault.outcome, fault.retry]).toEqual([
      "OPERATION_ID_REUSED",
      "unknown",
      "never",
    ]);
  });
});

/**
 * A replica that is emptied learns from the others once the longest deadline is over. What its old
 * self has said must not be counted together with what others say after that, though a node that
 * stood still has not heard of any of it. It used to be.
 */
describe("a coordinator that stood still for longer than a replica takes to be emptied", () => {
  async function openSlow(): Promise<Cluster> {
    const cluster = await open();
    cluster.network.faults = { delayMs: [10, 10], lanes: ["log"] };
    return cluster;
  }

  async function stall(cluster: Cluster): Promise<void> {
    cluster.pause("n1");
    await cluster.advance(1_500);
    cluster.resume("n1");
  }

  test("does not call a write done on acknowledgements of before and after", async () => {
    const cluster = await openSlow();
    const writing = cluster.keyspace("n1").put("key", "value");
    writing.catch(() => undefined);
    await cluster.advance(15);
    await stall(cluster);
    const { code, operationId } = await faultOf(cluster, writing);
    expect(code).toBe("OUTCOME_UNKNOWN");
    const again = cluster
      .keyspace("n1")
      .put("key", "value", { operationId: operationId as string });
    expect((await cluster.until(again)).receipt.consistent).toBe(true);
  });

  test("reads anew what it has to write back at strong", async () => {
    const cluster = await openSlow();
    const isolated = cluster.keyspace("n1").put("key", "value", { consistency: "one" });
    cluster.isolate("n1");
    await cluster.until(isolated);
    cluster.network.heal();
    const reading = cluster.keyspace("n1").get("key", { consistency: "strong", timeoutMs: 5_000 });
    await cluster.advance(35);
    const frames = watchFrames(cluster);
    await stall(cluster);
    expect(await cluster.until(reading)).toMatchObject({ value: "value" });
    expect(frames.filter((frame) => frame === "n1>n2").length).toBeGreaterThan(0);
  });
});

/**
 * Timers that are late run before what can be read and sent: such calls used to end before their
 * first message had left.
 */
describe("a caller that holds the event loop of its node beyond a write's deadline", () => {
  async function goOnTooLate(cluster: Cluster): Promise<void> {
    await cluster.advance(600);
    cluster.resume("n1");
  }

  test("learns that it is stored", async () => {
    const cluster = await open();
    cluster.pause("n1");
    const writing = cluster.keyspace("n1").put("key", "value", { timeoutMs: 100 });
    await goOnTooLate(cluster);
    expect((await cluster.until(writing)).receipt.consistent).toBe(true);
  });

  test("learns in a bounded time that nobody knows", async () => {
    const cluster = await open();
    cluster.network.cutOneWay("n2", "n1");
    cluster.network.cutOneWay("n3", "n1");
    cluster.pause("n1");
    const writing = cluster.keyspace("n1").put("key", "value", { timeoutMs: 100 });
    let code: string | undefined;
    writing.catch((fault: CapstanError) => {
      code = fault.code;
    });
    await goOnTooLate(cluster);
    await cluster.advance(490);
    expect(code).toBeUndefined();
    await cluster.advance(15);
    expect(code).toBe("OUTCOME_UNKNOWN");
  });
});

describe("superseded", () => {
  /** n3 has missed a write whose stamp lies five seconds ahead of n3's clock. */
  async function openBehind(options: ClusterOptions = {}): Promise<Cluster> {
    const cluster = await open({ skewsMs: [5_000, 0, 0], ...options });
    cluster.isolate("n3");
    await cluster.waitUntilReachable("n1", ["n2"]);
    await cluster.until(cluster.keyspace("n1").put("key", "newer"));
    cluster.network.heal();
    await cluster.waitUntilReachable("n3", ["n1", "n2"]);
    await cluster.waitUntilReachable("n1", ["n2", "n3"]);
    return cluster;
  }

  test("stored by some, older than what others hold: SUPERSEDED, and the newer one stays", async () => {
    const cluster = await openBehind();
    const keyspace = cluster.keyspace("n3");
    const fault = await faultOf(cluster, keyspace.put("key", "older", { consistency: "all" }));
    expect([fault.code, fault.outcome, fault.retry]).toEqual(["SUPERSEDED", "applied", "never"]);
    expect(fault.details).toMatchObject({ newest: expect.any(String) });
    const read = await cluster.until(keyspace.get("key", { consistency: "all" }));
    expect(read).toMatchObject({ value: "newer", version: fault.details?.newest });
  });

  test("strong learns first, and is never behind", async () => {
    const cluster = await openBehind();
    const keyspace = cluster.keyspace("n3");
    await cluster.until(keyspace.put("key", "newest", { consistency: "strong" }));
    const read = await cluster.until(keyspace.get("key", { consistency: "all" }));
    expect(read).toMatchObject({ value: "newest" });
  });

  test("what the client saw, given along, puts the write above it", async () => {
    const cluster = await openBehind();
    const { version } = await cluster.until(cluster.keyspace("n1").get("key"));
    const context = version as string;
    const written = await cluster.until(
      cluster.keyspace("n3").put("key", "newest", { consistency: "all", context }),
    );
    expect(written.receipt.consistent).toBe(true);
  });

  test("refused by every replica, it is stamped again above what they hold", async () => {
    const cluster = await open({
      nodes: 4,
      keyspaces: { default: { replicas: 3 } },
      skewsMs: [5_000, 5_000, 5_000, 5_000],
    });
    const hosts = (id: string) => cluster.keyspace(id).describe().hosted === 1;
    const outsider = cluster.ids.find((id) => !hosts(id)) as string;
    const insider = cluster.ids.find(hosts) as string;
    // It holds no replica, so no copy tells its clock of the others' time.
    cluster.node(outsider).environment.wallOffsetMs = 0;
    for (const operation of ["put", "delete"] as const) {
      const newer = await cluster.until(
        cluster.keyspace(insider).put("key", "newer", { consistency: "all" }),
      );
      const options = { consistency: "quorum" } as const;
      const keyspace = cluster.keyspace(outsider);
      const frames = watchFrames(cluster);
      const written = await cluster.until(
        operation === "put"
          ? keyspace.put("key", "newest", options)
          : keyspace.delete("key", options),
      );
      expect(compareVersions(written.version, newer.version)).toBe(1);
      if (operation === "put") expect(frames.length).toBeGreaterThanOrEqual(3 * 3);
      const read = await cluster.until(cluster.keyspace(insider).get("key"));
      expect(read.version).toBe(written.version);
    }
  });

  // The second copy met the newer version, was refused, and the write was stamped again over it.
  test("a doubled write does not take effect a second time", async () => {
    const cluster = await open({ nodes: 2, keyspaces: { default: { replicas: 1 } } });
    const hosts = (id: string) => cluster.keyspace(id).describe().hosted === 1;
    const outsider = cluster.ids.find((id) => !hosts(id)) as string;
    const insider = cluster.ids.find(hosts) as string;
    cluster.network.faults = { doubling: 1, secondMs: [100, 100], delayMs: [1, 1], lanes: ["log"] };
    const writing = cluster.keyspace(outsider).put("key", "first", { consistency: "quorum" });
    writing.catch(() => undefined);
    await cluster.advance(0.5);
    // The first copy arrives, and its answer does not.
    cluster.network.faults = {};
    cluster.network.cutOneWay(insider, outsider);
    await cluster.advance(20);
    cluster.network.heal();
    await cluster.until(cluster.keyspace(insider).put("key", "second", { consistency: "quorum" }));
    expect(await faultOf(cluster, writing)).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    const read = await cluster.until(cluster.keyspace(insider).get("key"));
    expect(read).toMatchObject({ value: "second" });
  });

  // It used to be stamped again, over the newer one: the same write took effect twice.
  test.each(["quorum", "strong"] as const)(
    "%s: refused when it is sent again, it may have been stored the first time",
    async (consistency) => {
      const cluster = await open({ nodes: 2, keyspaces: { default: { replicas: 1 } } });
      const hosts = (id: string) => cluster.keyspace(id).describe().hosted === 1;
      const outsider = cluster.ids.find((id) => !hosts(id)) as string;
      const insider = cluster.ids.find(hosts) as string;
      // Everything takes 10 ms to the replica, so that an answer can be told from its question.
      cluster.network.faults = { delayMs: [10, 10], lanes: ["log"] };
      const writing = cluster
        .keyspace(outsider)
        .put("key", "first", { consistency, timeoutMs: 5_000 });
      writing.catch(() => undefined);
      await cluster.advance(consistency === "strong" ? 25 : 5);
      cluster.network.cutOneWay(insider, outsider);
      await cluster.advance(50);
      cluster.network.heal();
      const seen = await cluster.until(cluster.keyspace(insider).get("key", { consistency }));
      expect(seen).toMatchObject({ value: "first" });
      await cluster.until(cluster.keyspace(insider).put("key", "second", { consistency }));
      const fault = await faultOf(cluster, writing);
      expect([fault.code, fault.outcome]).toEqual(["SUPERSEDED", "unknown"]);
      expect(fault.operationId).toEqual(expect.any(String));
      const read = await cluster.until(cluster.keyspace(insider).get("key", { consistency }));
      expect(read).toMatchObject({ value: "second" });
    },
  );
});

function compareVersions(a: string, b: string): number {
  return compareStamps(stampOfVersionToken(a) as Stamp, stampOfVersionToken(b) as Stamp);
}
