import { describe, expect, test } from "vitest";
import type { Written } from "../../src/core/store/api.ts";
import type { Cluster } from "../support/cluster.ts";
import { open } from "../support/cluster-calls.ts";

/** More than the coordinator answers while copies of them are on their way. */
const WRITES = 4_500;

async function openBehind(): Promise<Cluster> {
  const cluster = await open({ configuration: { limits: { operationsInFlight: WRITES } } });
  // n3 takes every copy, and nothing of what it answers arrives.
  cluster.network.cutOneWay("n3", "n1");
  return cluster;
}

function writeAll(cluster: Cluster, timeoutMs?: number): readonly Promise<Written>[] {
  const options = { consistency: "quorum", ...(timeoutMs !== undefined && { timeoutMs }) } as const;
  return Array.from({ length: WRITES }, (_, n) =>
    cluster.keyspace("n1").put(`key-${n % 100}`, n, options),
  );
}

describe("writers whose replicas lag far behind", () => {
  test("are held back, and answered before their deadline all the same", async () => {
    const cluster = await openBehind();
    let answered = 0;
    const writes = writeAll(cluster);
    for (const write of writes) {
      write.then(
        () => answered++,
        () => undefined,
      );
    }
    await cluster.advance(20);
    expect(answered).toBeGreaterThan(1_000);
    expect(answered).toBeLessThan(WRITES);
    const results = await cluster.until(Promise.all(writes));
    for (const { receipt } of results) {
      expect(receipt).toMatchObject({ consistent: true, achieved: "quorum" });
      expect(receipt.replicas.durable).toBeGreaterThanOrEqual(2);
      expect(receipt.durationMs).toBeLessThanOrEqual(210);
    }
  });

  // A write that was held back used to be answered with success whatever became of the replicas
  // that had acknowledged it.
  test("are not told of success when an acknowledgement became void meanwhile", async () => {
    const cluster = await openBehind();
    const settled = Promise.allSettled(writeAll(cluster, 900));
    await cluster.advance(20);
    cluster.kill("n2");
    await cluster.restart("n2");
    const results = await cluster.until(settled);
    const refused = results.filter(({ status }) => status === "rejected");
    expect(refused.length).toBeGreaterThan(100);
    for (const result of results) {
      if (result.status === "rejected") {
        expect(result.reason).toMatchObject({ code: "OUTCOME_UNKNOWN", outcome: "unknown" });
      } else {
        expect(result.value.receipt.replicas.durable).toBeGreaterThanOrEqual(2);
      }
    }
  });
});
