import { describe, expect, test } from "vitest";
import { faultOf, open, watchFrames } from "../support/cluster-calls.ts";

describe("aborting", () => {
  test("before anything is sent: not applied, and nothing leaves", async () => {
    const cluster = await open();
    const keyspace = cluster.keyspace("n1");
    const frames = watchFrames(cluster);
    for (const call of [
      () => keyspace.put("key", 1, { signal: AbortSignal.abort() }),
      () => keyspace.get("key", { signal: AbortSignal.abort() }),
    ]) {
      const fault = await faultOf(cluster, call());
      expect([fault.code, fault.outcome]).toEqual(["ABORTED", "not-applied"]);
    }
    expect(frames).toEqual([]);
  });

  test("while a strong write learns: not applied; once its copies are sent: unknown", async () => {
    const cluster = await open({ faults: { delayMs: [10, 10], lanes: ["log"] } });
    const keyspace = cluster.keyspace("n1");
    const early = new AbortController();
    const learning = keyspace.put("key", "early", {
      consistency: "strong",
      signal: early.signal,
    });
    await cluster.advance(5);
    early.abort();
    const notApplied = await faultOf(cluster, learning);
    expect([notApplied.code, notApplied.outcome]).toEqual(["ABORTED", "not-applied"]);
    await cluster.advance(100);
    const none = await cluster.until(keyspace.get("key", { consistency: "all" }));
    expect(none.found).toBe(false);

    const late = new AbortController();
    const sent = keyspace.put("key", "late", { consistency: "strong", signal: late.signal });
    await cluster.advance(25);
    late.abort();
    const unknown = await faultOf(cluster, sent);
    expect([unknown.code, unknown.outcome]).toEqual(["OUTCOME_UNKNOWN", "unknown"]);
    const operationId = unknown.operationId as string;
    await cluster.advance(100);
    const resolved = await cluster.until(cluster.node("n2").store.resolve(operationId));
    expect(resolved).toEqual({ outcome: "applied" });
  });

  test("a read and a scan under way end at once", async () => {
    const cluster = await open({ faults: { delayMs: [10, 10], lanes: ["log"] } });
    const controller = new AbortController();
    const { signal } = controller;
    const read = cluster.keyspace("n1").get("key", { consistency: "all", signal });
    const scan = cluster.keyspace("n1").scan({ consistency: "all", signal });
    const next = scan[Symbol.asyncIterator]().next();
    const ended = Promise.allSettled([read, next]);
    await cluster.advance(3);
    controller.abort();
    const abortedAtMs = cluster.time.nowMs;
    for (const result of await cluster.until(ended)) {
      expect(result).toMatchObject({ status: "rejected", reason: { code: "ABORTED" } });
    }
    expect(cluster.time.nowMs - abortedAtMs).toBeLessThan(5);
  });
});

