import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type Client, connect } from "../../../src/client/index.ts";
import type { CapstanError } from "../../../src/core/model/errors.ts";
import type { BatchResult, BatchWrite, Keyspace, Store } from "../../../src/core/store/api.ts";
import { type HttpServer, serveHttp } from "../../../src/http/index.ts";
import { openStore } from "../../../src/open-store.ts";
import { type Fate, FlakyProxy } from "./flaky-proxy.ts";

let store: Store;
let server: HttpServer;
let client: Client;
let accounts: Keyspace;
let plain: Keyspace;
const proxies: FlakyProxy[] = [];

beforeAll(async () => {
  const configuration = {
    keyspaces: {
      accounts: { strategy: "raft", groupBy: { prefix: { separator: "/" } } },
      default: {},
    },
  } as const;
  store = (await openStore(configuration)) as unknown as Store;
  await store.ready();
  server = await serveHttp(store, { port: 0 });
  client = connect({ url: server.url });
  accounts = client.keyspace("accounts");
  plain = client.keyspace("default");
});
afterEach(async () => {
  for (const proxy of proxies.splice(0)) await proxy.close();
});
afterAll(async () => {
  await client.close();
  await server.close();
  await store.close();
});

/** The fates of batches, in order; the last one stays. Everything else passes. */
async function proxyWith(...fates: Fate[]): Promise<FlakyProxy> {
  const proxy = await FlakyProxy.start(server.port, (head) => {
    if (!/^POST \S+\/batch/.test(head)) return "pass";
    return fates.length > 1 ? (fates.shift() as Fate) : (fates[0] as Fate);
  });
  proxies.push(proxy);
  return proxy;
}

const batchesSeenBy = ({ seen }: FlakyProxy): number =>
  seen.filter((line) => line.includes("/batch")).length;

const faultsOf = (results: BatchResult): CapstanError[] =>
  results.flatMap((each) => (each.ok ? [] : [each.error as CapstanError]));

test("one that was begun before the client closes is sent, though it still asks how", async () => {
  const closing = connect({ url: server.url });
  const [together, perKey] = [
    closing.keyspace("accounts").batch([{ put: "begun/1", value: 1 }]),
    closing.keyspace("default").batch([{ put: "begun", value: 1 }]),
  ];
  await closing.close();
  expect(await together).toMatchObject([{ key: "begun/1", ok: true }]);
  expect(await perKey).toMatchObject([{ key: "begun", ok: true }]);
});

test("a keyspace says how its batches take effect, and is asked for it once", async () => {
  const proxy = await proxyWith("pass");
  const keyspace = connect({ url: proxy.url }).keyspace("accounts");
  expect(await keyspace.batchKind()).toBe("all-or-nothing");
  expect(await keyspace.batchKind()).toBe("all-or-nothing");
  expect(proxy.seen).toEqual(["GET /api/v1/cluster/health"]);
  expect(await plain.batchKind({ timeoutMs: 5_000 })).toBe("per-key");
  await expect(client.keyspace("nowhere").batchKind()).rejects.toMatchObject({
    code: "UNKNOWN_KEYSPACE",
    allowed: ["accounts", "default"],
  });
});

test("all or nothing, with results and values as the embedded store has them", async () => {
  const value = { at: new Date(7), bytes: new Uint8Array([1, 255]), big: 2n ** 70n };
  const writes: BatchWrite[] = [{ put: "a/1", value }, { delete: "a/2" }];
  const results = await accounts.batch(writes, { consistency: "quorum" });
  expect(results.map(({ key, ok }) => [key, ok])).toEqual([
    ["a/1", true],
    ["a/2", true],
  ]);
  const read = await accounts.get("a/1");
  expect(read).toMatchObject({ value });
  const [first] = results;
  expect(first?.ok && first.result).toMatchObject({
    version: read.version,
    receipt: { asked: "quorum", consistent: true },
  });
  expect(first?.ok && first.result).not.toHaveProperty("session");
  await expect(accounts.batch([{ delete: "a/1" }, { put: "b/1", value: 1 }])).rejects.toMatchObject(
    { code: "INVALID_ARGUMENT", outcome: "not-applied" },
  );
  await expect(
    accounts.batch([{ delete: "a/1" }, { put: "a/2", value: Number.NaN }]),
  ).rejects.toMatchObject({
    code: "INVALID_VALUE",
    message: expect.stringMatching(/^writes\[1\]: /),
  });
  expect(await accounts.has("a/1")).toBe(true);
});

