import { afterAll, beforeAll, expect, test } from "vitest";
import { type HttpServer, serveHttp } from "../../../src/http/index.ts";
import { FakeStore } from "../http/fake-store.ts";
import { fakeSurroundings, run } from "./fake-surroundings.ts";

const store = new FakeStore();
let server: HttpServer;

beforeAll(async () => {
  server = await serveHttp(store, { port: 0 });
});
afterAll(() => server.close());

const capstan = (...words: string[]) =>
  run(words, fakeSurroundings({ env: { CAPSTAN_URL: server.url } }));

test("replications shows where writes went, one by one or by the batch", async () => {
  store.replications = [
    {
      ...{ id: 2, atMs: 0, keyspace: "a", shard: 3, writes: 1, key: "b c", keyHash: "0" },
      ...{ operation: "put", version: "v1", sourceNode: "n1", replicatedTo: ["n1", "n2"] },
    },
    {
      ...{ id: 1, atMs: 0, keyspace: "b", shard: 0, writes: 7, sequences: [3, 9] },
      ...{ sourceNode: "n1", replicatedTo: ["n1"] },
    },
    {
      ...{ id: 0, atMs: 0, keyspace: "b", shard: 0, writes: 1, sequences: [2, 2] },
      ...{ sourceNode: "n1", replicatedTo: ["n1"] },
    },
  ];
  const { exitCode, stdout, stderr } = await capstan("replications");
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/2 .* a .* "b c" .* put .* v1 .* n1, n2/);
  expect(stdout).toMatch(/1 .* b .* - .* 7 writes .* 3 to 9 .* n1/);
  expect(stdout).toMatch(/0 .* b .* - .* 1 write .* 2 to 2 .* n1/);
  expect(stderr).toBe("3 rows; 5000 facts since the node was started\n");
});

test("conflicts shows what met, and what became of it", async () => {
  store.conflicts = [
    {
      ...{ id: 1, atMs: 0, keyspace: "a", shard: 3, key: "k", keyHash: "0", node: "n1" },
      ...{ versions: ["v1", "v2"], resolution: "lww", resolvedVersion: "v2", discarded: 1 },
    },
  ];
  const { stdout } = await capstan("conflicts");
  expect(stdout).toMatch(/k .* v1 \| v2 .* lww: v2 .* 1/);
  const json = await capstan("conflicts", "--json");
  expect(json.stderr).toBe("");
  expect(JSON.parse(json.stdout)).toEqual(store.conflicts[0]);
});

test("an empty table is no table", async () => {
  store.conflicts = [];
  expect(await capstan("conflicts")).toMatchObject({
    exitCode: 0,
    stdout: "",
    stderr: expect.stringContaining("0 rows"),
  });
});

test("what is asked for is passed on, and what cannot be asked is refused", async () => {
  store.factQueries.length = 0;
  await capstan("replications", "--keyspace", "a", "--key", "k", "--before", "9", "--limit", "5");
  expect(store.factQueries).toEqual([{ keyspace: "a", key: "k", before: 9, limit: 5 }]);
  expect(await capstan("conflicts", "--limit", "1001")).toMatchObject({ exitCode: 2, stdout: "" });
  expect(await capstan("conflicts", "--keyspace", "nowhere")).toMatchObject({ exitCode: 2 });
});