describe("deadlines", () => {
  test.each([
    ["one", 50],
    ["two", 200],
    ["quorum", 200],
    ["strong", 400],
    ["all", 1_000],
  ] as const)("%s gives up after %i ms", async (consistency, afterMs) => {
    const cluster = await open({ nodes: 4, keyspaces: { default: { replicas: 3 } } });
    // A node that holds no copy, so that every level needs frames; all are lost from now on.
    const outsider = cluster.ids.find(
      (id) => cluster.keyspace(id).describe().hosted === 0,
    ) as string;
    cluster.network.faults = { loss: 1, lanes: ["log"] };
    const startMs = cluster.time.nowMs;
    const read = await faultOf(cluster, cluster.keyspace(outsider).get("key", { consistency }));
    expect([read.code, read.outcome]).toEqual(["QUORUM_NOT_MET", "not-applied"]);
    const betweenMs = cluster.time.nowMs;
    expect(betweenMs - startMs).toBeGreaterThanOrEqual(afterMs);
    expect(betweenMs - startMs).toBeLessThanOrEqual(afterMs + 10);
    const write = await faultOf(cluster, cluster.keyspace(outsider).put("key", 1, { consistency }));
    // A strong write has not sent a copy before it has learned.
    const expected =
      consistency === "strong" ? ["UNAVAILABLE", "not-applied"] : ["OUTCOME_UNKNOWN", "unknown"];
    expect([write.code, write.outcome]).toEqual(expected);
    expect(cluster.time.nowMs - betweenMs).toBeLessThanOrEqual(afterMs + 10);
  });

  test("timeoutMs moves it, and configuration too", async () => {
    const deadlines = { quorum: "120ms" };
    const cluster = await open({ keyspaces: { default: { deadlines } } });
    cluster.network.faults = { loss: 1, lanes: ["log"] };
    const startMs = cluster.time.nowMs;
    await faultOf(cluster, cluster.keyspace("n1").get("key", { timeoutMs: 30 }));
    expect(cluster.time.nowMs - startMs).toBeLessThanOrEqual(40);
    await faultOf(cluster, cluster.keyspace("n1").get("key"));
    expect(cluster.time.nowMs - startMs).toBeGreaterThanOrEqual(150);
    expect(cluster.time.nowMs - startMs).toBeLessThanOrEqual(170);
  });

  // An acknowledgement stays good as long as a replica that comes back empty waits before it
  // learns; a write with a longer deadline used to count it for as long as it liked.
  test("a write with a long deadline is sent again after a loss", async () => {
    const cluster = await open();
    cluster.network.faults = { loss: 1, lanes: ["log"] };
    const write = cluster
      .keyspace("n1")
      .put("key", "value", { consistency: "all", timeoutMs: 10_000 });
    await cluster.advance(500);
    cluster.network.faults = {};
    const { receipt } = await cluster.until(write);
    expect(receipt.replicas.durable).toBe(3);
    expect(receipt.durationMs).toBeLessThan(1_500);
    for (const id of cluster.ids) {
      const read = await cluster.until(cluster.keyspace(id).get("key", { consistency: "one" }));
      expect(read).toMatchObject({ value: "value" });
    }
  });

  test("an answer that waits to be read when a stalled process wakes up is not overtaken", async () => {
    const cluster = await open();
    const read = cluster.keyspace("n1").get("key", { consistency: "quorum" });
    cluster.time.runTurn();
    cluster.time.stall(5_000);
    expect(await cluster.until(read)).toMatchObject({ found: false });
  });
});

describe("bounds", () => {
  test("above limits.operationsInFlight: OVERLOADED, nothing sent; then it goes on", async () => {
    const limits = { operationsInFlight: 4 };
    const cluster = await open({
      configuration: { limits },
      faults: { delayMs: [5, 5], lanes: ["log"] },
    });
    const keyspace = cluster.keyspace("n1");
    const accepted = Array.from({ length: 4 }, (_, n) => keyspace.put(`key-${n}`, n));
    const frames = watchFrames(cluster);
    for (const call of [() => keyspace.put("key", 1), () => keyspace.get("key")]) {
      const fault = await faultOf(cluster, call());
      expect([fault.code, fault.outcome, fault.retry]).toEqual([
        "OVERLOADED",
        "not-applied",
        "safe",
      ]);
    }
    expect(frames).toHaveLength(2);
    await cluster.until(Promise.all(accepted));
    expect(await cluster.until(keyspace.get("key"))).toMatchObject({ found: false });
  });
});

describe("bytes under way", () => {
  // Sixty puts of 3 MiB at once filled the outboxes, lost their copies and ended unknown.
  test("above limits.queuedBytes: OVERLOADED, nothing sent; then it goes on", async () => {
    const cluster = await open({
      configuration: { limits: { queuedBytes: "2MiB" } },
      faults: { delayMs: [5, 5], lanes: ["log"] },
    });
    const keyspace = cluster.keyspace("n1");
    const value = "v".repeat(900 * 1024);
    const accepted = [keyspace.put("a", value), keyspace.put("b", value)];
    const frames = watchFrames(cluster);
    const fault = await faultOf(cluster, keyspace.put("c", value));
    expect([fault.code, fault.outcome, fault.retry]).toEqual(["OVERLOADED", "not-applied", "safe"]);
    expect(fault.message).toContain("limits.queuedBytes is 2097152");
    // Reads carry no value.
    expect(await cluster.until(keyspace.has("c"))).toBe(false);
    await cluster.until(Promise.all(accepted));
    expect(frames.length).toBeGreaterThan(0);
    await cluster.until(keyspace.put("c", value));
  });
});

