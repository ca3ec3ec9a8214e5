import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { encodeValue } from "../../../src/core/model/values.ts";
import { type HttpServer, serveHttp } from "../../../src/http/index.ts";
import { problemAnswer } from "../../../src/http/schemas.ts";
import { FakeStore } from "./fake-store.ts";
import { putJson, type Reply, raw, request } from "./requests.ts";

let store: FakeStore;
let server: HttpServer;
let data: string;

beforeAll(async () => {
  store = new FakeStore();
  server = await serveHttp(store, { port: 0, allowedHosts: ["kv.example"], maxBodyBytes: 300_000 });
  data = `${server.url}/api/v1/data`;
});
afterAll(() => server.close());

/** Whatever was sent: nothing is stored, and the next request is answered as ever. */
afterEach(async () => {
  expect(store.writes).toEqual([]);
  for (const name of store.keyspaceNames) expect(store.keyspace(name).data.size).toBe(0);
  expect((await request(`${server.url}/api/v1/cluster/health`)).status).toBe(200);
});

function expectRefusal(reply: Reply, status: number, code: string, message?: RegExp): void {
  expect([reply.status, reply.json?.code], reply.text).toEqual([status, code]);
  expect(reply.headers.get("content-type")).toMatch(/^application\/problem\+json/);
  problemAnswer.parse(reply.json);
  expect(reply.json.outcome).toBe("not-applied");
  if (message !== undefined) expect(reply.json.detail).toMatch(message);
}

function expectRefusedWrite(reply: Reply, status: number, code: string, message?: RegExp): void {
  expectRefusal(reply, status, code, message);
  expect(reply.headers.get("x-outcome")).toBe("not-applied");
}

const head = (start: string, ...headers: string[]) =>
  [
    start,
    ...(headers.some((each) => /^host:/i.test(each)) ? [] : ["Host: localhost"]),
    ...headers,
  ].join("\n");

describe("keys", () => {
  test.each([
    ["", "empty"],
    ["%zz", "percent"],
    ["%ff", "UTF-8"],
    ["%c0%ae", "UTF-8"],
    [".", "segment"],
    ["..", "segment"],
    ["%2e%2E", "segment"],
    ["a/../b", "segment"],
    ["a#b", "bare #"],
    [`${"a".repeat(1_025)}`, "1025 bytes"],
    [`${"%C3%A4".repeat(513)}`, "1026 bytes"],
    [`${"/".repeat(1_025)}`, "1025 bytes"],
  ])("%s", async (key, message) => {
    for (const [method, headers, body] of [
      ["PUT", ["Content-Type: application/json", "Content-Length: 11"], '{"value":1}'],
      ["DELETE", [], ""],
      ["GET", [], ""],
    ] as const) {
      const reply = await raw(
        server.port,
        head(`${method} /api/v1/data/${key} HTTP/1.1`, ...headers),
        body,
      );
      const check = method === "GET" ? expectRefusal : expectRefusedWrite;
      check(reply, 400, "INVALID_KEY", new RegExp(message));
    }
  });

  test("a path that a client has cleaned up names no key, and no other one", async () => {
    expectRefusedWrite(await putJson(`${data}/.`, '{"value":1}'), 400, "INVALID_KEY", /empty/);
    expectRefusedWrite(await putJson(`${data}/..`, '{"value":1}'), 404, "NOT_FOUND");
    expectRefusedWrite(await putJson(`${data}/x/../../y`, '{"value":1}'), 404, "NOT_FOUND");
  });
});