test("each key on its own: a write that is refused, here or there, is refused alone", async () => {
  const results = await plain.batch([
    { put: "p1", value: 1 },
    { put: "p2", value: Number.NaN },
    { put: "", value: 1 },
    { put: "p3", value: "x".repeat(1_100_000) },
    { delete: "p4" },
  ]);
  expect(results).toMatchObject([
    { key: "p1", ok: true, result: { receipt: { asked: "quorum" } } },
    { key: "p2", ok: false, error: { code: "INVALID_VALUE" } },
    { key: "", ok: false, error: { code: "INVALID_KEY" } },
    { key: "p3", ok: false, error: { code: "VALUE_TOO_LARGE", outcome: "not-applied" } },
    { key: "p4", ok: true },
  ]);
  expect(faultsOf(results).map(({ name }) => name)).toEqual(Array(3).fill("CapstanError"));
  expect(await plain.get("p1")).toMatchObject({ value: 1 });
  expect(await plain.batch([{ put: "", value: 1 }])).toMatchObject([{ ok: false }]);
});

test("as many writes as a batch may have, each under an id of its own", async () => {
  const proxy = await proxyWith("pass");
  const keyspace = connect({ url: proxy.url }).keyspace("default");
  const writes = Array.from({ length: 250 }, (_, value) => ({ put: `many/${value}`, value }));
  const results = await keyspace.batch(writes, { timeoutMs: 10_000 });
  expect(results.every(({ ok }) => ok)).toBe(true);
  expect(batchesSeenBy(proxy)).toBe(1);
  expect(proxy.seen.filter((line) => line.includes("/operation-ids"))).toHaveLength(3);
  expect(await keyspace.get("many/249")).toMatchObject({ value: 249 });
});

test.each(["accounts", "default"])(
  "a lost answer: the very same batch again (%s)",
  async (name) => {
    const proxy = await proxyWith("lose", "pass");
    const keyspace = connect({ url: proxy.url }).keyspace(name);
    const results = await keyspace.batch([
      { put: "lost/1", value: 1 },
      { put: "lost/2", value: 2 },
    ]);
    expect(batchesSeenBy(proxy)).toBe(2);
    for (const each of results) {
      const { version } = await keyspace.get(each.key);
      expect(each).toMatchObject({ ok: true, result: { version } });
    }
  },
);

test("never heard, all or nothing: unknown, with the id of the batch", async () => {
  const proxy = await proxyWith("lose");
  const keyspace = connect({ url: proxy.url }).keyspace("accounts");
  const writes = [{ put: "never/1", value: 1 }];
  const fault: CapstanError = await keyspace.batch(writes).then(
    () => expect.unreachable(),
    (error) => error,
  );
  expect(fault).toMatchObject({ code: "OUTCOME_UNKNOWN", operationId: expect.any(String) });
  const again = { operationId: fault.operationId as string };
  expect(await accounts.batch(writes, again)).toMatchObject([{ key: "never/1", ok: true }]);
});

test("never heard, each on its own: every write is unknown, and has its id", async () => {
  const proxy = await proxyWith("lose");
  const keyspace = connect({ url: proxy.url }).keyspace("default");
  const results = await keyspace.batch([{ put: "n1", value: 1 }, { delete: "n2" }]);
  expect(results).toMatchObject([
    { key: "n1", ok: false, error: { code: "OUTCOME_UNKNOWN", outcome: "unknown" } },
    { key: "n2", ok: false, error: { code: "OUTCOME_UNKNOWN", outcome: "unknown" } },
  ]);
  const [a, b] = faultsOf(results).map(({ operationId }) => operationId as string);
  expect(a).not.toBe(b);
  const { version } = await plain.get("n1");
  expect(
    await plain.batch([
      { put: "n1", value: 1, operationId: a as string },
      { delete: "n2", operationId: b as string },
    ]),
  ).toMatchObject([{ ok: true, result: { version } }, { ok: true }]);
});

test("once a batch may have been sent, no later refusal makes a write of it not applied", async () => {
  let sent = 0;
  const problem = { code: "UNAVAILABLE", detail: "no", outcome: "not-applied", retry: "safe" };
  const fetchFunction: typeof fetch = async (input, init) => {
    if (!String(input).endsWith("/batch")) return fetch(input, init);
    if (sent++ === 0) {
      await fetch(input, init);
      throw new TypeError("fetch failed", { cause: { code: "ECONNRESET" } });
    }
    const results = [{ key: "r1", ok: false, outcome: "not-applied", problem }];
    const headers = { "content-type": "application/json" };
    return new Response(JSON.stringify({ results }), { status: 207, headers });
  };
  const keyspace = connect({ url: server.url, fetch: fetchFunction }).keyspace("default");
  const [first] = await keyspace.batch([{ put: "r1", value: 1 }]);
  expect(sent).toBe(2);
  expect(await plain.get("r1")).toMatchObject({ value: 1 });
  expect(first).toMatchObject({
    ok: false,
    error: {
      code: "OUTCOME_UNKNOWN",
      outcome: "unknown",
      operationId: expect.any(String),
      cause: { code: "UNAVAILABLE" },
    },
  });
  // Heard at once, the refusal stands.
  const [second] = await keyspace.batch([{ put: "r1", value: 2 }]);
  expect(second).toMatchObject({ ok: false, error: { code: "UNAVAILABLE" } });
});