describe("closing with operations under way", () => {
  test("drained: they are answered as if nothing happened", async () => {
    const cluster = await open({ faults: { delayMs: [10, 10], lanes: ["log"] } });
    const write = cluster.keyspace("n1").put("key", "value");
    const closing = cluster.node("n1").store.close({ drain: true });
    const { receipt } = await cluster.until(write);
    expect(receipt.consistent).toBe(true);
    await cluster.until(closing);
    const fault = await faultOf(cluster, cluster.keyspace("n1").get("key"));
    expect([fault.code, fault.outcome]).toEqual(["STORE_CLOSED", "not-applied"]);
    const read = await cluster.until(cluster.keyspace("n2").get("key"));
    expect(read).toMatchObject({ value: "value" });
  });

  test("not drained: what was sent is unknown, what was not is not applied", async () => {
    const cluster = await open({ faults: { delayMs: [10, 10], lanes: ["log"] } });
    const keyspace = cluster.keyspace("n1");
    const sent = keyspace.put("sent", 1);
    const learning = keyspace.put("learning", 1, { consistency: "strong" });
    const reading = keyspace.get("reading");
    const faults = [sent, learning, reading].map((call) => call.catch((error: unknown) => error));
    await cluster.advance(2);
    await cluster.until(cluster.node("n1").store.close({ drain: false }));
    const [unknown, unsent, unread] = await Promise.all(faults);
    expect(unknown).toMatchObject({ outcome: "unknown", operationId: expect.any(String) });
    expect(unsent).toMatchObject({ outcome: "not-applied" });
    expect(unread).toMatchObject({ outcome: "not-applied" });
    await cluster.advance(100);
    const { operationId } = unknown as { operationId: string };
    const resolved = await cluster.until(cluster.node("n2").store.resolve(operationId));
    expect(["applied", "unknown"]).toContain(resolved.outcome);
    const learned = await cluster.until(
      cluster.keyspace("n2").get("learning", { consistency: "quorum" }),
    );
    expect(learned.found).toBe(false);
  });

  test("the drain ends at its timeout, with the truth", async () => {
    const cluster = await open();
    cluster.network.faults = { loss: 1, lanes: ["log"] };
    const write = cluster.keyspace("n1").put("key", 1, { timeoutMs: 30_000 });
    const answer = write.catch((error: unknown) => error);
    const startMs = cluster.time.nowMs;
    await cluster.until(cluster.node("n1").store.close({ drain: true, timeoutMs: 300 }));
    expect(cluster.time.nowMs - startMs).toBeLessThan(3_000);
    expect(await answer).toMatchObject({ outcome: "unknown", operationId: expect.any(String) });
  });
});

test("a strong write under an id of a clock that is behind may lose to one that had ended; without an id it does not", async () => {
  const cluster = await open({
    nodes: 4,
    skewsMs: [2_000, 2_000, 2_000, 2_000],
    keyspaces: { default: { strategy: "tunable", shards: 1, replicas: 3 } },
  });
  const { admin } = cluster.node("n1").store;
  const { replicas } = await cluster.until(admin.members({ keyspace: "default", shard: 0 }));
  const outside = cluster.ids.find((id) => !replicas.includes(id)) as string;
  cluster.node(outside).environment.wallOffsetMs = -2_000;
  const ahead = cluster.keyspace(replicas[0] as string);
  await cluster.until(ahead.put("key", 1, { consistency: "strong" }));
  const behind = cluster.keyspace(outside);
  const operationId = await cluster.until(behind.operationId());
  const strong = { consistency: "strong" } as const;
  const fault = await faultOf(cluster, behind.put("key", 2, { ...strong, operationId }));
  expect([fault.code, fault.outcome]).toEqual(["SUPERSEDED", "unknown"]);
  await cluster.until(behind.put("key", 3, strong));
  expect(await cluster.until(ahead.get("key", strong))).toMatchObject({ value: 3 });
});
