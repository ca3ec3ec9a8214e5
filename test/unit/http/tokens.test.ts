import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { LogLevel } from "../../../src/core/contracts/observer.ts";
import { SILENT_OBSERVER } from "../../../src/core/contracts/observer.ts";
import { SystemEnvironment } from "../../../src/core/store/system-environment.ts";
import { type HttpOptions, type HttpServer, serveHttp } from "../../../src/http/index.ts";
import { REREAD_AFTER_MS } from "../../../src/http/token-keeper.ts";
import { tlsOf } from "../transports/testbeds.ts";
import { FakeStore } from "./fake-store.ts";
import { open, parseReply, type Reply, readToEnd, request } from "./requests.ts";

const TOKENS = {
  read: "reader-0123456789abcdef",
  write: ["writer-0123456789abcdef", "writer-fedcba9876543210"],
  admin: "operator-0123456789abcdef",
} as const;
const SECRETS = [TOKENS.read, ...TOKENS.write, TOKENS.admin];

const store = new FakeStore();
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  vi.restoreAllMocks();
});

async function serve(options: Partial<HttpOptions> = {}): Promise<HttpServer> {
  const server = await serveHttp(store, { port: 0, tokens: TOKENS, ...options });
  cleanups.push(() => server.close());
  return server;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** Method, path and role of calls that stand for all routes; the status of what the store says. */
const CALLS: readonly [string, string, "open" | "read" | "write" | "admin"][] = [
  ["GET", "/cluster/health", "open"],
  ["GET", "/data/k", "read"],
  ["HEAD", "/data/k", "read"],
  ["GET", "/data", "read"],
  ["GET", "/keyspaces/accounts/data/k", "read"],
  ["GET", "/cluster/replications", "read"],
  ["GET", "/cluster/conflicts", "read"],
  ["GET", "/cluster/members?keyspace=accounts&shard=0", "read"],
  ["GET", "/openapi.json", "read"],
  ["GET", "/nowhere", "read"],
  ["PUT", "/data/k", "write"],
  ["DELETE", "/data/k", "write"],
  ["POST", "/data/k", "write"],
  ["POST", "/batch", "write"],
  ["POST", "/operation-ids", "write"],
  ["POST", "/operations/op-1/resolve", "write"],
  ["POST", "/nowhere", "write"],
  ["PUT", "/cluster/members?keyspace=accounts&shard=0", "admin"],
  ["POST", "/cluster/members/recover?keyspace=accounts&shard=0", "admin"],
];
const ROLES = ["open", "read", "write", "admin"] as const;

describe("who may do what", () => {
  const call = (url: string, method: string, path: string, headers: Record<string, string>) =>
    request(`${url}/api/v1${path}`, {
      method,
      headers: { "content-type": "application/json", ...headers },
      ...(method === "GET" || method === "HEAD" ? {} : { body: "{}" }),
    });

  test("is told by the role of the token, call by call", async () => {
    const { url } = await serve();
    const shown: readonly [(typeof ROLES)[number], Record<string, string>][] = [
      ["open", {}],
      ["read", bearer(TOKENS.read)],
      ["write", bearer(TOKENS.write[1])],
      ["admin", bearer(TOKENS.admin)],
    ];
    for (const [method, path, needed] of CALLS) {
      for (const [role, headers] of shown) {
        const { status } = await call(url, method, path, headers);
        const mayCall = ROLES.indexOf(role) >= ROLES.indexOf(needed);
        const refused = role === "open" ? 401 : 403;
        const what = `${role}: ${method} ${path}`;
        expect([what, status === 401 || status === 403]).toEqual([what, !mayCall]);
        if (!mayCall) expect([what, status]).toEqual([what, refused]);
      }
    }
  });

  test("names every route that writes or belongs to operators", async () => {
    const { url } = await serve();
    const headers = bearer(TOKENS.read);
    const { json } = await request(`${url}/api/v1/openapi.json`, { headers });
    const offered = Object.entries(json.paths as Record<string, object>).flatMap(
      ([path, methods]) => Object.keys(methods).map((method) => [method.toUpperCase(), path]),
    );
    for (const [method, path] of offered as [string, string][]) {
      if (method === "GET" || method === "HEAD") continue;
      const filled = path.replaceAll(/\{[^}]+\}/g, "accounts").replace("/api/v1", "");
      const { status } = await call(url, method, filled, headers);
      expect([method, path, status]).toEqual([method, path, 403]);
      const writer = await call(url, method, filled, bearer(TOKENS.write[0]));
      const isOperators = path.includes("/cluster/");
      expect([method, path, writer.status === 403]).toEqual([method, path, isOperators]);
    }
  });
});

