import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CapstanError } from "../../../src/core/model/errors.ts";
import { decodeValue, encodeValue } from "../../../src/core/model/values.ts";
import { type HttpServer, serveHttp } from "../../../src/http/index.ts";
import * as schemas from "../../../src/http/schemas.ts";
import { FakeStore } from "./fake-store.ts";
import { putJson, request } from "./requests.ts";

const CAPSTAN = "application/vnd.capstan.value";
let store: FakeStore;
let server: HttpServer;
let data: string;
let accounts: string;

beforeAll(async () => {
  store = new FakeStore();
  server = await serveHttp(store, { port: 0 });
  data = `${server.url}/api/v1/data`;
  accounts = `${server.url}/api/v1/keyspaces/accounts/data`;
});
afterAll(() => server.close());
beforeEach(() => {
  store.interrupt = () => undefined;
  store.receipt = {};
  store.writes.length = 0;
});

describe("reading and writing", () => {
  test("a value is written, read and deleted, with the facts of each", async () => {
    const put = await putJson(`${data}/user:123`, '{"value":{"name":"John","age":30}}');
    expect(put.status).toBe(200);
    expect(put.headers.get("x-outcome")).toBe("applied");
    schemas.writtenAnswer.parse(put.json);

    const get = await request(`${data}/user:123`, { headers: { "Consistency-Level": "strong" } });
    expect(get.status).toBe(200);
    schemas.foundAnswer.parse(get.json);
    expect(get.json).toMatchObject({
      key: "user:123",
      value: { name: "John", age: 30 },
      version: put.json.version,
      consistency_achieved: "strong",
      nodes_queried: 2,
      consistent: true,
      pending_sync: false,
      duration_ms: 0.5,
    });
    expect(get.headers.get("etag")).toBe(put.headers.get("etag"));
    expect(get.headers.has("x-outcome")).toBe(false);

    const gone = await request(`${data}/user:123`, { method: "DELETE" });
    expect([gone.status, gone.headers.get("x-outcome")]).toEqual([200, "applied"]);
    const missing = await request(`${data}/user:123`);
    expect(missing.status).toBe(404);
    expect(missing.json).toMatchObject({ key: "user:123", found: false });
    schemas.missingAnswer.parse(missing.json);
  });

  test("both spellings of a level, and the options of a write, reach the store", async () => {
    await putJson(`${data}/o?timeout_ms=250`, '{"value":1,"context":"c1","ttl_ms":50}', {
      "consistency-level": "QUORUM",
      "idempotency-key": store.operationId("default"),
    });
    expect(store.writes).toMatchObject([
      { key: "o", options: { consistency: "quorum", timeoutMs: 250, ttlMs: 50, context: "c1" } },
    ]);
    await request(`${data}/o?ttl_ms=7`, { method: "DELETE", headers: { "x-causal-context": "c" } });
    expect(store.writes[1]?.options).toEqual({ context: "c", ttlMs: 7 });
  });

  test("the same operation id is the same write", async () => {
    const answer = await request(`${server.url}/api/v1/operation-ids`, { method: "POST" });
    schemas.operationIdsAnswer.parse(answer.json);
    const headers = { "idempotency-key": answer.json.operation_id };
    const first = await putJson(`${data}/twice`, '{"value":1}', headers);
    const second = await putJson(`${data}/twice`, '{"value":1}', headers);
    expect(second.json.version).toBe(first.json.version);
    const resolved = await request(
      `${server.url}/api/v1/operations/${answer.json.operation_id}/resolve`,
      { method: "POST" },
    );
    expect(schemas.resolveAnswer.parse(resolved.json).outcome).toBe("applied");
  });

  test("keys of any length that the store takes, percent-encoded or not", async () => {
    for (const key of [
      "a".repeat(1024),
      "ä".repeat(512),
      "/".repeat(1024),
      "a/b",
      "€".repeat(341),
    ]) {
      const encoded = encodeURIComponent(key);
      expect((await putJson(`${data}/${encoded}`, '{"value":1}')).status).toBe(200);
      expect((await request(`${data}/${encoded}`)).json.key).toBe(key);
    }
    const longest = [...Buffer.from("ä".repeat(512))]
      .map((byte) => `%${byte.toString(16)}`)
      .join("");
    expect(longest).toHaveLength(3_072);
    expect((await request(`${data}/${longest}`)).status).toBe(200);
    expect((await request(`${data}/a/b`)).json.key).toBe("a/b");
  });

  test("null is a value, and __proto__ a key and a field like any other", async () => {
    expect((await putJson(`${data}/null`, '{"value":null}')).status).toBe(200);
    expect((await request(`${data}/null`)).json).toMatchObject({ found: true, value: null });
    const value = '{"__proto__":{"x":[{"__proto__":1}]},"constructor":2,"toString":3}';
    await putJson(`${data}/__proto__`, `{"value":${value}}`, { ["__proto__"]: "h" });
    const { text } = await request(`${data}/__proto__`);
    expect(text).toContain(`"value":${value}`);
    expect(({} as { x?: unknown }).x).toBeUndefined();
  });

  test("a level that was not met but allowed carries a warning in plain words", async () => {
    store.receipt = { consistent: false, achieved: "one", pendingSync: true, warning: "1 of 2" };
    const put = await putJson(`${data}/w`, '{"value":1}');
    expect(put.json).toMatchObject({
      warning: "Write quorum not met",
      warning_detail: "1 of 2",
      consistent: false,
      pending_sync: true,
      consistency_asked: "quorum",
      consistency_achieved: "one",
    });
    expect((await request(`${data}/w`)).json.warning).toBe("Read quorum not met");
  });

  test("siblings are a conflict, and 200", async () => {
    const siblings = `${server.url}/api/v1/keyspaces/siblings/data`;
    await putJson(`${siblings}/s`, '{"value":1}');
    const { status, json } = await request(`${siblings}/s`);
    expect([status, json.conflict, json.siblings]).toEqual([200, true, [1, "other"]]);
    expect(json).not.toHaveProperty("value");
  });
});