test.each<[string, object]>([
  ["an answer without results", {}],
  ["a result too few", { results: [] }],
  ["a result that says nothing", { results: [{ ok: false }] }],
])("%s is as good as a lost one", async (_what, body) => {
  const fetchFunction: typeof fetch = async (input, init) =>
    String(input).endsWith("/batch")
      ? new Response(JSON.stringify(body), { headers: { "content-type": "application/json" } })
      : fetch(input, init);
  const odd = connect({ url: server.url, fetch: fetchFunction });
  const unknown = { code: "OUTCOME_UNKNOWN", operationId: expect.any(String) };
  await expect(odd.keyspace("accounts").batch([{ delete: "o/1" }])).rejects.toMatchObject(unknown);
  expect(await odd.keyspace("default").batch([{ delete: "o" }])).toMatchObject([
    { key: "o", ok: false, error: unknown },
  ]);
});

test("a session goes through batches of either kind", async () => {
  for (const keyspace of [accounts, plain]) {
    const session = keyspace.withSession();
    const begun = session.token;
    const [result] = await session.batch([{ put: "s/1", value: 1 }]);
    expect(session.token).not.toBe(begun);
    expect(result?.ok && result.result).not.toHaveProperty("session");
    expect(await session.get("s/1")).toMatchObject({ value: 1 });
    const [given] = await keyspace.batch([{ put: "s/1", value: 2 }], { session: "begin" });
    const token = given?.ok ? given.result.session : undefined;
    expect(await keyspace.get("s/1", { session: token as string })).toMatchObject({ value: 2 });
  }
});

test("refused before anything is sent, or by the server as a whole", async () => {
  const bad = (write: unknown) => plain.batch([{ delete: "k" }, write as BatchWrite]);
  for (const write of [5, null, {}, { put: "k" }, { put: "k", vlaue: 1 }]) {
    await expect(bad(write)).rejects.toThrow(/writes\[1\] is not/);
  }
  await expect(bad({ delete: "l", operationId: 5 })).rejects.toThrow(/operationId of writes\[1\]/);
  await expect(plain.batch({} as never)).rejects.toThrow(/array/);
  await expect(plain.batch([], { ifAbsent: true } as never)).rejects.toThrow(/"ifAbsent"/);
  const refusals = await Promise.allSettled([
    plain.batch([{ delete: "k" }], { operationId: await plain.operationId() }),
    plain.batch([{ delete: "k" }], { context: "c" }),
    plain.batch([{ delete: "k" }, { put: "k", value: 1 }]),
    accounts.batch([{ delete: "k", operationId: "own" }]),
  ]);
  const refused = { reason: { code: "INVALID_ARGUMENT", outcome: "not-applied" } };
  expect(refusals).toMatchObject([refused, refused, refused, refused]);
  expect(await accounts.batch([])).toEqual([]);
  expect(await plain.batch([])).toEqual([]);
});

/** Two servers; between an id's being given and its use another call is led to the second one. */
async function putWith(put: (keyspace: Keyspace) => Promise<unknown>): Promise<string[]> {
  const seen: string[] = [];
  let isLost = false;
  const between: typeof fetch = async (input, init) => {
    const { host, pathname } = new URL(String(input));
    const isRead = init?.method === "GET" && pathname.includes("/data/");
    if (init?.method !== "GET") seen.push(`${host} ${pathname.split("/").at(-1)}`);
    if (isRead && host === "a.test" && isLost) throw new TypeError("fetch failed");
    const answer = await fetch(new URL(pathname, server.url), init);
    if (!pathname.endsWith("operation-ids")) return answer;
    isLost = true;
    await led.keyspace("default").get("k");
    return answer;
  };
  const led = connect({ url: ["http://a.test", "http://b.test"], fetch: between });
  await put(led.keyspace("default"));
  await led.close();
  return seen;
}

test("an operation id is used first at the server that gave it, wherever others are led meanwhile", async () => {
  const one = await putWith((keyspace) => keyspace.put("k", 1));
  expect(one).toEqual(["a.test operation-ids", "a.test k"]);
  const many = await putWith((keyspace) => keyspace.putMany([["k", 1]]));
  expect(many).toEqual(["a.test operation-ids", "a.test k"]);
  const batch = await putWith((keyspace) => keyspace.batch([{ put: "k", value: 1 }]));
  expect(batch).toEqual(["a.test operation-ids", "a.test batch"]);
});