describe("keyspaces and routes", () => {
  test.each(["__proto__", "constructor", "toString", "%2e%2e", "..%2fdefault", "nope", ""])(
    "keyspace %s",
    async (name) => {
      const start = `PUT /api/v1/keyspaces/${name}/data/k HTTP/1.1`;
      const headers = ["Content-Type: application/json", "Content-Length: 11"];
      const reply = await raw(server.port, head(start, ...headers), '{"value":1}');
      expectRefusedWrite(reply, 404, "UNKNOWN_KEYSPACE");
      expect(reply.json.allowed).toEqual(store.keyspaceNames);
    },
  );

  test("an encoded path is not another spelling of a route", async () => {
    for (const path of ["/api/v1/d%61ta/k", "/api/v1/keyspaces/default/d%61ta/k", "/%zz", "/%ff"]) {
      const reply = await raw(server.port, head(`DELETE ${path} HTTP/1.1`));
      expectRefusedWrite(reply, 404, "NOT_FOUND");
    }
  });

  test.each([
    "POST /",
    "PATCH /api/v1/data/k",
    "PUT /api/v1/data",
    "DELETE /api/v2/data/k",
    "TRACE /",
  ])("%s is no route, and nothing was applied", async (start) => {
    expectRefusedWrite(await raw(server.port, head(`${start} HTTP/1.1`)), 404, "NOT_FOUND");
  });

  test.each(["OPTIONS * HTTP/1.1", "BREW /api/v1/data/k HTTP/1.1", "GET /api/v1/data/k HTTP/9.9"])(
    "%s",
    async (start) => {
      const { status } = await raw(server.port, head(start));
      expect([400, 404]).toContain(status);
    },
  );

  test("CONNECT ends the connection; Upgrade is not taken up", async () => {
    expect((await raw(server.port, head("CONNECT localhost:1 HTTP/1.1"))).text).toBe("");
    const upgrade = head("GET /api/v1/data/k HTTP/1.1", "Upgrade: websocket");
    expect((await raw(server.port, upgrade)).status).toBe(404);
    const expectation = head("PUT /api/v1/data/k HTTP/1.1", "Expect: magic", "Content-Length: 0");
    expect((await raw(server.port, expectation)).status).toBe(417);
  });
});

