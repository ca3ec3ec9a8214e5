import { afterAll, beforeAll, expect, test } from "vitest";
import { type Client, connect } from "../../../src/client/index.ts";
import { keyspaceHash } from "../../../src/core/model/hash.ts";
import { SessionToken } from "../../../src/core/model/session-token.ts";
import type { Keyspace } from "../../../src/core/store/api.ts";
import { type HttpServer, serveHttp } from "../../../src/http/index.ts";
import { FakeStore } from "../http/fake-store.ts";
import { putJson, request } from "../http/requests.ts";

let server: HttpServer;
let client: Client;
let accounts: Keyspace;

beforeAll(async () => {
  server = await serveHttp(new FakeStore(), { port: 0 });
  client = connect({ url: server.url });
  accounts = client.keyspace("accounts");
});
afterAll(async () => {
  await client.close();
  await server.close();
});

const seenBy = (token: string | null | undefined): number | undefined =>
  SessionToken.parse(keyspaceHash("accounts"), token ?? "")
    .mark(0)
    .get("");

test("HTTP takes a session's token in a header, and answers with the next one in it", async () => {
  const url = `${server.url}/api/v1/keyspaces/accounts/data/http`;
  const begun = await putJson(url, '{"value":1}', { "x-session-token": "begin" });
  const token = begun.headers.get("x-session-token");
  expect(seenBy(token)).toBeGreaterThan(0);
  const headers = { "x-session-token": token as string };
  const read = await request(url, { headers });
  expect(read.headers.get("x-session-token")).toBe(token);
  const refused = await putJson(url, '{"value":1,"if_absent":true}', headers);
  expect([refused.status, refused.headers.get("x-session-token")]).toEqual([412, token]);
  expect((await request(url)).headers.has("x-session-token")).toBe(false);
});

test("HTTP refuses a damaged token, and says how one begins", async () => {
  const url = `${server.url}/api/v1/keyspaces/accounts/data/http`;
  const reply = await request(url, { headers: { "x-session-token": "nonsense" } });
  expect([reply.status, reply.json.code]).toEqual([400, "INVALID_SESSION"]);
  expect(reply.json.detail).toContain('"begin"');
});

test("a client hands the token on, as with the embedded store", async () => {
  const written = await accounts.put("a", 1, { session: "begin" });
  expect(seenBy(written.session)).toBeGreaterThan(0);
  const read = await accounts.get("a", { session: written.session as string });
  expect(read.session).toBe(written.session);
  expect(await accounts.get("a")).not.toHaveProperty("session");
});

test("withSession carries it, through conditions and modify too", async () => {
  const session = accounts.withSession();
  await session.put("b", 1);
  const first = seenBy(session.token) as number;
  expect(await session.put("b", 2, { ifAbsent: true })).toMatchObject({ ok: false });
  expect(await session.modify("b", (held) => (held as number) + 1)).not.toHaveProperty("session");
  await session.getMany(["b"]);
  expect(seenBy(session.token)).toBe(first + 1);
  expect(seenBy(accounts.withSession(session.token).token)).toBe(first + 1);
});

test("withSession refuses the token of another keyspace", () => {
  const { token } = client.keyspace("default").withSession();
  expect(() => accounts.withSession(token)).toThrow(
    expect.objectContaining({ code: "INVALID_SESSION" }),
  );
});