describe("conditions", () => {
  test("are refused without consensus, in every form, and nothing is written", async () => {
    await putJson(`${data}/c`, '{"value":1}');
    const { headers } = await request(`${data}/c`);
    const tries = await Promise.all([
      putJson(`${data}/c`, '{"value":2,"if_version":"t1"}'),
      putJson(`${data}/c`, '{"value":2,"if_absent":true}'),
      putJson(`${data}/c`, '{"value":2}', { "if-match": headers.get("etag") ?? "" }),
      putJson(`${data}/c`, '{"value":2}', { "if-none-match": "*" }),
      request(`${data}/c`, { method: "DELETE", headers: { "if-match": '"t1"' } }),
    ]);
    for (const { status, json, headers } of tries) {
      expect([status, json.code]).toEqual([422, "CONDITIONAL_UNSUPPORTED"]);
      expect(headers.get("x-outcome")).toBe("not-applied");
    }
    expect((await request(`${data}/c`)).json.value).toBe(1);
  });

  test("hold by body and by ETag where there is consensus; else 412 with what is there", async () => {
    expect((await putJson(`${accounts}/a`, '{"value":1,"if_absent":true}')).status).toBe(200);
    const tag = (await request(`${accounts}/a`)).headers.get("etag") ?? "";
    expect((await putJson(`${accounts}/a`, '{"value":2}', { "if-match": tag })).status).toBe(200);
    const late = await putJson(`${accounts}/a`, '{"value":3}', { "if-match": tag });
    expect([late.status, late.headers.get("x-outcome")]).toEqual([412, "not-applied"]);
    schemas.mismatchAnswer.parse(late.json);
    expect(late.json).toMatchObject({ reason: "version-mismatch", current: { value: 2 } });
    const byQuery = [
      await putJson(`${accounts}/a?if_absent=true`, '{"value":4}'),
      await putJson(`${accounts}/a?if_version=t1`, '{"value":4}', { "if-match": '"t1"' }),
      await request(`${accounts}/a?if_version=t1`, { method: "DELETE" }),
    ];
    expect(byQuery.map(({ status }) => status)).toEqual([412, 412, 412]);
    const contradicting = await putJson(`${accounts}/a?if_version=t1`, '{"value":4}', {
      "if-match": tag.replace("t", "u"),
    });
    expect([contradicting.status, contradicting.json.detail]).toEqual([
      400,
      "the header If-Match and the query's if_version contradict each other",
    ]);
    expect((await putJson(`${accounts}/a?if_absent=yes`, '{"value":4}')).status).toBe(400);
    const cached = await request(`${accounts}/a`, {
      headers: { "if-none-match": `"x", "${late.json.current.version}"` },
    });
    expect([cached.status, cached.text]).toEqual([304, ""]);
  });
});