describe("bodies", () => {
  test.each([
    ["{}", /has no value/],
    ["", /the body is missing; it has to be an object with value, context, if_version/],
    ["null", /the body is null/],
    ["[]", /body/],
    ['"x"', /body/],
    ["{", /not JSON/],
    ['{"value":1,"value":2}', /\$\.value stands twice/],
    ['{"value":{"a":1,"a":2}}', /\$\.value\.a stands twice/],
    ['{"value":9007199254740993}', /beyond 2\^53/],
    ['{"value":1e400}', /too large/],
    ['{"value":"\\ud800"}', /surrogate/],
    ['{"value":1,"if_versoin":"t1"}', /unknown field "if_versoin"; allowed are value, context/],
    ['{"value":1,"__proto__":{"if_version":"t1"}}', /unknown field "__proto__"/],
    ['{"value":1,"constructor":1}', /unknown field "constructor"/],
    ['{"value":1,"context":7}', /context.*it is 7/],
    ['{"value":1,"if_version":null}', /if_version.*it is null/],
    ['{"value":1,"if_absent":"true"}', /if_absent.*it is "true"/],
    ['{"value":1,"if_version":"a","if_absent":true}', /one condition/],
    ['{"value":1,"ttl_ms":0}', /ttl_ms.*it is 0/],
    ['{"value":1,"ttl_ms":-1}', /ttl_ms/],
    ['{"value":1,"ttl_ms":1.5}', /ttl_ms/],
    ['{"value":1,"ttl_ms":"1e3"}', /ttl_ms/],
  ])("%s", async (body, message) => {
    const reply = await putJson(`${data}/k`, body);
    expectRefusedWrite(reply, 400, "INVALID_ARGUMENT", message);
  });

  test("an operation that is null, missing or bytes is named as that", async () => {
    const url = `${data}/k/operations`;
    const posted = (body: string, type = "application/json") =>
      request(url, { method: "POST", body, headers: { "content-type": type } });
    expectRefusedWrite(await posted("null"), 400, "INVALID_ARGUMENT", /the body is null/);
    expectRefusedWrite(await posted(""), 400, "INVALID_ARGUMENT", /the body is missing/);
    const bytes = await posted("milk", "application/octet-stream");
    expectRefusedWrite(bytes, 415, "UNSUPPORTED_MEDIA_TYPE", /octet-stream.*application\/json/);
    const canonical = Buffer.from(encodeValue(null)).toString("latin1");
    const none = await raw(
      server.port,
      head(
        "POST /api/v1/data/k/operations HTTP/1.1",
        "Content-Type: application/vnd.capstan.value",
        `Content-Length: ${canonical.length}`,
      ),
      canonical,
    );
    expectRefusedWrite(none, 400, "INVALID_ARGUMENT", /the body is null/);
  });

  test("null is no absent body where a body may be left out", async () => {
    const deleted = await request(`${data}/k`, {
      method: "DELETE",
      body: "null",
      headers: { "content-type": "application/json" },
    });
    expectRefusedWrite(deleted, 400, "INVALID_ARGUMENT", /the body is null/);
  });

  test("too deep for the server, and for the store", async () => {
    const nested = (depth: number) => `{"value":${"[".repeat(depth)}${"]".repeat(depth)}}`;
    const deep = await putJson(`${data}/k`, nested(100_000));
    expectRefusedWrite(deep, 400, "INVALID_ARGUMENT", /deeper/);
    expectRefusedWrite(await putJson(`${data}/k`, nested(101)), 400, "INVALID_VALUE", /deeper/);
  });

  test("over the value's bound, and over the server's", async () => {
    const text = (length: number) => `{"value":"${"x".repeat(length)}"}`;
    expectRefusedWrite(await putJson(`${data}/k`, text(65_537)), 413, "VALUE_TOO_LARGE", /65536/);
    const large = await raw(
      server.port,
      head(
        "PUT /api/v1/data/k HTTP/1.1",
        "Content-Type: application/json",
        "Content-Length: 300001",
      ),
    );
    expectRefusedWrite(large, 413, "VALUE_TOO_LARGE");
  });

  test("bytes that are no UTF-8", async () => {
    const headers = ["Content-Type: application/json", "Content-Length: 13"];
    for (const bytes of ["\xff", "\xc0\xaf".slice(0, 1)]) {
      const reply = await raw(
        server.port,
        head("PUT /api/v1/data/k HTTP/1.1", ...headers),
        `{"value":"${bytes}"}`,
      );
      expectRefusedWrite(reply, 400, "INVALID_ARGUMENT", /UTF-8/);
    }
  });

  test.each([
    [new Uint8Array([1, 2, 3])],
    [new Uint8Array([9])],
    [encodeValue({ value: 1 })],
    [encodeValue({ value: new Uint8Array([1]) })],
    [encodeValue({ value: encodeValue(1).slice(0, 1) })],
    [encodeValue([1])],
    [encodeValue({ value: encodeValue(1), more: 1 })],
  ])("no canonical body: %j", async (body) => {
    const reply = await request(`${data}/k`, {
      method: "PUT",
      body: new Uint8Array(body),
      headers: { "content-type": "application/vnd.capstan.value" },
    });
    expectRefusedWrite(reply, 400, "INVALID_ARGUMENT");
  });
});

describe("content types", () => {
  test.each([
    ["text/plain"],
    ["application/x-www-form-urlencoded"],
    ["multipart/form-data; boundary=x"],
    ["application/json; charset=utf-16"],
    ["application/jsonx"],
    ["nonsense"],
  ])("%s", async (type) => {
    const reply = await putJson(`${data}/k`, '{"value":1}', { "content-type": type });
    expectRefusedWrite(reply, 415, "UNSUPPORTED_MEDIA_TYPE", /application\/json/);
  });

  test("none at all, and compressed ones", async () => {
    const start = "PUT /api/v1/data/k HTTP/1.1";
    const none = await raw(server.port, head(start, "Content-Length: 11"), '{"value":1}');
    expectRefusedWrite(none, 415, "UNSUPPORTED_MEDIA_TYPE", /without a Content-Type/);
    const gzip = await putJson(`${data}/k`, "x", { "content-encoding": "gzip" });
    expectRefusedWrite(gzip, 415, "UNSUPPORTED_MEDIA_TYPE", /gzip/);
  });

  test("an answer that could not be given is refused before the write", async () => {
    const reply = await putJson(`${data}/k`, '{"value":1}', { accept: "text/html" });
    expectRefusedWrite(reply, 406, "NOT_REPRESENTABLE");
  });
});

