import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Client, connect } from "../../../src/client/index.ts";
import type { Keyspace, Store, WatchEvent } from "../../../src/core/store/api.ts";
import { type HttpServer, serveHttp } from "../../../src/http/index.ts";
import { openStore } from "../../../src/open-store.ts";
import { putJson, request } from "./requests.ts";

// Conditions, lives, sessions and watches end to end: HTTP and client over a real raft keyspace.

let store: Store;
let server: HttpServer;
let client: Client;
let accounts: Keyspace;
let data: string;

beforeAll(async () => {
  store = await openStore({ keyspaces: { accounts: { strategy: "raft" }, default: {} } });
  await store.ready();
  server = await serveHttp(store, { port: 0 });
  client = connect({ url: server.url });
  accounts = client.keyspace("accounts");
  data = `${server.url}/api/v1/keyspaces/accounts/data`;
});
afterAll(async () => {
  await client.close();
  await server.close();
  await store.close();
});

describe("conditions over a keyspace with consensus", () => {
  test("hold by ETag, body and query; else 412 with what is there, and nothing is written", async () => {
    const created = await putJson(`${data}/a`, '{"value":1}', { "if-none-match": "*" });
    expect([created.status, created.headers.get("x-outcome")]).toEqual([200, "applied"]);
    const tag = created.headers.get("etag") as string;
    expect((await request(`${data}/a`)).headers.get("etag")).toBe(tag);
    expect((await putJson(`${data}/a`, '{"value":2}', { "if-match": tag })).status).toBe(200);

    const version = JSON.parse(tag) as string;
    const refused = [
      await putJson(`${data}/a`, '{"value":3}', { "if-match": tag }),
      await putJson(`${data}/a`, JSON.stringify({ value: 3, if_version: version })),
      await putJson(`${data}/a?if_version=${version}`, '{"value":3}'),
      await putJson(`${data}/a?if_absent=true`, '{"value":3}'),
      await request(`${data}/a`, { method: "DELETE", headers: { "if-match": tag } }),
      await putJson(`${data}/none`, JSON.stringify({ value: 3, if_version: version })),
    ];
    expect(
      refused.map(({ status, headers, json }) => [status, headers.get("x-outcome"), json.reason]),
    ).toEqual([
      [412, "not-applied", "version-mismatch"],
      [412, "not-applied", "version-mismatch"],
      [412, "not-applied", "version-mismatch"],
      [412, "not-applied", "exists"],
      [412, "not-applied", "version-mismatch"],
      [412, "not-applied", "absent"],
    ]);
    expect(refused[0]?.json.current).toMatchObject({ found: true, value: 2 });
    expect((await request(`${data}/a`)).json.value).toBe(2);
    const current = `"${refused[0]?.json.current.version}"`;
    const deleted = await request(`${data}/a`, {
      method: "DELETE",
      headers: { "if-match": current },
    });
    expect(deleted.status).toBe(200);
  });

  test("are refused with 422 where there is none", async () => {
    const url = `${server.url}/api/v1/data/a`;
    const reply = await putJson(url, '{"value":1}', { "if-match": '"x"' });
    expect([reply.status, reply.json.code]).toEqual([422, "CONDITIONAL_UNSUPPORTED"]);
  });

  test("carry modify and conditional writes of a client", async () => {
    await accounts.put("counter", 0);
    const add = () => accounts.modify("counter", (held) => (held as number) + 1);
    await Promise.all([add(), add(), add()]);
    expect(await accounts.get("counter")).toMatchObject({ value: 3 });
    expect(await accounts.put("counter", 9, { ifAbsent: true })).toMatchObject({
      ok: false,
      reason: "exists",
      current: { value: 3 },
    });
  });
});

test("a session's token goes from answer to request, over HTTP and in a client", async () => {
  const begun = await putJson(`${data}/s`, '{"value":1}', { "x-session-token": "begin" });
  const token = begun.headers.get("x-session-token") as string;
  const read = await request(`${data}/s`, {
    headers: { "x-session-token": token, "consistency-level": "session" },
  });
  expect(read.json.value).toBe(1);
  expect(read.headers.get("x-session-token")).toEqual(expect.any(String));
  const session = accounts.withSession(token);
  await session.put("s", 2);
  expect(await session.get("s", { consistency: "session" })).toMatchObject({ value: 2 });
  expect(session.token).not.toBe(token);
});

test("a key is gone when its life is over, and a watch tells how it went", async () => {
  const events: WatchEvent<unknown>[] = [];
  const watch = accounts.watch({ prefix: "short/" })[Symbol.asyncIterator]();
  expect((await watch.next()).value?.type).toBe("synced");
  const { version } = await accounts.put("short/lived", "x", { ttlMs: 30 });
  for (const _each of [1, 2]) events.push((await watch.next()).value as WatchEvent<unknown>);
  expect(events).toMatchObject([
    { type: "put", key: "short/lived", value: "x", version },
    { type: "expire", key: "short/lived" },
  ]);
  expect(await accounts.get("short/lived")).toMatchObject({ found: false });

  // Resumed from before its end, the watch tells of that end.
  const again = accounts.watch({ cursor: events[0]?.cursor as string })[Symbol.asyncIterator]();
  const seen = [(await again.next()).value?.type, (await again.next()).value?.type];
  expect(seen.sort()).toEqual(["expire", "synced"]);
  await watch.return?.();
  await again.return?.();
});
