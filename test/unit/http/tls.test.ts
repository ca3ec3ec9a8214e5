import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request as requestPlain } from "node:http";
import { request as requestTls } from "node:https";
import { connect as connectPlain } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConnectionOptions, connect } from "node:tls";
import { afterEach, describe, expect, test, vi } from "vitest";
import { SystemEnvironment } from "../../../src/core/store/system-environment.ts";
import { type HttpOptions, type HttpServer, serveHttp } from "../../../src/http/index.ts";
import { RELOAD_AFTER_MS } from "../../../src/tls/tls-identity.ts";
import { tlsOf } from "../transports/testbeds.ts";
import { FakeStore } from "./fake-store.ts";
import { readToEnd, until } from "./requests.ts";

const store = new FakeStore();
const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  vi.restoreAllMocks();
});

/** Certificate and key alone: no client is asked for one. */
function serverTls(certificate: string): Record<string, string> {
  const { certFile, keyFile } = tlsOf(certificate);
  return { certFile: certFile as string, keyFile: keyFile as string };
}

async function serve(options: Partial<HttpOptions> = {}): Promise<HttpServer> {
  const server = await serveHttp(store, { port: 0, tls: serverTls("n1"), ...options });
  cleanups.push(() => server.close());
  return server;
}

const CA = readFileSync(tlsOf("n1").caFile as string);

/** What a client with such a certificate, or none, shows. */
function materialOf(certificate: string | undefined): ConnectionOptions {
  if (certificate === undefined) return { ca: CA };
  const { certFile, keyFile } = tlsOf(certificate);
  return { ca: CA, cert: readFileSync(certFile as string), key: readFileSync(keyFile as string) };
}

/** The status of a read; what went wrong, if there is none. */
function statusOf(url: string, options: ConnectionOptions): Promise<number | string> {
  return new Promise((resolve) => {
    const { ca, cert, key, maxVersion } = options;
    const given = { ...(cert === undefined ? {} : { cert, key }), maxVersion };
    const call = requestTls(`${url}/api/v1/data/k`, { ca, agent: false, ...given }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    call.once("error", (error: NodeJS.ErrnoException) => resolve(error.message));
    call.end();
  });
}

describe("HTTP over TLS", () => {
  test("is served at https, in version 1.3 alone", async () => {
    const { url } = await serve();
    expect(url).toMatch(/^https:/);
    expect(await statusOf(url, materialOf(undefined))).toBe(404);
    expect(await statusOf(url, { ...materialOf(undefined), maxVersion: "TLSv1.2" })).toContain(
      "protocol version",
    );
  });

  test("says nothing to who speaks plain HTTP", async () => {
    const { port } = await serve();
    const fault = await new Promise((resolve) => {
      const call = requestPlain({ port, host: "127.0.0.1", path: "/", agent: false }, resolve);
      call.once("error", resolve);
      call.end();
    });
    expect(fault).toMatchObject({ code: "ECONNRESET" });
  });

  test("with an authority asks clients for certificates, and takes those that it signed", async () => {
    const server = await serve({ tls: tlsOf("n1") });
    expect(await statusOf(server.url, materialOf("node-a"))).toBe(404);
    expect(await statusOf(server.url, materialOf(undefined))).toMatch(
      /hang up|ECONNRESET|alert certificate required/,
    );
    expect(await statusOf(server.url, materialOf("node-b-forged"))).toMatch(/hang up|ECONNRESET/);
    expect(await statusOf(server.url, materialOf("node-b-past"))).toMatch(/hang up|ECONNRESET/);
  });

  test("ends a handshake that never ends", async () => {
    const { port } = await serve({ requestTimeoutMs: 300 });
    const silent = connectPlain(port, "127.0.0.1");
    expect(await readToEnd(silent)).toBe("");
  });

  test("lets handshakes that go nowhere lock nobody out", async () => {
    const { url, port } = await serve({ maxConnections: 2 });
    const silent = Array.from({ length: 5 }, () => connectPlain(port, "127.0.0.1"));
    for (const socket of silent) socket.on("error", () => undefined).resume();
    cleanups.push(() => {
      for (const socket of silent) socket.destroy();
    });
    await until(() => silent.filter(({ closed }) => closed).length === 3);
    expect(await statusOf(url, materialOf(undefined))).toBe(404);
  });

  test("does not wait for handshakes when it closes", async () => {
    const server = await serve();
    const silent = connectPlain(server.port, "127.0.0.1");
    const gone = readToEnd(silent);
    const shaken = connect({ port: server.port, host: "127.0.0.1", ca: CA });
    shaken.on("error", () => undefined);
    await new Promise((resolve) => shaken.once("secureConnect", resolve));
    await until(() => !silent.connecting);
    await server.close();
    expect(await gone).toBe("");
    await until(() => shaken.closed);
  });

  test("shows a renewed certificate to the next callers, and asks what it asked before", async () => {
    const folder = mkdtempSync(join(tmpdir(), "capstan-https-"));
    cleanups.push(() => rmSync(folder, { recursive: true }));
    const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    const put = (name: string): void => {
      copyFileSync(tlsOf(name).certFile as string, certFile);
      copyFileSync(tlsOf(name).keyFile as string, keyFile);
    };
    put("n1");
    const { url, port } = await serve({ tls: { ...tlsOf("n1"), certFile, keyFile } });
    const shown = async (): Promise<string | undefined> => {
      const options = { ...materialOf("node-a"), checkServerIdentity: () => undefined };
      const socket = connect({ ...options, port, host: "127.0.0.1" });
      await new Promise((resolve) => socket.once("secureConnect", resolve));
      const { subjectAltName } = socket.getPeerX509Certificate() ?? {};
      socket.destroy();
      return subjectAltName;
    };
    expect(await shown()).toContain("DNS:n1");
    put("n2");
    const now = SystemEnvironment.prototype.monotonicMs;
    vi.spyOn(SystemEnvironment.prototype, "monotonicMs").mockImplementation(
      () => now.call(undefined) + RELOAD_AFTER_MS,
    );
    await vi.waitFor(async () => expect(await shown()).toContain("DNS:n2"), { timeout: 10_000 });
    expect(await statusOf(url, materialOf("node-a"))).toBe(404);
    expect(await statusOf(url, materialOf("node-b-forged"))).toMatch(/hang up|ECONNRESET/);
  });
});

describe("a server does not start", () => {
  const n1 = serverTls("n1");
  test.each<[Partial<HttpOptions>, string]>([
    [{ tls: { ...n1, certFile: "/nowhere.pem" } }, "http.tls.certFile cannot be read (ENOENT)"],
    [{ tls: { ...n1, caFile: import.meta.filename } }, "http.tls.caFile cannot be used"],
    [{ tls: { ...n1, keyFile: tlsOf("n2").keyFile as string } }, "is not the key of the cert"],
    [{ tls: serverTls("node-b-past") }, "http.tls.certFile ran out on Jan  1 00:00:00 2001 GMT"],
    [{ tls: { certFile: "c" } }, "http.tls.keyFile is missing"],
    [{ host: "0.0.0.0", tls: n1 }, "can be reached from elsewhere, and nobody is asked who"],
  ])("with %j", async (options, why) => {
    await expect(serve(options)).rejects.toMatchObject({
      code: "INVALID_CONFIGURATION",
      message: expect.stringContaining(why),
    });
  });

  test("for want of insecure, where it asks clients for certificates", async () => {
    const server = await serve({ host: "0.0.0.0", tls: tlsOf("n1") });
    const url = `https://127.0.0.1:${server.port}`;
    expect(await statusOf(url, materialOf("node-a"))).toBe(404);
  });
});