describe("headers", () => {
  test.each([
    ["Consistency-Level: one", "Consistency-Level: all"],
    ["Idempotency-Key: a", "idempotency-key: a"],
    ['If-Match: "a"', 'If-Match: "b"'],
    ["Content-Type: application/json", "Content-Type: text/plain"],
    ["X-Causal-Context: a", "X-Causal-Context: b"],
  ])("doubled: %s", async (first, second) => {
    const type = "Content-Type: application/json";
    const headers = [first, second, ...(first.startsWith("Content-Type") ? [] : [type])];
    const reply = await raw(
      server.port,
      head("PUT /api/v1/data/k HTTP/1.1", ...headers, "Content-Length: 11"),
      '{"value":1}',
    );
    const name = (first.split(":")[0] as string).toLowerCase();
    expectRefusedWrite(reply, 400, "INVALID_ARGUMENT", new RegExp(`${name} stands twice`));
  });

  test.each([
    ["consistency-level", "strongest", "INVALID_LEVEL", /one, quorum/],
    ["consistency-level", "one, all", "INVALID_LEVEL", /one, quorum/],
    ["consistency-level", "", "INVALID_LEVEL", /one, quorum/],
    ["consistency-level", "each_quorum", "INVALID_LEVEL", /not offered/],
    ["consistency-level", "__proto__", "INVALID_LEVEL", /one, quorum/],
    ["idempotency-key", "made-up", "INVALID_OPERATION_ID", /not mine/],
    ["if-match", "t1", "INVALID_ARGUMENT", /in quotes/],
    ["if-match", 'W/"t1"', "INVALID_ARGUMENT", /strong ETag/],
    ["if-match", '"a", "b"', "INVALID_ARGUMENT", /one strong ETag/],
    ["if-none-match", '"a"', "INVALID_ARGUMENT", /has to be \*/],
  ])("%s: %s", async (name, value, code, message) => {
    const reply = await putJson(`${data}/k`, '{"value":1}', { [name]: value });
    expectRefusedWrite(reply, 400, code, message);
  });

  test.each([
    [{ "x-causal-context": "a" }, '{"value":1,"context":"b"}'],
    [{ "if-match": '"a"' }, '{"value":1,"if_version":"b"}'],
    [{ "if-none-match": "*" }, '{"value":1,"if_absent":false}'],
    [{ "if-match": '"a"', "if-none-match": "*" }, '{"value":1}'],
  ])("one thing said two ways: %j", async (headers, body) => {
    const reply = await putJson(`${data}/k`, body, headers as Record<string, string>);
    expectRefusedWrite(reply, 400, "INVALID_ARGUMENT", /contradict|one condition/);
  });

  test.each([
    ["if-match", /If-None-Match/],
    ["x-causal-context", /X-Session-Token/],
    ["idempotency-key", /repeated without one/],
  ])("%s of a read or a scan", async (name, message) => {
    for (const url of [`${data}/k`, data]) {
      const reply = await request(url, { headers: { [name]: '"t1"' } });
      expectRefusal(reply, 400, "INVALID_ARGUMENT", message);
      expect(reply.json.detail).toContain(`the header ${name} belongs to a write`);
    }
  });

  test("larger than 16 KiB together", async () => {
    const reply = await raw(server.port, head("GET / HTTP/1.1", `X-Large: ${"x".repeat(17_000)}`));
    expect(reply.status).toBe(431);
    expect(reply.json.detail).toMatch(/16384/);
  });
});