describe("content types", () => {
  test("raw bytes go in and out as they are", async () => {
    const bytes = new Uint8Array([0, 255, 10]);
    const put = await request(`${data}/raw`, {
      method: "PUT",
      body: bytes,
      headers: { "content-type": "application/octet-stream" },
    });
    expect(put.status).toBe(200);
    const response = await fetch(`${data}/raw`, {
      headers: { accept: "application/octet-stream" },
    });
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(bytes);
    expect(response.headers.get("x-nodes-queried")).toBe("2");
    expect(response.headers.get("x-causal-context")).toBe(put.json.version);
  });

  test("what JSON cannot hold is 406, naming the path and the type that can", async () => {
    await store.keyspace("default").put("raw", new Uint8Array([1]));
    await store.keyspace("default").put("deep", { a: [{ when: new Date(0) }] });
    const raw = await request(`${data}/raw`);
    expect([raw.status, raw.json.code]).toEqual([406, "NOT_REPRESENTABLE"]);
    expect(raw.json.detail).toContain("Accept: application/octet-stream");
    const deep = await request(`${data}/deep`);
    expect(deep.json.detail).toMatch(/\$\.a\[0\]\.when is a Date.*vnd\.capstan\.value/);
    const noBytes = await request(`${data}/deep`, {
      headers: { accept: "application/octet-stream" },
    });
    expect(noBytes.status).toBe(406);
    expect((await request(`${data}/deep`, { headers: { accept: "text/html" } })).status).toBe(406);
    const browser = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };
    expect((await request(`${data}/null`, { headers: browser })).status).toBe(200);
  });

  test("the canonical type holds dates, bytes and bigints", async () => {
    const value = { when: new Date(5), bytes: new Uint8Array([1]), big: 2n ** 70n };
    const put = await request(`${data}/whole`, {
      method: "PUT",
      body: encodeValue({ value: encodeValue(value) }),
      headers: { "content-type": CAPSTAN },
    });
    expect(put.status).toBe(200);
    const response = await fetch(`${data}/whole`, { headers: { accept: CAPSTAN } });
    const body = decodeValue(new Uint8Array(await response.arrayBuffer())) as { value: Uint8Array };
    expect(decodeValue(body.value)).toEqual(value);
  });
});

describe("scans", () => {
  test("go page by page in the order of keys, and say where the next begins", async () => {
    for (const key of ["p/3", "p/1", "p/2", "q"]) await store.keyspace("accounts").put(key, key);
    const first = await request(`${accounts}?prefix=p%2F&limit=2`);
    schemas.scanAnswer.parse(first.json);
    expect(first.json.entries.map((each: { key: string }) => each.key)).toEqual(["p/1", "p/2"]);
    expect(first.json.more).toBe(true);
    const next = encodeURIComponent(first.json.cursor);
    const second = await request(`${accounts}?prefix=p/&limit=2&cursor=${next}`);
    expect(second.json).toMatchObject({ entries: [{ key: "p/3", value: "p/3" }], more: false });
    expect(second.json).not.toHaveProperty("cursor");
  });

  test("an entry that JSON cannot hold says so; the others are there", async () => {
    await store.keyspace("accounts").put("r/1", new Date(0));
    await store.keyspace("accounts").put("r/2", 2);
    const { json } = await request(`${accounts}?prefix=r/`);
    expect(json.entries).toMatchObject([
      { key: "r/1", omitted: expect.stringMatching(/a Date/) },
      { value: 2 },
    ]);
    schemas.scanAnswer.parse(json);
  });
});