describe("a refusal", () => {
  const put = (url: string, headers: Record<string, string>): Promise<Reply> =>
    request(`${url}/api/v1/data/k`, {
      method: "PUT",
      headers: { "content-type": "application/json", ...headers },
      body: '{"value":1}',
    });

  test("says what to show, that nothing was done, and no token", async () => {
    const { url } = await serve();
    const before = store.writes.length;
    const nobody = await put(url, {});
    expect([nobody.status, nobody.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
    expect(nobody.headers.get("x-outcome")).toBe("not-applied");
    expect(nobody.json).toMatchObject({
      ...{ code: "UNAUTHENTICATED", outcome: "not-applied", retry: "never" },
    });
    const wrong = await put(url, bearer("someone-0123456789abcdef"));
    expect([wrong.status, wrong.headers.get("www-authenticate")]).toEqual([
      401,
      'Bearer error="invalid_token"',
    ]);
    const reader = await put(url, bearer(TOKENS.read));
    expect(reader.status).toBe(403);
    expect(reader.json).toMatchObject({
      ...{ code: "FORBIDDEN", outcome: "not-applied", retry: "never" },
      details: { needed: "write", role: "read" },
    });
    for (const { text } of [nobody, wrong, reader]) {
      for (const secret of [...SECRETS, "someone"]) expect(text).not.toContain(secret);
    }
    expect(store.writes).toHaveLength(before);
  });

  test.each([
    ["of another scheme", "Basic dXNlcjpwYXNz"],
    ["without a scheme", TOKENS.admin],
    ["cut short", `Bearer ${TOKENS.admin.slice(0, -1)}`],
    ["made longer", `Bearer ${TOKENS.admin}a`],
    ["two in one", `Bearer ${TOKENS.admin}, Bearer ${TOKENS.read}`],
    ["empty", "Bearer "],
  ])("meets what is %s", async (_name, authorization) => {
    const { url } = await serve();
    expect((await put(url, { authorization })).status).toBe(401);
    const health = await request(`${url}/api/v1/cluster/health`, { headers: { authorization } });
    expect(health.status).toBe(401);
  });

  test("comes before anything of a body, and ends nothing that waits for it", async () => {
    const { port } = await serve({ requestTimeoutMs: 300 });
    const head =
      "PUT /api/v1/data/k HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    const text = await readToEnd(open(port, `${head}Content-Length: 1000000\r\n\r\n{`));
    expect(parseReply(text).status).toBe(401);
    expect(text.match(/HTTP\/1\.1 \d+/g)).toHaveLength(1);
  });

  test("meets a token that is shown twice", async () => {
    const { port } = await serve();
    const line = `Authorization: Bearer ${TOKENS.read}\r\n`;
    const head = `GET /api/v1/data/k HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${line}${line}\r\n`;
    expect(parseReply(await readToEnd(open(port, head))).status).toBe(400);
  });
});

describe("the health", () => {
  test("tells who shows no token how the node is, and nothing of the others", async () => {
    const { url } = await serve();
    const nobody = await request(`${url}/api/v1/cluster/health`);
    expect([nobody.status, Object.keys(nobody.json).sort()]).toEqual([
      200,
      [
        ...["consistency_mode", "degraded", "healthy_nodes", "node", "partitioned"],
        ...["read_only_partitions", "state", "total_nodes", "writable_partitions"],
      ],
    ]);
    const reader = await request(`${url}/api/v1/cluster/health`, { headers: bearer(TOKENS.read) });
    expect(reader.json).toMatchObject({
      cluster: "test",
      nodes: [{}, {}],
      keyspaces: [{}, {}, {}],
    });
  });
});

describe("files of tokens", () => {
  function fileWith(text: string): string {
    const folder = mkdtempSync(join(tmpdir(), "capstan-tokens-"));
    cleanups.push(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "write.tokens");
    writeFileSync(file, text);
    return file;
  }

  test("have one a line, and are read again: tokens are replaced without a restart", async () => {
    const [old, next] = ["old-0123456789abcdefgh", "next-0123456789abcdefgh"];
    const file = fileWith(`# of the shop\n${old}\r\n\n`);
    const lines: string[] = [];
    const log = (_: LogLevel, message: string, fields?: object): void => {
      lines.push(`${message} ${JSON.stringify(fields)}`);
    };
    const observer = { ...SILENT_OBSERVER, log };
    const { url } = await serve({ tokens: { writeFile: file }, observer });
    const statusWith = async (token: string) =>
      (await request(`${url}/api/v1/data/k`, { headers: bearer(token) })).status;
    expect([await statusWith(old), await statusWith(next)]).toEqual([404, 401]);

    let laterMs = 0;
    const now = SystemEnvironment.prototype.monotonicMs;
    vi.spyOn(SystemEnvironment.prototype, "monotonicMs").mockImplementation(
      () => now.call(undefined) + laterMs,
    );
    writeFileSync(file, `${next}\n`);
    laterMs += REREAD_AFTER_MS;
    await vi.waitFor(async () => expect(await statusWith(next)).toBe(404), { timeout: 10_000 });
    expect(await statusWith(old)).toBe(401);

    writeFileSync(file, "short\n");
    laterMs += REREAD_AFTER_MS;
    await vi.waitFor(
      async () => {
        expect(await statusWith(next)).toBe(404);
        expect(lines).toHaveLength(1);
      },
      { timeout: 10_000 },
    );
    expect(lines[0]).toContain("http.tokens.writeFile has no token in line 1");
    expect(lines[0]).not.toContain("short");
  });

  test.each([
    ["", "http.tokens.writeFile has no token;"],
    ["# nothing\n", "http.tokens.writeFile has no token;"],
    ["good-0123456789abcdefghi\ns3cret\n", "has no token in line 2 (which is not shown)"],
  ])("with %j are refused at the start, without their words", async (text, why) => {
    const fault = await serve({ tokens: { writeFile: fileWith(text) } }).catch((error) => error);
    expect(fault).toMatchObject({ code: "INVALID_CONFIGURATION" });
    expect(fault.message).toContain(why);
    expect(JSON.stringify([fault.message, fault.details])).not.toContain("s3cret");
  });
});

test("tokens and TLS make up for insecure; tokens alone, which anybody on the way reads, do not", async () => {
  await expect(serve({ host: "0.0.0.0" })).rejects.toMatchObject({
    message: expect.stringContaining("there is no TLS"),
  });
  const { certFile, keyFile } = tlsOf("n1") as { certFile: string; keyFile: string };
  const server = await serve({ host: "0.0.0.0", tls: { certFile, keyFile } });
  expect(server.url).toMatch(/^https:/);
});