describe("queries", () => {
  test.each([
    ["?timeout_ms=5&timeout_ms=6", /"timeout_ms" stands twice/],
    ["?consistency=one&consistency=all", /"consistency" stands twice/],
    ["?consistency=one", /unknown field "consistency"/],
    ["?__proto__=1", /unknown field "__proto__"/],
    ["?timeout_ms=", /whole number/],
    ["?timeout_ms=0", /whole number/],
    ["?timeout_ms=-1", /whole number/],
    ["?timeout_ms=1e3", /whole number/],
    ["?timeout_ms=2+", /whole number/],
    ["?timeout_ms=Infinity", /whole number/],
    ["?timeout_ms=0x10", /whole number/],
    ["?ttl_ms=99999999999999999", /whole number/],
    ["?%ff=1", /UTF-8/],
  ])("%s", async (query, message) => {
    const reply = await putJson(`${data}/k${query}`, '{"value":1}');
    expectRefusedWrite(reply, 400, "INVALID_ARGUMENT", message);
  });

  test.each([
    ["?limit=0", "INVALID_ARGUMENT", /whole number/],
    ["?limit=1001", "INVALID_ARGUMENT", /at most 1000/],
    ["?limit=ten", "INVALID_ARGUMENT", /whole number.*it is "ten"/],
    ["?perfix=a", "INVALID_ARGUMENT", /unknown field "perfix"; allowed are prefix/],
    ["?limit=1&limit=2", "INVALID_ARGUMENT", /stands twice/],
    ["?cursor=made-up", "INVALID_CURSOR", /not mine/],
  ])("of a scan: %s", async (query, code, message) => {
    expectRefusal(await request(data + query), 400, code, message);
  });
});

describe("who may ask", () => {
  test.each([
    "evil.example",
    "localhost.evil.example",
    "10.0.0.1",
    "127.0.0.1.nip.io:80",
    "",
    "[::2]",
  ])("Host %j is foreign", async (host) => {
    const headers = [`Host: ${host}`, "Content-Type: application/json", "Content-Length: 11"];
    const write = await raw(
      server.port,
      head("PUT /api/v1/data/k HTTP/1.1", ...headers),
      '{"value":1}',
    );
    expectRefusedWrite(write, 403, "FORBIDDEN_HOST");
    const read = await raw(server.port, head("GET /none HTTP/1.1", `Host: ${host}`));
    expectRefusal(read, 403, "FORBIDDEN_HOST");
  });

  test.each(["localhost", "LOCALHOST:1", "127.0.0.1:8401", "[::1]", "[::1]:80", "kv.example:9"])(
    "Host %s is ours",
    async (host) => {
      const reply = await raw(server.port, head("GET /api/v1/data/k HTTP/1.1", `Host: ${host}`));
      expect(reply.status).toBe(404);
    },
  );

  test("a target in absolute form has to be ours as well", async () => {
    const foreign = head("GET http://evil.example/api/v1/data/k HTTP/1.1");
    expectRefusal(await raw(server.port, foreign), 403, "FORBIDDEN_HOST");
    const ours = await raw(server.port, head("GET http://localhost/api/v1/data/k HTTP/1.1"));
    expect([ours.status, ours.json.key]).toEqual([404, "k"]);
  });

  test("X-Forwarded-For and X-HTTP-Method-Override change nothing", async () => {
    const headers = [
      "Host: evil.example",
      "X-Forwarded-For: 127.0.0.1",
      "X-Forwarded-Host: localhost",
    ];
    expectRefusal(
      await raw(server.port, head("GET /api/v1/data/k HTTP/1.1", ...headers)),
      403,
      "FORBIDDEN_HOST",
    );
    const override = head("GET /api/v1/data/k HTTP/1.1", "X-HTTP-Method-Override: DELETE");
    expect((await raw(server.port, override)).status).toBe(404);
  });

  test.each(["null", "http://evil.example", "file://", "http://localhost.evil.example:80"])(
    "a page of %s cannot write",
    async (origin) => {
      const body = '{"value":1}';
      const foreign = await putJson(`${data}/k`, body, { origin });
      expectRefusedWrite(foreign, 403, "FORBIDDEN_HOST", /page/);
      const headers = { origin, "content-type": "text/plain" };
      const form = await request(`${server.url}/api/v1/operation-ids`, {
        method: "POST",
        body,
        headers,
      });
      expectRefusedWrite(form, 415, "UNSUPPORTED_MEDIA_TYPE");
      const empty = { method: "POST", headers: { origin } };
      const url = `${server.url}/api/v1/operations/op-1/resolve`;
      expectRefusedWrite(await request(url, empty), 403, "FORBIDDEN_HOST");
    },
  );
});