describe("the cluster", () => {
  test("health has all its fields, and sides as this node sees them", async () => {
    const { json } = await request(`${server.url}/api/v1/cluster/health`);
    schemas.healthAnswer.parse(json);
    expect(json).toMatchObject({
      total_nodes: 2,
      healthy_nodes: 2,
      partitioned: false,
      consistency_mode: "tunable",
      writable_partitions: 1,
      read_only_partitions: 0,
      node: "n1",
      degraded: true,
      insecure: false,
    });
    store.side = "isolated";
    const cut = await request(`${server.url}/api/v1/cluster/health`);
    store.side = "majority";
    expect(cut.json).toMatchObject({
      healthy_nodes: 1,
      partitioned: true,
      writable_partitions: 0,
      read_only_partitions: 1,
    });
  });

  test("health says why a peer is not met, what it was not given, and whether it joins or is lost", async () => {
    const { json: whole } = await request(`${server.url}/api/v1/cluster/health`);
    expect(whole.nodes[1]).not.toHaveProperty("refusal");
    try {
      store.peer = { status: "unknown", silentMs: undefined, refusal: "configuration-mismatch" };
      const { json: refused } = await request(`${server.url}/api/v1/cluster/health`);
      schemas.healthAnswer.parse(refused);
      expect(refused).toMatchObject({ healthy_nodes: 1, partitioned: false });
      expect(refused.nodes[1]).toEqual({
        node: "n2",
        status: "unknown",
        datacenter: "default",
        refusal: "configuration-mismatch",
      });
      store.peer = { status: "joining", silentMs: 100 };
      const { json: joining } = await request(`${server.url}/api/v1/cluster/health`);
      schemas.healthAnswer.parse(joining);
      expect(joining).toMatchObject({ healthy_nodes: 1, partitioned: false });
      expect(joining.nodes[1]).toMatchObject({ status: "joining", silent_ms: 100 });
      expect(joining.nodes[1]).not.toHaveProperty("lacking");
      store.peer = { status: "active", silentMs: 1, lacking: ["audit"] };
      const { json: old } = await request(`${server.url}/api/v1/cluster/health`);
      schemas.healthAnswer.parse(old);
      expect(old.nodes[1]).toMatchObject({ status: "active", lacking: ["audit"] });
    } finally {
      store.peer = {};
    }
  });

  test("health says which shards do not serve, and only where there are some", async () => {
    const { json: whole } = await request(`${server.url}/api/v1/cluster/health`);
    expect(whole.keyspaces[0]).not.toHaveProperty("unserved");
    try {
      store.unserved = [
        {
          ...{ shards: [0], reason: "quorum-lost", missing: ["n2"], isHeld: true },
          ...{ reads: ["quorum"], writes: ["strong"] },
        },
      ];
      const { json } = await request(`${server.url}/api/v1/cluster/health`);
      schemas.healthAnswer.parse(json);
      expect(json.keyspaces[0].unserved).toEqual([
        {
          ...{ shards: [0], reason: "quorum-lost", missing: ["n2"], held_here: true },
          ...{ reads: ["quorum"], writes: ["strong"] },
        },
      ]);
    } finally {
      store.unserved = undefined;
    }
  });

  test("the API describes itself in OpenAPI 3.1", async () => {
    const { json } = await request(`${server.url}/api/v1/openapi.json`);
    expect(json.openapi).toBe("3.1.0");
    expect(Object.keys(json.paths).sort()).toEqual([
      "/api/v1/batch",
      "/api/v1/cluster/conflicts",
      "/api/v1/cluster/health",
      "/api/v1/cluster/members",
      "/api/v1/cluster/members/recover",
      "/api/v1/cluster/replications",
      "/api/v1/data",
      "/api/v1/data/{key}",
      "/api/v1/data/{key}/operations",
      "/api/v1/keyspaces/{keyspace}/batch",
      "/api/v1/keyspaces/{keyspace}/data",
      "/api/v1/keyspaces/{keyspace}/data/{key}",
      "/api/v1/keyspaces/{keyspace}/data/{key}/operations",
      "/api/v1/keyspaces/{keyspace}/operation-ids",
      "/api/v1/keyspaces/{keyspace}/watch",
      "/api/v1/operation-ids",
      "/api/v1/operations/{id}/resolve",
      "/api/v1/watch",
    ]);
    const put = json.paths["/api/v1/data/{key}"].put;
    const body = put.requestBody.content["application/json"].schema;
    expect(Object.keys(body.properties)).toEqual([
      "value",
      "context",
      "if_version",
      "if_absent",
      "ttl_ms",
    ]);
  });
});

