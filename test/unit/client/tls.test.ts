import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { type Client, type ConnectOptions, connect } from "../../../src/client/index.ts";
import { isCapstanError } from "../../../src/core/model/errors.ts";
import { type HttpServer, serveHttp } from "../../../src/http/index.ts";
import { openStore } from "../../../src/open-store.ts";
import { FakeStore } from "../http/fake-store.ts";
import { tlsOf } from "../transports/testbeds.ts";

type Tls = NonNullable<ConnectOptions["tls"]>;

const store = new FakeStore();
const cleanups: (() => unknown)[] = [];
const CA: Tls = { caFile: tlsOf("n1").caFile as string };

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A server with the certificate of n1, mutual if `isMutual`. */
async function serve(isMutual: boolean): Promise<HttpServer> {
  const { caFile: _, ...own } = tlsOf("n1");
  const server = await serveHttp(store, { port: 0, tls: isMutual ? tlsOf("n1") : own });
  cleanups.push(() => server.close());
  return server;
}

function clientOf(url: string, tls: Tls | undefined): Client {
  const client = connect({ url, timeoutMs: 10_000, ...(tls === undefined ? {} : { tls }) });
  cleanups.push(() => client.close());
  return client;
}

async function faultOf(call: Promise<unknown>) {
  try {
    await call;
  } catch (error) {
    if (isCapstanError(error)) return error;
    throw error;
  }
  throw new Error("the call succeeded");
}

describe("a client over TLS", () => {
  test("reads, writes, watches, and keeps values whole", async () => {
    const real = await openStore();
    const { caFile: _, ...own } = tlsOf("n1");
    const server = await serveHttp(real, { port: 0, tls: own });
    cleanups.push(async () => {
      await server.close();
      await real.close();
    });
    const keyspace = clientOf(server.url, CA).keyspace("default");
    const watch = keyspace.watch()[Symbol.asyncIterator]();
    expect((await watch.next()).value).toMatchObject({ type: "synced" });
    const photo = new Uint8Array(300_000).fill(7);
    await keyspace.put("k", { photo });
    const { value } = (await keyspace.get("k")) as { readonly value?: unknown };
    expect(Buffer.from((value as { photo: Uint8Array }).photo).equals(photo)).toBe(true);
    expect((await watch.next()).value).toMatchObject({ type: "put", key: "k" });
    await watch.return?.();
    expect(await keyspace.get("nobody")).toMatchObject({ found: false });
  });

  test("shows a certificate where it is asked for one", async () => {
    const { url } = await serve(true);
    const { certFile, keyFile } = tlsOf("node-a") as { certFile: string; keyFile: string };
    const client = clientOf(url, { ...CA, certFile, keyFile });
    expect(await client.health()).toMatchObject({ node: "n1" });
    const fault = await faultOf(clientOf(url, CA).keyspace("default").get("k"));
    expect(fault).toMatchObject({ code: "UNREACHABLE_SERVER", outcome: "not-applied" });
  });

  test.each([
    ["another authority", "n1", { caFile: tlsOf("n1", "stranger").caFile as string }, "UNABLE_TO"],
    ["another host", "node-b", CA, "altnames"],
    ["the past", "node-b-past", CA, "certificate has expired"],
  ])("says nothing to a server with a certificate of %s", async (_, certificate, tls, why) => {
    const { certFile, keyFile } = tlsOf(certificate) as { certFile: string; keyFile: string };
    let heard = 0;
    const material = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
    const server = createServer(material, (socket) => {
      socket.on("error", () => undefined);
      socket.on("data", ({ length }: Buffer) => {
        heard += length;
      });
    });
    server.on("tlsClientError", () => undefined);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => void server.close());
    const { port } = server.address() as { port: number };
    // node-b has the address among its names, but not this name of it.
    const host = certificate === "node-b" ? "localhost" : "127.0.0.1";
    const keyspace = clientOf(`https://${host}:${port}`, tls).keyspace("default");
    const fault = await faultOf(keyspace.put("k", 1, { operationId: "id" }));
    expect(fault).toMatchObject({
      code: "UNREACHABLE_SERVER",
      outcome: "not-applied",
      message: expect.stringContaining(why),
    });
    expect(heard).toBe(0);
  });

  test("has sent nothing where the system's authorities do not know the server's", async () => {
    const { url } = await serve(false);
    const keyspace = clientOf(url, undefined).keyspace("default");
    const fault = await faultOf(keyspace.put("k", 1, { operationId: "id" }));
    expect(fault).toMatchObject({ code: "UNREACHABLE_SERVER", outcome: "not-applied" });
    expect(fault.message).toContain("UNABLE_TO_VERIFY_LEAF_SIGNATURE");
  });

  test("has sent nothing where nobody listens, or where its own files are of no use", async () => {
    const client = clientOf("https://127.0.0.1:1", CA);
    const write = (each: Client) => each.keyspace("default").put("k", 1, { operationId: "id" });
    expect(await faultOf(write(client))).toMatchObject({
      code: "UNREACHABLE_SERVER",
      message: expect.stringContaining("ECONNREFUSED"),
    });
    const folder = mkdtempSync(join(tmpdir(), "capstan-client-"));
    cleanups.push(() => rmSync(folder, { recursive: true }));
    const { url } = await serve(false);
    const fault = await faultOf(write(clientOf(url, { caFile: join(folder, "ca.pem") })));
    expect(fault).toMatchObject({ code: "INVALID_CONFIGURATION", outcome: "not-applied" });
    expect(fault.message).toContain("tls.caFile cannot be read (ENOENT)");
  });

  test("ends a call that is aborted, and one that is late", async () => {
    const { url } = await serve(false);
    const keyspace = clientOf(url, CA).keyspace("default");
    store.interrupt = () => new Promise((resolve) => setTimeout(resolve, 500));
    try {
      const signal = AbortSignal.timeout(50);
      expect(await faultOf(keyspace.get("k", { signal }))).toMatchObject({ code: "ABORTED" });
    } finally {
      store.interrupt = () => undefined;
    }
  });
});

describe("connect refuses", () => {
  test.each<[ConnectOptions, string]>([
    [{ url: "http://a:1", tls: CA }, "tls is for https:// alone, and http://a:1 has none"],
    [{ url: ["https://a:1", "http://b:1"], tls: CA }, "http://b:1 has none"],
    [{ url: "https://a:1", tls: CA, fetch }, "tls goes with no fetch of your own"],
    [{ url: "https://a:1", tls: {} }, "tls is an empty object"],
    [{ url: "https://a:1", tls: { certFile: "c" } }, "tls.keyFile is missing"],
  ])("%j", (options, message) => {
    expect(() => connect(options)).toThrow(message);
  });
});
