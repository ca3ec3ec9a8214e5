import { inspect } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connect } from "../../../src/client/index.ts";
import { type HttpServer, serveHttp } from "../../../src/http/index.ts";
import { FakeStore } from "../http/fake-store.ts";
import { tlsOf } from "../transports/testbeds.ts";

const WRITER = "writer-0123456789abcdef";
const READER = "reader-0123456789abcdef";
const { certFile, keyFile, caFile } = tlsOf("n1") as Record<
  "certFile" | "keyFile" | "caFile",
  string
>;

let plain: HttpServer;
let encrypted: HttpServer;

beforeAll(async () => {
  const options = { port: 0, tokens: { read: READER, write: WRITER } };
  plain = await serveHttp(new FakeStore(), options);
  encrypted = await serveHttp(new FakeStore(), { ...options, tls: { certFile, keyFile } });
});
afterAll(async () => {
  await plain.close();
  await encrypted.close();
});

test("a token is shown with every call, over TLS too, and read anew where it is a function", async () => {
  for (const [url, tls] of [
    [plain.url, {}],
    [encrypted.url, { tls: { caFile } }],
  ] as const) {
    let token = WRITER;
    await using client = connect({ url, ...tls, token: () => token });
    const keyspace = client.keyspace("default");
    await keyspace.put("k", 1);
    token = READER;
    expect(await keyspace.get("k")).toMatchObject({ found: true, value: 1 });
    await expect(keyspace.put("k", 2)).rejects.toMatchObject({
      ...{ code: "FORBIDDEN", outcome: "not-applied", retry: "never" },
    });
    expect(inspect(client, { depth: 9, showHidden: true })).not.toContain(WRITER);
  }
});

test("without one a call is refused, not applied, at once; a watch as well", async () => {
  await using client = connect({ url: plain.url });
  const refused = { code: "UNAUTHENTICATED", outcome: "not-applied", retry: "never" };
  await expect(client.keyspace("default").put("k", 1)).rejects.toMatchObject(refused);
  const watch = client.keyspace("accounts").watch()[Symbol.asyncIterator]();
  await expect(watch.next()).rejects.toMatchObject(refused);
  expect(await client.health()).toMatchObject({ node: "n1", state: "ready" });
});

test("what is no token is refused before it is sent, and not shown", async () => {
  const made = () => connect({ url: plain.url, token: "s3cret\r\nX-Evil: 1" });
  expect(made).toThrow("token has to be 20 to 512");
  expect(made).not.toThrow("s3cret");
  await using client = connect({ url: plain.url, token: () => "s3cret" });
  await expect(client.keyspace("default").get("k")).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.not.stringContaining("s3cret"),
  });
});
