import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Client, connect } from "../../../src/client/index.ts";
import type { Keyspace, Store } from "../../../src/core/store/api.ts";
import { type HttpServer, serveHttp } from "../../../src/http/index.ts";
import * as schemas from "../../../src/http/schemas.ts";
import { openStore } from "../../../src/open-store.ts";
import { putJson, request } from "./requests.ts";

let store: Store;
let server: HttpServer;
let client: Client;
let keys: Keyspace;
let data: string;

beforeAll(async () => {
  store = await openStore();
  server = await serveHttp(store, { port: 0 });
  client = connect({ url: server.url });
  keys = client.keyspace("default");
  data = `${server.url}/api/v1/data`;
});
afterAll(async () => {
  await client.close();
  await server.close();
  await store.close();
});

describe("over a store of one node", () => {
  test("a watch gives what is written, and goes on behind a cursor", async () => {
    const watch = keys.watch({ prefix: "watched/" })[Symbol.asyncIterator]();
    expect((await watch.next()).value).toMatchObject({ type: "synced" });
    await keys.put("other", 0);
    const { version } = await keys.put("watched/a", { at: new Date(5) });
    const put = (await watch.next()).value;
    expect(put).toMatchObject({
      type: "put",
      key: "watched/a",
      value: { at: new Date(5) },
      version,
    });
    await watch.return?.();

    await keys.delete("watched/a");
    const again = keys.watch({ cursor: put?.cursor as string })[Symbol.asyncIterator]();
    const [first, second] = [(await again.next()).value, (await again.next()).value];
    expect([first?.type, second?.type].sort()).toEqual(["delete", "synced"]);
    await again.return?.();
  });

  test("a first walk: write, read at a level, delete", async () => {
    const put = await putJson(`${data}/user:123`, '{"value":{"name":"John","age":30}}', {
      "consistency-level": "quorum",
    });
    expect([put.status, put.headers.get("x-outcome")]).toEqual([200, "applied"]);
    schemas.writtenAnswer.parse(put.json);
    const headers = { "Consistency-Level": "strong" };
    const { json } = await request(`${data}/user:123`, { headers });
    schemas.foundAnswer.parse(json);
    expect(json).toMatchObject({
      key: "user:123",
      value: { name: "John", age: 30 },
      version: put.json.version,
      consistency_achieved: "strong",
      consistent: true,
      nodes_queried: 1,
      pending_sync: false,
    });
    expect((await request(`${data}/user:123`, { method: "DELETE" })).status).toBe(200);
    const gone = await request(`${data}/user:123`);
    expect([gone.status, gone.json.found]).toEqual([404, false]);
    schemas.missingAnswer.parse(gone.json);
  });

  test("values whole, keys of every kind, many, and a scan over them in the order of bytes", async () => {
    const value = { when: new Date(7), bytes: new Uint8Array([1]), big: 2n ** 70n, nothing: null };
    await keys.put("whole/1", value);
    expect(await keys.get("whole/1")).toMatchObject({ value });
    const odd = ["__proto__", "a/../b", "é", "e\u0301", "\u{10000}", "\uffff", "\0", "%2F"];
    await keys.putMany(odd.map((key) => [`odd/${key}`, key]));
    const read: string[] = [];
    for await (const entry of keys.scan({ prefix: "odd/" })) read.push(entry.key.slice(4));
    const byBytes = [...odd].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(read).toEqual(byBytes);
    const page = await request(`${data}?prefix=odd/&limit=3`);
    schemas.scanAnswer.parse(page.json);
    const next = await request(`${data}?prefix=odd/&cursor=${page.json.cursor}`);
    const keysOf = (reply: typeof page) =>
      reply.json.entries.map((each: { key: string }) => each.key);
    expect([...keysOf(page), ...keysOf(next)]).toEqual(byBytes.map((key) => `odd/${key}`));
  });

  test("an id makes a retry the very same write, and foreign ids are refused", async () => {
    const id = await keys.operationId();
    const first = await keys.put("id", 1, { operationId: id });
    expect(await keys.put("id", 1, { operationId: id })).toMatchObject({ version: first.version });
    expect((await client.resolve(id)).outcome).not.toBe("not-applied");
    const foreign = await putJson(`${data}/id`, '{"value":2}', { "idempotency-key": "mine" });
    expect([foreign.status, foreign.json.code]).toEqual([400, "INVALID_OPERATION_ID"]);
    expect(await keys.get("id")).toMatchObject({ value: 1 });
  });

  test("a session goes on from header to header, and in the client", async () => {
    const begun = await putJson(`${data}/mine`, '{"value":1}', { "x-session-token": "begin" });
    const token = begun.headers.get("x-session-token") as string;
    const read = await request(`${data}/mine`, { headers: { "x-session-token": token } });
    expect([read.status, read.headers.get("x-session-token")]).toEqual([200, token]);
    const session = client.keyspace("default").withSession(token);
    expect(await session.get("mine", { consistency: "one" })).toMatchObject({ value: 1 });
    await session.put("mine", 2);
    expect(session.token).not.toBe(token);
    expect(await session.get("mine", { consistency: "one" })).toMatchObject({ value: 2 });
  });

  test("a value with a time to live is 404 after it", async () => {
    const written = await putJson(`${data}/short`, '{"value":2,"ttl_ms":1}');
    expect(written.status).toBe(200);
    await vi.waitFor(async () => {
      expect((await request(`${data}/short`)).status).toBe(404);
    });
    const stays = await putJson(`${data}/long`, '{"value":2,"ttl_ms":3600000}');
    expect(stays.status).toBe(200);
    expect((await request(`${data}/long`)).status).toBe(200);
  });

  test("what the tunable strategy refuses, with nothing written", async () => {
    await keys.put("c", 1);
    const { headers } = await request(`${data}/c`);
    const conditional = await putJson(`${data}/c`, '{"value":2}', {
      "if-match": headers.get("etag") ?? "",
    });
    expect([conditional.status, conditional.json.code]).toEqual([422, "CONDITIONAL_UNSUPPORTED"]);
    const level = await putJson(`${data}/c`, '{"value":2}', { "consistency-level": "lease" });
    expect([level.status, level.json.code]).toEqual([400, "INVALID_LEVEL"]);
    expect(level.json.allowed).toContain("quorum");
    const large = await putJson(`${data}/c`, `{"value":"${"x".repeat(1_048_576)}"}`);
    expect([large.status, large.json.code]).toEqual([413, "VALUE_TOO_LARGE"]);
    const timeout = await putJson(`${data}/c?timeout_ms=99999999999`, '{"value":2}');
    expect([timeout.status, timeout.json.code]).toEqual([400, "INVALID_ARGUMENT"]);
    const keyspace = await request(`${server.url}/api/v1/keyspaces/__proto__/data/c`);
    expect([keyspace.status, keyspace.json.code]).toEqual([404, "UNKNOWN_KEYSPACE"]);
    await expect(keys.update("c", {})).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
    await expect(keys.modify("c", () => 2)).rejects.toMatchObject({
      code: "CONDITIONAL_UNSUPPORTED",
    });
    expect(await keys.get("c")).toMatchObject({ value: 1 });
  });

  test("the largest value goes in and out, by client and by curl alike", async () => {
    const text = "x".repeat(1_048_576 - 16);
    await keys.put("large", text);
    expect((await request(`${data}/large`)).json.value).toBe(text);
    expect((await putJson(`${data}/large`, JSON.stringify({ value: text }))).status).toBe(200);
  });

  test("health says what it is: one node, degraded", async () => {
    const { json } = await request(`${server.url}/api/v1/cluster/health`);
    schemas.healthAnswer.parse(json);
    expect(json).toMatchObject({
      total_nodes: 1,
      healthy_nodes: 1,
      partitioned: false,
      consistency_mode: "tunable",
      writable_partitions: 1,
      read_only_partitions: 0,
      state: "ready",
      degraded: true,
    });
  });
});