describe("where a server cannot listen", () => {
  test("beyond loopback it needs insecure, and says so in health", async () => {
    const refused = serveHttp(store, { port: 0, host: "0.0.0.0" });
    await expect(refused).rejects.toMatchObject({
      code: "INVALID_CONFIGURATION",
      message: expect.stringMatching(/http\.host "0\.0\.0\.0".*insecure: true/),
    });
    const open = await serveHttp(store, { port: 0, host: "0.0.0.0", insecure: true });
    const reply = await raw(
      open.port,
      head("GET /api/v1/cluster/health HTTP/1.1", "Host: 10.1.2.3"),
    );
    expect(reply.json.insecure).toBe(true);
    const named = await raw(open.port, head("GET / HTTP/1.1", "Host: evil.example"));
    expectRefusal(named, 403, "FORBIDDEN_HOST");
    await open.close();
  });

  test("a taken port, and options that make no sense", async () => {
    await expect(serveHttp(store, { port: server.port })).rejects.toMatchObject({
      code: "PORT_IN_USE",
      message: expect.stringContaining(`127.0.0.1:${server.port}`),
    });
    for (const options of [{ port: -1 }, { port: 65_536 }, { port: 0, prot: 1 }, {}]) {
      const refused = serveHttp(store, options as { port: number });
      await expect(refused).rejects.toMatchObject({ code: "INVALID_CONFIGURATION" });
    }
  });

  test.each([
    [{ port: 65_536 }, "http.port is 65536; allowed: a whole number from 0 (a free one) to 65535"],
    [{ port: "80" }, 'http.port is "80"; allowed: a whole number from 0'],
    [{}, "http.port is undefined; allowed: a whole number from 0"],
    [{ port: 0, prot: 1 }, "http.prot is no option; allowed: host, port, allowedHosts,"],
    [
      { port: 0, allowedHosts: ["a", ""] },
      "http.allowedHosts is a list of 2; allowed: a list of names",
    ],
    [{ port: 0, maxWatches: 0 }, "http.maxWatches is 0; allowed: a whole number from 1"],
    [null, "http is null; allowed: an object with host, port,"],
    [{ port: -1, host: 7 }, "the configuration has 2 problems:\n- http.host is 7;"],
  ])("options %j, by what is wrong and what is allowed", async (options, message) => {
    const refused = serveHttp(store, options as { port: number });
    await expect(refused).rejects.toMatchObject({
      ...{ code: "INVALID_CONFIGURATION", message: expect.stringContaining(message) },
    });
  });

  test.each([
    [{}, "an empty object"],
    [undefined, "undefined"],
    [null, "null"],
    ["n1", '"n1"'],
  ])("what is no store: %j", async (none, shown) => {
    await expect(serveHttp(none as never, { port: 0 })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringMatching(
        new RegExp(`^the store has to be what openStore gives, not ${shown}`),
      ),
    });
  });
});
