import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CapstanError } from "../../../src/core/model/errors.ts";
import { encodeValue } from "../../../src/core/model/values.ts";
import type { BatchResult, Store } from "../../../src/core/store/api.ts";
import { batchAnswer } from "../../../src/http/batch-schemas.ts";
import { type HttpServer, serveHttp } from "../../../src/http/index.ts";
import * as schemas from "../../../src/http/schemas.ts";
import { openStore } from "../../../src/open-store.ts";
import { FakeStore } from "./fake-store.ts";
import { type Reply, request } from "./requests.ts";

// Batches over real keyspaces: `accounts` (raft) writes all or nothing, `default` (tunable) and
// `notes` (dynamo) each key on its own.

let store: Store;
let server: HttpServer;
let keyspaces: string;

beforeAll(async () => {
  const configuration = {
    keyspaces: {
      accounts: { strategy: "raft", groupBy: { prefix: { separator: "/" } } },
      default: {},
      notes: { strategy: "dynamo", resolver: "version-vector" },
    },
  } as const;
  store = (await openStore(configuration)) as unknown as Store;
  await store.ready();
  server = await serveHttp(store, { port: 0 });
  keyspaces = `${server.url}/api/v1/keyspaces`;
});
afterAll(async () => {
  await server.close();
  await store.close();
});

