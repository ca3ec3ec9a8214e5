import { cpSync, lstatSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect } from "../../src/client/index.ts";
import { ensureBuilt, eventually, Running } from "../support/processes.ts";
import { RunningCluster } from "../support/processes-cluster.ts";

// What a cluster on disk, the default of `capstan cluster`, keeps over the death of its processes.
// The full size, 100,000 lines: `npm run test:load`

const LINES = Number(process.env.CAPSTAN_LOAD_LINES ?? 2_000);
const PATIENCE_MS = 240_000 + LINES * 20;
const IN_FLIGHT = 64;
/** The machine may be busy with much else: what counts is what is there, not when. */
const PATIENT = { consistency: "quorum", timeoutMs: 20_000 } as const;

beforeAll(() => ensureBuilt());

const keyOf = (number: number) => `user/${number}`;
const wholeValue = (number: number, generation = 0) => ({ number, generation, name: `Jürgen 😀` });

function keyspaceAt(url: string) {
  return connect({ url }).keyspace("default");
}

/** Settles once all replicas answer. */
async function allServe(url: string): Promise<void> {
  await eventually("all replicas answer", () =>
    keyspaceAt(url)
      .put("probe", 1, { consistency: "all" })
      .then(
        () => true,
        () => false,
      ),
  );
}

async function inBatches(count: number, each: (number: number) => Promise<unknown>): Promise<void> {
  for (let at = 0; at < count; at += IN_FLIGHT) {
    const length = Math.min(IN_FLIGHT, count - at);
    await Promise.all(Array.from({ length }, (_, i) => each(at + i)));
  }
}

/** The keys whose value is not as expected, read at quorum. */
async function differences(
  url: string,
  count: number,
  expected: (number: number) => unknown,
): Promise<string[]> {
  const keyspace = keyspaceAt(url);
  const wrong: string[] = [];
  await inBatches(count, async (number) => {
    const got = await keyspace.get(keyOf(number), PATIENT);
    const value = got.found && !got.conflict ? got.value : undefined;
    if (!isDeepStrictEqual(value, expected(number)))
      wrong.push(`${keyOf(number)}: ${JSON.stringify(value)}`);
  });
  return wrong;
}

/** What a backup takes: files, and not the socket that is the lock. */
function copyFiles(from: string, to: string): void {
  cpSync(from, to, { recursive: true, filter: (path) => !lstatSync(path).isSocket() });
}

describe("a cluster on disk", () => {
  let cluster: RunningCluster;

  beforeAll(async () => {
    cluster = await RunningCluster.ready();
  });

  afterAll(() => cluster?.end());

  test("says that it keeps its data, and where", () => {
    expect(cluster.running.stdout).toMatch(/storage disk/);
    expect(readdirSync(join(cluster.directory, ".capstan/data")).sort()).toEqual([
      "n1",
      "n2",
      "n3",
    ]);
  });

  test(
    `has ${LINES} keys again after all its nodes were killed at once`,
    async () => {
      const keyspace = keyspaceAt(cluster.node("n1").url);
      await inBatches(LINES, (number) => keyspace.put(keyOf(number), wholeValue(number), PATIENT));
      await cluster.killAllNodes();
      await cluster.again();
      for (const { url } of cluster.nodes) {
        const wrong = await differences(url, LINES, wholeValue);
        expect(wrong, cluster.running.output).toEqual([]);
      }
    },
    PATIENCE_MS,
  );

  test(
    "goes on from copies of all folders that were made while all its nodes were down",
    async () => {
      const count = Math.min(LINES, 200);
      const put = (generation: number) =>
        inBatches(count, (n) => {
          const keyspace = keyspaceAt(cluster.node("n1").url);
          return keyspace.put(keyOf(n), wholeValue(n, generation), PATIENT);
        });
      const data = join(cluster.directory, ".capstan/data");
      const copy = join(cluster.directory, "copies");
      await put(2);
      await cluster.killAllNodes();
      copyFiles(data, copy);
      await cluster.again();
      await put(3);
      await cluster.killAllNodes();
      rmSync(data, { recursive: true });
      copyFiles(copy, data);
      await cluster.again();
      for (const { url } of cluster.nodes) {
        const wrong = await differences(url, count, (n) => wholeValue(n, 2));
        expect(wrong, cluster.running.output).toEqual([]);
      }
      await put(0);
    },
    PATIENCE_MS,
  );

  test("refuses a second process on a node's data, naming the first", async () => {
    const { pid } = cluster.node("n2");
    const words = ["start", "--config", ".capstan/capstan.config.json", "--node", "n2"];
    const second = cluster.beside(words);
    const { exitCode, output } = await second.ended.then((ran) => ({
      exitCode: ran.exitCode,
      output: ran.stdout + ran.stderr,
    }));
    expect(exitCode).not.toBe(0);
    expect(output).toContain(`${pid}`);
    expect(output).toMatch(/DATA_DIRECTORY_LOCKED|in use/);
  });

  test("has what was written while a node was down, once that node is back", async () => {
    process.kill(cluster.node("n3").pid, "SIGKILL");
    const [, line = ""] = await cluster.running.says(/^ {2}(.* start --config .* --node n3)$/m);
    const keyspace = keyspaceAt(cluster.node("n1").url);
    const count = Math.min(LINES, 500);
    await inBatches(count, (number) => keyspace.put(keyOf(number), wholeValue(number, 1), PATIENT));
    const restarted = new Running("sh", ["-c", `exec ${line}`], { directory: cluster.directory });
    try {
      await restarted.says(/node n3 is up/);
      await allServe(cluster.node("n1").url);
      const expected = (number: number) => wholeValue(number, number < count ? 1 : 0);
      expect(await differences(cluster.node("n3").url, LINES, expected)).toEqual([]);
    } finally {
      await restarted.end();
    }
  });
});

describe("an older copy of a node's data", () => {
  let cluster: RunningCluster;

  beforeAll(async () => {
    cluster = await RunningCluster.ready();
  });

  afterAll(() => cluster?.end());

  test("that is put back in place is recognised, set aside and rebuilt", async () => {
    const keyspace = keyspaceAt(cluster.node("n1").url);
    await inBatches(200, (n) =>
      keyspace.put(keyOf(n), wholeValue(n), { ...PATIENT, consistency: "all" }),
    );
    const data = join(cluster.directory, ".capstan/data/n2");
    const copy = join(cluster.directory, "copy");
    process.kill(cluster.node("n2").pid, "SIGKILL");
    const [, line = ""] = await cluster.running.says(/^ {2}(.* start --config .* --node n2)$/m);
    copyFiles(data, copy);
    const start = () => new Running("sh", ["-c", `exec ${line}`], { directory: cluster.directory });
    const first = start();
    await first.says(/node n2 is up/);
    await allServe(cluster.node("n1").url);
    await inBatches(200, (n) =>
      keyspace.put(keyOf(n), wholeValue(n, 1), { ...PATIENT, consistency: "all" }),
    );
    first.signal("SIGKILL");
    await first.ended;
    rmSync(data, { recursive: true });
    copyFiles(copy, data);
    const second = start();
    try {
      await second.says(/older copy/);
      await allServe(cluster.node("n1").url);
      const url = cluster.node("n2").url;
      expect(await differences(url, 200, (n) => wholeValue(n, 1))).toEqual([]);
    } finally {
      await second.end();
    }
  });
});
