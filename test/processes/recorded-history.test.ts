import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connect } from "../../src/client/index.ts";
import { isCapstanError } from "../../src/core/model/errors.ts";
import {
  formatHistory,
  HistoryRecorder,
  type KeyValueInput,
  type KeyValueOutput,
  recordKeyspace,
} from "../../src/verification/index.ts";
import { ensureBuilt } from "../support/processes.ts";
import { RunningCluster } from "../support/processes-cluster.ts";
import { SeededRandom } from "../support/seeded-random.ts";

// What clients of a real cluster did and were told, recorded as docs/verify.md says, and judged.

const CLIENTS = 6;
const OPERATIONS = 60;
const SEED = 11;

let cluster: RunningCluster;

beforeAll(async () => {
  ensureBuilt();
  cluster = await RunningCluster.ready();
});

afterAll(() => cluster?.end());

test("a history over HTTP, with a node killed in the middle, is legal at strong", async () => {
  const recorder = new HistoryRecorder<KeyValueInput, KeyValueOutput>({ now: () => Date.now() });
  let done = 0;
  const drive = async (number: number): Promise<void> => {
    const { id, url } = cluster.nodes[number % 3] as (typeof cluster.nodes)[number];
    const connection = connect({ url });
    const keyspace = recordKeyspace(connection.keyspace("default"), recorder, {
      client: `c${number}`,
      node: id,
    });
    const random = new SeededRandom(SEED, `client/${number}`);
    for (let each = 0; each < OPERATIONS; each += 1) {
      const key = `k${random.uint32() % 2}`;
      const options = { consistency: "strong", timeoutMs: 5_000 } as const;
      const call =
        random.uint32() % 2 === 0
          ? keyspace.get(key, options)
          : keyspace.put(key, `${number}-${each}`, options);
      await call.catch((error: unknown) => {
        if (!isCapstanError(error)) throw error;
      });
      done += 1;
      if (done === (CLIENTS * OPERATIONS) / 3) process.kill(cluster.node("n3").pid, "SIGKILL");
    }
    await connection.close();
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, number) => drive(number)));
  const history = recorder.operations();
  expect(history).toHaveLength(CLIENTS * OPERATIONS);
  // The clients of the nodes that live went on.
  const answered = history.filter(({ outcome }) => outcome === "applied").length;
  expect(answered).toBeGreaterThan(OPERATIONS * 4);
  expect(answered).toBeLessThan(history.length);
  writeFileSync(join(cluster.directory, "history.ndjson"), formatHistory(history));
  for (const model of ["register", "regular", "read-your-writes", "monotonic-reads"]) {
    const words = ["check", "history.ndjson", "--level", "strong", "--model", model];
    const ran = await cluster.capstan("n1", words);
    expect(ran, model).toMatchObject({ exitCode: 0, stderr: "" });
    expect(ran.stdout).toMatch(/^legal: \d+ of \d+ operations were judged/);
  }
});
