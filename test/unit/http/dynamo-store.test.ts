import { afterAll, beforeAll, expect, test } from "vitest";
import { type Client, connect } from "../../../src/client/index.ts";
import type { Store } from "../../../src/core/store/api.ts";
import { type HttpServer, serveHttp } from "../../../src/http/index.ts";
import * as schemas from "../../../src/http/schemas.ts";
import { openStore } from "../../../src/open-store.ts";
import { putJson, request } from "./requests.ts";

let store: Store;
let server: HttpServer;
let client: Client;
let keyspaces: string;

beforeAll(async () => {
  const configuration = {
    keyspaces: {
      notes: { strategy: "dynamo", resolver: "version-vector" },
      carts: { strategy: "dynamo", resolver: "or-set" },
    },
  } as const;
  store = (await openStore(configuration)) as unknown as Store;
  server = await serveHttp(store, { port: 0 });
  client = connect({ url: server.url });
  keyspaces = `${server.url}/api/v1/keyspaces`;
});
afterAll(async () => {
  await client.close();
  await server.close();
  await store.close();
});

const postJson = (url: string, body: unknown, headers: Record<string, string> = {}) =>
  request(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });

test("siblings come with one entry of versions each, and a context that replaces them", async () => {
  const url = `${keyspaces}/notes/data/k`;
  await putJson(url, '{"value":"a"}');
  await putJson(url, '{"value":"b"}');
  const { status, json } = await request(url);
  schemas.foundAnswer.parse(json);
  expect([status, json.conflict]).toEqual([200, true]);
  expect([...json.siblings].sort()).toEqual(["a", "b"]);
  expect(new Set(json.versions).size).toBe(2);

  const body = JSON.stringify({ value: "both", context: json.version });
  expect((await putJson(url, body)).status).toBe(200);
  const merged = await request(url);
  expect(merged.json).toMatchObject({ found: true, value: "both" });
  expect(merged.json).not.toHaveProperty("siblings");
});

test("a context may come as a header; a made-up one is refused, and nothing is written", async () => {
  const url = `${keyspaces}/notes/data/header`;
  const { json } = await putJson(url, '{"value":1}');
  const kept = await putJson(url, '{"value":2}', { "x-causal-context": json.version });
  expect(kept.status).toBe(200);
  const refused = await putJson(url, '{"value":3}', { "x-causal-context": "made-up" });
  expect(refused.status).toBe(400);
  expect(refused.json).toMatchObject({ code: "INVALID_ARGUMENT", outcome: "not-applied" });
  expect((await request(url)).json).toMatchObject({ value: 2 });
});

test("a condition is 422: there is no consensus", async () => {
  const { status, json } = await putJson(`${keyspaces}/notes/data/c`, '{"value":1}', {
    "if-none-match": "*",
  });
  expect([status, json.code]).toEqual([422, "CONDITIONAL_UNSUPPORTED"]);
});

test("an operation is the body of a POST to the key's operations", async () => {
  const url = `${keyspaces}/carts/data/alice`;
  const added = await postJson(`${url}/operations`, { add: "milk" });
  expect([added.status, added.headers.get("x-outcome")]).toEqual([200, "applied"]);
  schemas.writtenAnswer.parse(added.json);
  expect(added.json.key).toBe("alice");
  await postJson(`${url}/operations`, { add: "eggs" });
  await postJson(`${url}/operations`, { remove: "milk" });
  expect((await request(url)).json).toMatchObject({ found: true, value: ["eggs"] });
});

test("an operation that the resolver does not have is 400, and says which there are", async () => {
  const { status, json } = await postJson(`${keyspaces}/carts/data/bob/operations`, {
    eat: "milk",
  });
  expect([status, json.code]).toEqual([400, "INVALID_ARGUMENT"]);
  expect(JSON.stringify(json.allowed)).toContain("add");
});

test("a key that ends in /operations itself is named with an encoded slash", async () => {
  const url = `${keyspaces}/carts/data/night%2Foperations`;
  expect((await postJson(`${url}/operations`, { add: "x" })).json.key).toBe("night/operations");
  expect((await request(url)).json).toMatchObject({ value: ["x"] });
});

test("the client has siblings and operations as the store has them", async () => {
  const notes = client.keyspace("notes");
  await notes.put("client", 1);
  await notes.put("client", 2);
  const read = await notes.get("client");
  expect(read).toMatchObject({ found: true, conflict: true });
  if (!read.found || !read.conflict) throw new Error("no siblings");
  expect(read.versions).toHaveLength(2);
  await notes.put("client", 3, { context: read.version });
  expect(await notes.get("client")).toMatchObject({ conflict: false, value: 3 });
  await client.keyspace("carts").update("client", { add: "tea" });
  expect(await client.keyspace("carts").get("client")).toMatchObject({ value: ["tea"] });
});

test("a level may be a number of replicas, from 1 to as many as there are", async () => {
  const url = `${keyspaces}/notes/data/counted`;
  const put = await putJson(url, '{"value":1}', { "consistency-level": "1" });
  expect([put.status, put.json.consistency_achieved]).toEqual([200, "1"]);
  const read = await client.keyspace("notes").get("counted", { consistency: 1 });
  expect(read.receipt).toMatchObject({ asked: "1", achieved: "1", consistent: true });
  for (const level of ["4", "0", "1.5", "-1"]) {
    const { status, json } = await request(url, { headers: { "consistency-level": level } });
    expect([status, json.code]).toEqual([400, "INVALID_LEVEL"]);
  }
  const { json } = await request(url, { headers: { "consistency-level": "4" } });
  expect(json.allowed).toContain("a whole number from 1 to 3");
});
