import { expect, test } from "vitest";
import { isCapstanError } from "../../src/core/model/errors.ts";
import type { Keyspace } from "../../src/core/store/api.ts";
import {
  checkLinearizable,
  checkMonotonicReads,
  checkMonotonicWrites,
  checkReadYourWrites,
  checkRegularRegister,
  checkWritesFollowReads,
  formatHistory,
  HistoryRecorder,
  type KeyValueInput,
  type KeyValueOperation,
  type KeyValueOutput,
  parseHistory,
  recordKeyspace,
  registerModel,
} from "../../src/verification/index.ts";
import type { Cluster } from "../support/cluster.ts";
import { open } from "../support/cluster-calls.ts";
import type { NetworkFaults } from "../support/cluster-network.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const FAULTS: NetworkFaults = {
  loss: 0.06,
  doubling: 0.05,
  delayMs: [0.2, 4],
  slow: 0.2,
  slowMs: [5, 80],
};

type Recorder = HistoryRecorder<KeyValueInput, KeyValueOutput>;

function makeRecorder(cluster: Cluster): Recorder {
  return new HistoryRecorder({ now: () => cluster.time.nowMs });
}

/** Writes, deletes and reads a few keys; faults are the recorder's business. */
async function drive(keyspace: Keyspace, random: SeededRandom, operations: number): Promise<void> {
  for (let number = 0; number < operations; number++) {
    const key = `k${random.uint32() % 3}`;
    const kind = random.uint32() % 10;
    const value = { by: random.uint32(), number };
    const options = { consistency: "strong" } as const;
    const call =
      kind < 5
        ? keyspace.get(key, options)
        : kind < 9
          ? keyspace.put(key, value, options)
          : keyspace.delete(key, options);
    await call.catch((error: unknown) => {
      if (!isCapstanError(error)) throw error;
    });
  }
}

test("what clients of three nodes were told at strong goes through a file and is legal", async () => {
  const cluster = await open({ seed: 3, faults: FAULTS, skewsMs: [0, 3_000, -3_000] });
  const recorder = makeRecorder(cluster);
  const clients = Array.from({ length: 9 }, (_, index) => {
    const node = cluster.ids[index % 3] as string;
    const keyspace = cluster.keyspace(node);
    return recordKeyspace(keyspace, recorder, { client: `c${index}`, node });
  });
  const driven = clients.map((keyspace, index) =>
    drive(keyspace, new SeededRandom(index, "client"), 150),
  );
  await cluster.until(Promise.all(driven));
  const history = recorder.operations();
  expect(history).toHaveLength(1_350);
  // Neither a calm run, nor one in which nothing came through.
  expect(history.filter(({ outcome }) => outcome === "unknown").length).toBeGreaterThan(5);
  expect(history.filter(({ outcome }) => outcome === "applied").length).toBeGreaterThan(1_200);
  const read = parseHistory(formatHistory(history));
  expect(read).toEqual(history);
  expect(checkLinearizable(registerModel, read)).toMatchObject({ verdict: "legal", parts: 3 });
  expect(checkRegularRegister(read).verdict).toBe("legal");
  for (const check of [
    checkReadYourWrites,
    checkMonotonicReads,
    checkMonotonicWrites,
    checkWritesFollowReads,
  ]) {
    const { verdict, judged } = check(read);
    expect(verdict).toBe("legal");
    expect(judged).toBeGreaterThan(400);
  }
});

test("at one, behind a partition, nothing of it holds, and each checker says so", async () => {
  const cluster = await open();
  const recorder = makeRecorder(cluster);
  const at = (client: string, node: string) =>
    recordKeyspace(cluster.keyspace(node), recorder, { client, node });
  const one = { consistency: "one" } as const;
  await cluster.until(at("c1", "n1").put("k", "before", { consistency: "all" }));
  cluster.isolate("n3");
  await cluster.until(at("c1", "n1").put("k", "after", one));
  // Its client moves to the node that knows nothing of it.
  await cluster.until(at("c1", "n1").get("k", one));
  await cluster.until(at("c1", "n3").get("k", one));
  const history: readonly KeyValueOperation[] = recorder.operations();
  const stale = history.at(-1);
  expect(stale?.output?.value).toBe("before");
  expect(checkLinearizable(registerModel, history)).toMatchObject({
    verdict: "illegal",
    counterexample: { violated: stale, minimal: true },
  });
  expect(checkRegularRegister(history)).toMatchObject({
    violations: [{ read: stale, reason: "overwritten" }],
  });
  expect(checkReadYourWrites(history)).toMatchObject({
    violations: [{ earlier: history[1], later: stale }],
  });
  expect(checkMonotonicReads(history)).toMatchObject({
    violations: [{ earlier: history[2], later: stale }],
  });
  expect(checkMonotonicWrites(history).verdict).toBe("legal");
});