function batch(
  keyspace: string,
  body: unknown,
  headers: Record<string, string> = {},
  query = "",
): Promise<Reply> {
  return request(`${keyspaces}/${keyspace}/batch${query}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

const valueAt = async (keyspace: string, key: string): Promise<unknown> =>
  (await request(`${keyspaces}/${keyspace}/data/${encodeURIComponent(key)}`)).json.value;

const said = ({ status, headers, json }: Reply) => [status, headers.get("x-outcome"), json.code];

async function mint(keyspace: string, count = 1): Promise<string[]> {
  const url = `${keyspaces}/${keyspace}/operation-ids?count=${count}`;
  return (await request(url, { method: "POST" })).json.operation_ids;
}

describe("where the writes take effect together", () => {
  test("all are done, and each result says so", async () => {
    await batch("accounts", { writes: [{ put: "a/3", value: 0 }] });
    const writes = [
      { put: "a/1", value: { n: 1 } },
      { put: "a/2", value: null },
      { delete: "a/3" },
    ];
    const reply = await batch("accounts", { writes }, { "consistency-level": "quorum" });
    batchAnswer.parse(reply.json);
    expect(said(reply)).toEqual([200, "applied", undefined]);
    expect(reply.json.results).toMatchObject([
      { key: "a/1", ok: true, outcome: "applied", version: expect.any(String), consistent: true },
      { key: "a/2", ok: true },
      { key: "a/3", ok: true },
    ]);
    expect(await valueAt("accounts", "a/1")).toEqual({ n: 1 });
    expect(await valueAt("accounts", "a/2")).toBe(null);
    expect(await valueAt("accounts", "a/3")).toBe(undefined);
  });

  test("none is done where one cannot be, and the fault is a problem of the request", async () => {
    const good = { put: "b/1", value: 1 };
    const tooLong = { put: `b/${"x".repeat(1_023)}`, value: 1 };
    const refusals: [unknown[], number, string, RegExp][] = [
      [
        [good, { put: "c/1", value: 1 }],
        400,
        "INVALID_ARGUMENT",
        /more than one shard \(shard \d+: "[bc]\/1"; shard \d+: "[bc]\/1"\)/,
      ],
      [[good, { put: "", value: 1 }], 400, "INVALID_KEY", /writes\[1\]: .*empty/],
      [[good, tooLong], 400, "INVALID_KEY", /1,?024/],
      [
        Array.from({ length: 4_097 }, () => good),
        400,
        "INVALID_ARGUMENT",
        /4,?097 writes; at most 4,?096/,
      ],
      [[{ ...good, operation_id: "x" }], 400, "INVALID_ARGUMENT", /writes\[0\] has an operationId/],
    ];
    for (const [writes, status, code, detail] of refusals) {
      const reply = await batch("accounts", { writes });
      expect(said(reply)).toEqual([status, "not-applied", code]);
      expect(reply.json.detail).toMatch(detail);
    }
    expect(await valueAt("accounts", "b/1")).toBe(undefined);
  });

  test("a retry under its key is the very same batch; another one under it is refused", async () => {
    const [id] = await mint("accounts");
    const under = { "idempotency-key": id as string };
    const first = await batch("accounts", { writes: [{ put: "d/1", value: 1 }] }, under);
    await batch("accounts", { writes: [{ put: "d/1", value: 2 }] });
    const retry = await batch("accounts", { writes: [{ put: "d/1", value: 1 }] }, under);
    expect(retry.json.results[0].version).toBe(first.json.results[0].version);
    expect(await valueAt("accounts", "d/1")).toBe(2);
    const other = await batch("accounts", { writes: [{ put: "d/1", value: 3 }] }, under);
    expect(said(other)).toEqual([409, "not-applied", "OPERATION_ID_REUSED"]);
  });

  test("the session has seen the batch", async () => {
    const headers = { "x-session-token": "begin" };
    const reply = await batch("accounts", { writes: [{ put: "s/1", value: 7 }] }, headers);
    const token = reply.headers.get("x-session-token") as string;
    const read = await request(`${keyspaces}/accounts/data/s%2F1`, {
      headers: { "x-session-token": token, "consistency-level": "session" },
    });
    expect(read.json.value).toBe(7);
  });
});

describe("where each write is on its own", () => {
  test.each(["default", "notes"])("keys of any shard are written (%s)", async (keyspace) => {
    const keys = Array.from({ length: 100 }, (_, n) => `k${n}`);
    const reply = await batch(keyspace, { writes: keys.map((put, value) => ({ put, value })) });
    batchAnswer.parse(reply.json);
    expect(said(reply)).toEqual([200, "applied", undefined]);
    expect(reply.json.results.map(({ key }: { key: string }) => key)).toEqual(keys);
    expect([await valueAt(keyspace, "k0"), await valueAt(keyspace, "k99")]).toEqual([0, 99]);
  });

  test("207 where one was not done: the others were, and its problem is that of the write alone", async () => {
    const reply = await batch("default", {
      writes: [{ put: "p1", value: 1 }, { put: "", value: 2 }, { delete: "p3" }],
    });
    batchAnswer.parse(reply.json);
    expect(said(reply)).toEqual([207, "per-key", undefined]);
    expect(reply.json.results).toMatchObject([
      { key: "p1", ok: true, outcome: "applied" },
      {
        key: "",
        ok: false,
        outcome: "not-applied",
        problem: { status: 400, code: "INVALID_KEY", retry: "never" },
      },
      { key: "p3", ok: true },
    ]);
    expect(await valueAt("default", "p1")).toBe(1);
    const none = await batch("default", { writes: [{ delete: "" }] });
    expect(said(none)).toEqual([207, "not-applied", undefined]);
  });

  test.each(["default", "notes"])("each write has an id of its own (%s)", async (keyspace) => {
    const [a, b] = (await mint(keyspace, 2)) as [string, string];
    const writes = [
      { put: "i1", value: 1, operation_id: a },
      { delete: "i2", operation_id: b },
    ];
    const first = await batch(keyspace, { writes });
    const again = await batch(keyspace, { writes });
    const versions = ({ json }: Reply) =>
      json.results.map(({ version }: { version: string }) => version);
    expect(again.status).toBe(200);
    expect(versions(again)).toEqual(versions(first));
  });

  test("a session that writes in many shards has seen all of them", async () => {
    const writes = Array.from({ length: 20 }, (_, n) => ({ put: `many${n}`, value: n }));
    const reply = await batch("default", { writes }, { "x-session-token": "begin" });
    const token = reply.headers.get("x-session-token") as string;
    expect(token).toBeTruthy();
    const alone = await batch(
      "default",
      { writes: writes.slice(0, 1) },
      { "x-session-token": token },
    );
    expect(alone.status).toBe(200);
    for (const { put, value } of writes) {
      const read = await request(`${keyspaces}/default/data/${put}`, {
        headers: { "x-session-token": token },
      });
      expect(read.json.value).toBe(value);
    }
    expect(token.length).toBeGreaterThan(
      (
        (
          await batch("default", { writes: writes.slice(0, 1) }, { "x-session-token": "begin" })
        ).headers.get("x-session-token") as string
      ).length,
    );
  });

  test("what belongs to one write, and a key that stands twice, are refused with nothing written", async () => {
    const writes = [{ put: "r", value: 1 }];
    const [id] = await mint("default");
    const refused = [
      await batch("default", { writes }, { "idempotency-key": id as string }),
      await batch("notes", { writes }, { "x-causal-context": "c" }),
      await batch("default", { writes: [...writes, { delete: "r" }] }),
    ];
    for (const reply of refused)
      expect(said(reply)).toEqual([400, "not-applied", "INVALID_ARGUMENT"]);
    expect(refused.map(({ json }) => json.detail)).toEqual([
      expect.stringContaining("operationId"),
      expect.stringContaining("context"),
      expect.stringContaining('the key "r" stands twice'),
    ]);
    expect(await valueAt("default", "r")).toBe(undefined);
  });
});

test.each(["accounts", "default"])(
  "a time to live is that of each value (%s)",
  async (keyspace) => {
    const writes = [{ put: "t/1", value: 1 }];
    expect((await batch(keyspace, { writes, ttl_ms: 60_000 })).status).toBe(200);
    const contradiction = await batch(keyspace, { writes, ttl_ms: 5 }, {}, "?ttl_ms=6");
    expect(said(contradiction)).toEqual([400, "not-applied", "INVALID_ARGUMENT"]);
    expect((await batch(keyspace, { writes }, {}, "?ttl_ms=1")).status).toBe(200);
    await expect.poll(() => valueAt(keyspace, "t/1"), { timeout: 10_000 }).toBe(undefined);
  },
);

test("an empty batch does nothing", async () => {
  const reply = await batch("accounts", { writes: [] });
  expect([reply.status, reply.json]).toEqual([200, { results: [] }]);
});

test("without a keyspace it is that of default", async () => {
  const reply = await request(`${server.url}/api/v1/batch`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"writes":[{"put":"plain","value":1}]}',
  });
  expect(reply.status).toBe(200);
  expect(await valueAt("default", "plain")).toBe(1);
});

test("a key that no path can carry stands in a body as any other", async () => {
  const reply = await batch("default", { writes: [{ put: "..", value: 1 }] });
  expect(said(reply)).toEqual([200, "applied", undefined]);
  expect(await store.keyspace("default").get("..")).toMatchObject({ value: 1 });
});

test("canonical bodies carry each value as its own encoding", async () => {
  const type = "application/vnd.capstan.value";
  const send = (writes: unknown) =>
    request(`${keyspaces}/default/batch`, {
      method: "POST",
      headers: { "content-type": type },
      body: encodeValue({ writes }) as Uint8Array<ArrayBuffer>,
    });
  const value = { at: new Date(5), big: 2n ** 70n };
  expect((await send([{ put: "whole", value: encodeValue(value) }])).status).toBe(200);
  expect(await store.keyspace("default").get("whole")).toMatchObject({ value });
  const broken = await send([{ delete: "x" }, { put: "whole", value: new Uint8Array([255]) }]);
  expect(said(broken)).toEqual([400, "not-applied", "INVALID_ARGUMENT"]);
  expect(broken.json.detail).toContain("the body's writes[1].value");
});

describe("refused, naming what is wrong", () => {
  const bodies: [string, string, number, RegExp][] = [
    ["no body", "", 400, /the body/],
    ["no writes", "{}", 400, /writes/],
    ["writes that are no list", '{"writes":{}}', 400, /writes/],
    [
      "a write of both kinds",
      '{"writes":[{"put":"a","value":1,"delete":"b"}]}',
      400,
      /writes\[0\]/,
    ],
    ["a put without a value", '{"writes":[{"delete":"b"},{"put":"a"}]}', 400, /writes\[1\]/],
    ["a misspelt field", '{"writes":[{"put":"a","vlaue":1}]}', 400, /writes\[0\].*"put": key/],
    ["a hidden field", '{"writes":[{"delete":"a","__proto__":1}]}', 400, /writes\[0\]/],
    ["a key that is no text", '{"writes":[{"delete":5}]}', 400, /writes\[0\]/],
    ["an id that is no text", '{"writes":[{"delete":"a","operation_id":5}]}', 400, /writes\[0\]/],
    ["a condition of a write", '{"writes":[{"delete":"a","if_version":"v"}]}', 400, /writes\[0\]/],
    ["an unknown field", '{"writes":[],"if_absent":true}', 400, /"if_absent".*writes, ttl_ms/],
    ["a life of nothing", '{"writes":[],"ttl_ms":0}', 400, /ttl_ms/],
  ];
  test.each(bodies)("%s", async (_what, body, status, detail) => {
    const reply = await batch("default", body);
    expect([reply.status, reply.headers.get("x-outcome")]).toEqual([status, "not-applied"]);
    expect(reply.json.detail).toMatch(detail);
    schemas.problemAnswer.parse(reply.json);
  });

  test("a condition of the whole, a level and a keyspace that are not there", async () => {
    const writes = [{ put: "x/1", value: 1 }];
    expect(said(await batch("accounts", { writes }, { "if-match": '"v"' }))).toEqual([
      400,
      "not-applied",
      "INVALID_ARGUMENT",
    ]);
    expect(said(await batch("accounts", { writes }, { "consistency-level": "all" }))).toEqual([
      400,
      "not-applied",
      "INVALID_LEVEL",
    ]);
    expect(said(await batch("nowhere", { writes }))).toEqual([
      404,
      "not-applied",
      "UNKNOWN_KEYSPACE",
    ]);
    expect(await valueAt("accounts", "x/1")).toBe(undefined);
  });
});

describe("what is not known of a write", () => {
  const unknown = (operationId: string) =>
    new CapstanError("OUTCOME_UNKNOWN", "no answer", { operationId });
  const lost = { key: "a", ok: false, error: unknown("a1") } as const;
  const broken = { key: "b", ok: false, error: new TypeError("secret") } as const;
  const refused = { key: "c", ok: false, error: new CapstanError("UNAVAILABLE", "alone") } as const;
  const writes = ["a", "b", "c"].map((key) => ({ delete: key }));

  async function answerOf(results: BatchResult | CapstanError): Promise<[Reply, unknown]> {
    const fake = new FakeStore();
    const batchOfFake = async (): Promise<BatchResult> => {
      if (results instanceof CapstanError) throw results;
      return results;
    };
    Object.assign(fake.keyspace("default"), { batch: batchOfFake });
    const fakeServer = await serveHttp(fake, { port: 0 });
    const reply = await request(`${fakeServer.url}/api/v1/batch`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ writes }),
    });
    await fakeServer.close();
    return [reply, reply.json.results?.map(({ outcome }: { outcome: string }) => outcome)];
  }

  test("stands in its problem, with its id, beside what is known of the others", async () => {
    const [reply, outcomes] = await answerOf([lost, broken, refused]);
    batchAnswer.parse(reply.json);
    expect(said(reply)).toEqual([207, "per-key", undefined]);
    expect(outcomes).toEqual(["unknown", "unknown", "not-applied"]);
    expect(reply.json.results).toMatchObject([
      { key: "a", problem: { status: 504, retry: "same-operation-id", operation_id: "a1" } },
      { key: "b", problem: { status: 500, code: "INTERNAL" } },
      { key: "c", problem: { status: 503, code: "UNAVAILABLE", retry: "safe" } },
    ]);
    expect(reply.text).not.toContain("secret");
  });

  test("is the outcome of the request where it is that of all", async () => {
    const [reply] = await answerOf([lost, broken]);
    expect(said(reply)).toEqual([207, "unknown", undefined]);
    const [whole] = await answerOf(unknown("w1"));
    expect(said(whole)).toEqual([504, "unknown", "OUTCOME_UNKNOWN"]);
    expect(whole.json.operation_id).toBe("w1");
  });
});

test("the API's description has the forms of a write", async () => {
  const { json } = await request(`${server.url}/api/v1/openapi.json`);
  const { schema } = json.paths["/api/v1/batch"].post.requestBody.content["application/json"];
  const forms = schema.properties.writes.items.oneOf;
  expect(forms.map(({ required }: { required: string[] }) => required)).toEqual([
    ["put", "value"],
    ["delete"],
  ]);
});

test("the health says of each keyspace how its batches take effect", async () => {
  const { json } = await request(`${server.url}/api/v1/cluster/health`);
  schemas.healthAnswer.parse(json);
  const kinds = json.keyspaces.map((each: { name: string; batch: string }) => [
    each.name,
    each.batch,
  ]);
  expect(Object.fromEntries(kinds)).toEqual({
    accounts: "all-or-nothing",
    default: "per-key",
    notes: "per-key",
  });
});
