import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Client, connect } from "../../../src/client/index.ts";
import type { ConflictRow, ReplicationRow } from "../../../src/core/store/api.ts";
import { type HttpServer, serveHttp } from "../../../src/http/index.ts";
import * as schemas from "../../../src/http/schemas.ts";
import { FakeStore } from "./fake-store.ts";
import { request } from "./requests.ts";

const WRITE: ReplicationRow = {
  ...{ id: 2, atMs: 1_500, keyspace: "a", shard: 3, writes: 1, key: "k", keyHash: "00ff00ff" },
  ...{ operation: "put", version: "v1", sourceNode: "n1", replicatedTo: ["n1", "n2"] },
};
const BATCH: ReplicationRow = {
  ...{ id: 1, atMs: 0, keyspace: "b", shard: 0, writes: 7, sequences: [3, 9] },
  ...{ sourceNode: "n1", replicatedTo: [] },
};
const SETTLED: ConflictRow = {
  ...{ id: 2, atMs: 5, keyspace: "a", shard: 3, key: "k", keyHash: "00ff00ff" },
  ...{ versions: ["v1", "v2"], resolution: "lww", resolvedVersion: "v2", discarded: 1, node: "n1" },
};
const { resolvedVersion: _none, ...APART } = { ...SETTLED, id: 1, resolution: "siblings" };

let store: FakeStore;
let server: HttpServer;
let client: Client;

beforeAll(async () => {
  store = new FakeStore();
  store.replications = [WRITE, BATCH];
  store.conflicts = [SETTLED, APART];
  server = await serveHttp(store, { port: 0 });
  client = connect({ url: server.url });
});
afterAll(async () => {
  await client.close();
  await server.close();
});
beforeEach(() => {
  store.factQueries.length = 0;
});

const get = (path: string) => request(`${server.url}/api/v1/cluster/${path}`);

test("the tables of facts are rows in snake case, with times that people read", async () => {
  const { json } = await get("replications");
  schemas.replicationsAnswer.parse(json);
  expect(json.total).toBe(5_000);
  expect(json.rows[0]).toEqual({
    ...{ id: 2, at: "1970-01-01T00:00:01.500Z", keyspace: "a", shard: 3, writes: 1, key: "k" },
    ...{ key_hash: "00ff00ff", operation: "put", version: "v1", source_node: "n1" },
    replicated_to: ["n1", "n2"],
  });
  const conflicts = await get("conflicts");
  schemas.conflictsAnswer.parse(conflicts.json);
  expect(conflicts.json.rows[0]).toMatchObject({
    conflicting_versions: ["v1", "v2"],
    resolved_version: "v2",
  });
});

test("what is asked for is passed on, and what cannot be asked is refused", async () => {
  await get("replications?keyspace=a&key=a%2Fb&before=9&limit=5");
  await get("conflicts");
  expect(store.factQueries).toEqual([{ keyspace: "a", key: "a/b", before: 9, limit: 5 }, {}]);
  const wrong = ["replications?limit=1001", "conflicts?before=0", "conflicts?kezspace=a"];
  for (const path of wrong) {
    const { status, json } = await get(path);
    expect([path, status, json.code]).toEqual([path, 400, "INVALID_ARGUMENT"]);
  }
  expect((await get("conflicts?keyspace=nowhere")).status).toBe(404);
});

test("a client gives the rows as the embedded store does", async () => {
  const query = { keyspace: "a", key: "k", before: 9, limit: 5 };
  expect(await client.admin.replications(query)).toEqual({ rows: [WRITE, BATCH], total: 5_000 });
  expect(await client.admin.conflicts()).toEqual({ rows: [SETTLED, APART], total: 5_000 });
  expect(store.factQueries).toEqual([query, {}]);
  await expect(client.admin.conflicts({ keyspace: "nowhere" })).rejects.toMatchObject({
    code: "UNKNOWN_KEYSPACE",
  });
  const misspelt = client.admin.conflicts({ kezspace: "a" } as object);
  await expect(misspelt).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining("before, key, keyspace, limit"),
  });
});