describe("faults", () => {
  test("are problem+json, with all that a caller needs to go on", async () => {
    const { operationId } = { operationId: store.operationId("default") };
    store.interrupt = () => {
      throw new CapstanError("OUTCOME_UNKNOWN", "1 of 2 replicas answered", {
        operationId,
        details: { answered: 1, error: new Error("secret") },
      });
    };
    const { status, headers, json } = await putJson(`${data}/f`, '{"value":1}');
    expect(status).toBe(504);
    expect(headers.get("content-type")).toMatch(/^application\/problem\+json/);
    expect(headers.get("x-outcome")).toBe("unknown");
    schemas.problemAnswer.parse(json);
    expect(json).toMatchObject({
      type: "urn:capstan:error:OUTCOME_UNKNOWN",
      code: "OUTCOME_UNKNOWN",
      outcome: "unknown",
      retry: "same-operation-id",
      operation_id: operationId,
      detail: "1 of 2 replicas answered",
      details: { answered: 1 },
    });
  });

  test("keep details that are lists and objects, as far as JSON holds them", async () => {
    const endless: Record<string, unknown> = {};
    endless.self = endless;
    store.interrupt = () => {
      throw new CapstanError("INVALID_VALUE", "two things are wrong", {
        details: {
          issues: [{ path: "$.a", message: "no" }],
          shards: { 3: ["a", "b"] },
          errors: [new Error("secret")],
          endless,
        },
      });
    };
    const { json } = await putJson(`${data}/f`, '{"value":1}');
    expect(json.details).toEqual({
      issues: [{ path: "$.a", message: "no" }],
      shards: { 3: ["a", "b"] },
    });
  });

  test("busy and unavailable nodes say when to come again; nothing else does", async () => {
    for (const [code, status, after] of [
      ["OVERLOADED", 429, "1"],
      ["UNAVAILABLE", 503, "1"],
      ["STORE_FAILED", 503, null],
    ] as const) {
      store.interrupt = () => {
        throw new CapstanError(code, "no");
      };
      const reply = await request(`${data}/f`);
      expect([reply.status, reply.headers.get("retry-after")]).toEqual([status, after]);
    }
  });

  test("internal ones give nothing away, and are unknown", async () => {
    store.interrupt = () => {
      throw new TypeError("secret at /srv/secret.ts:12");
    };
    const id = store.operationId("default");
    const reply = await putJson(`${data}/f`, '{"value":1}', { "idempotency-key": id });
    expect(reply.status).toBe(500);
    expect(reply.json).toMatchObject({ code: "INTERNAL", outcome: "unknown", operation_id: id });
    expect(reply.text).not.toContain("secret");
  });
});
