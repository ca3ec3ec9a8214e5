import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { TransportContext } from "../../../../src/core/contracts/transport.ts";
import type { NodeId } from "../../../../src/core/model/ids.ts";
import { SystemEnvironment } from "../../../../src/core/store/system-environment.ts";
import { RELOAD_AFTER_MS } from "../../../../src/tls/tls-identity.ts";
import { freePort } from "../free-ports.ts";
import { tlsOf } from "../testbeds.ts";
import { callOf } from "./foreign-socket.ts";
import { type StartedNode, startTcpNode } from "./start-tcp-node.ts";

const PATIENCE = { timeout: 10_000, interval: 5 };
const SECRET = "nobody on the way reads this";
const A = "node-a" as NodeId;
const B = "node-b" as NodeId;

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

type Tls = Record<string, string>;

async function start(
  self: string,
  port: number,
  peers: Record<string, number>,
  tls: Tls | "none" = tlsOf(self),
  context: Partial<TransportContext> = {},
): Promise<StartedNode> {
  const addresses = Object.entries(peers).map(([peer, at]) => [peer, `127.0.0.1:${at}`]);
  const options = tls === "none" ? {} : { tls };
  const given = Object.fromEntries(addresses) as Record<string, string>;
  return startTcpNode(cleanups, self, `127.0.0.1:${port}`, given, options, context);
}

/** What a party that is no node speaks TLS with. */
function materialOf(certificate: string): { cert: Buffer; key: Buffer; ca: Buffer } {
  const { certFile, keyFile, caFile } = tlsOf(certificate);
  const read = (file: string | undefined) => readFileSync(file as string);
  return { cert: read(certFile), key: read(keyFile), ca: read(caFile) };
}

const reasonsOf = ({ observer }: StartedNode): string =>
  observer.lines.map(({ fields }) => String(fields.reason)).join();

describe("two nodes", () => {
  test("hear each other, and who listens on the way reads nothing", async () => {
    const [portA, portB, tap] = [await freePort(), await freePort(), await freePort()];
    const overheard: Buffer[] = [];
    const wire = createServer((near) => {
      const far = connect({ port: portB, host: "127.0.0.1" });
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        from.on("error", () => undefined);
        from.on("data", (chunk: Buffer) => overheard.push(chunk));
        from.pipe(to);
      }
    });
    await new Promise<void>((resolve) => {
      wire.listen(tap, "127.0.0.1", resolve);
    });
    cleanups.push(() => {
      wire.close();
    });
    const b = await start("node-b", portB, { "node-a": portA });
    const a = await start("node-a", portA, { "node-b": tap });
    await vi.waitFor(() => expect(a.events).toEqual(["node-b connected"]), PATIENCE);
    for (const lane of ["control", "log", "bulk"] as const) {
      a.transport.send(B, Buffer.from(SECRET), lane);
      b.transport.send(A, Buffer.from(SECRET), lane);
    }
    await vi.waitFor(() => {
      expect(a.events.filter((event) => event === `node-b: ${SECRET}`)).toHaveLength(3);
      expect(b.events.filter((event) => event === `node-a: ${SECRET}`)).toHaveLength(3);
    }, PATIENCE);
    const bytes = Buffer.concat(overheard);
    expect(bytes.length).toBeGreaterThan(6 * SECRET.length);
    for (const text of [SECRET, "node-b", "CPST"]) expect(bytes.includes(text)).toBe(false);
  });

  test("of which one speaks without TLS do not meet, and both say so", async () => {
    const [portA, portB] = [await freePort(), await freePort()];
    const a = await start("node-a", portA, { "node-b": portB }, "none");
    const b = await start("node-b", portB, { "node-a": portA });
    await vi.waitFor(() => {
      expect(b.observer.counted("transport_refusals tls")).toBeGreaterThan(0);
      expect(reasonsOf(a)).toContain("before it introduced itself");
    }, PATIENCE);
    expect([a.events, b.events]).toEqual([[], []]);
  });
});

describe("a dialer", () => {
  test.each([
    ["another node of the cluster", "node-c", "its certificate is not of node-b"],
    ["one whose names only resemble it", "node-b-any", "its certificate is not of node-b"],
    ["one that another authority signed", "node-b-forged", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
    ["one whose certificate ran out", "node-b-past", "CERT_HAS_EXPIRED"],
  ])("says nothing to %s", async (_name, certificate, why) => {
    const port = await freePort();
    let heard = 0;
    const server = createTlsServer(materialOf(certificate), (socket) => {
      socket.on("error", () => undefined);
      socket.on("data", (chunk: Buffer) => {
        heard += chunk.length;
      });
    });
    server.on("tlsClientError", () => undefined);
    await new Promise<void>((resolve) => {
      server.listen(port, "127.0.0.1", resolve);
    });
    cleanups.push(() => {
      server.close();
    });
    const a = await start("node-a", await freePort(), { "node-b": port });
    await vi.waitFor(() => expect(reasonsOf(a)).toContain(why), PATIENCE);
    expect([heard, a.events]).toEqual([0, []]);
  });
});

describe("who calls", () => {
  /** What a caller with such a certificate hears after having called itself node-a. */
  async function callWith(port: number, certificate: string | undefined): Promise<Buffer> {
    const whole = materialOf(certificate ?? "node-a");
    const material = certificate === undefined ? { ca: whole.ca } : whole;
    const socket = connectTls({
      ...{ ...material, port, host: "127.0.0.1" },
      checkServerIdentity: () => undefined,
    });
    cleanups.push(() => {
      socket.destroy();
    });
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", () => undefined);
    socket.once("secureConnect", () => socket.write(callOf()));
    await new Promise<void>((resolve) => {
      socket.once("close", () => resolve());
      socket.once("data", () => resolve());
    });
    return Buffer.concat(chunks);
  }

  test.each([
    ["without a certificate", undefined, "tls", "UNABLE_TO_GET_ISSUER_CERT"],
    ["with one that another authority signed", "node-b-forged", "tls", "UNABLE_TO_VERIFY_LEAF"],
    ["with one that ran out", "node-b-past", "tls", "CERT_HAS_EXPIRED"],
    ["with another node's", "node-c", "certificate", "certificate is not of node-a"],
  ])("%s is not let in, counted, and told", async (_name, certificate, fault, why) => {
    const port = await freePort();
    const b = await start("node-b", port, { "node-a": await freePort() });
    const answer = await callWith(port, certificate);
    expect(answer.includes("is not of node-a")).toBe(fault === "certificate");
    await vi.waitFor(() => {
      expect(b.observer.counted(`transport_refusals ${fault}`)).toBe(1);
    }, PATIENCE);
    expect(reasonsOf(b)).toContain(why);
    expect(b.events).toEqual([]);
    // The same call with the certificate that it needs is welcomed.
    expect((await callWith(port, "node-a")).subarray(0, 4).toString()).toBe("CPST");
    expect(b.observer.counted("transport_refusals")).toBe(1);
  });

  test("and never shakes hands is given up, and so is who is one too many", async () => {
    const port = await freePort();
    const options = { tls: tlsOf("node-b"), connectTimeout: 1_500 };
    const peers = { "node-a": `127.0.0.1:${await freePort()}` };
    const b = await startTcpNode(cleanups, "node-b", `127.0.0.1:${port}`, peers, options);
    const callers = Array.from({ length: 520 }, () => {
      const socket = connect({ port, host: "127.0.0.1" });
      socket.on("error", () => undefined);
      return socket;
    });
    cleanups.push(() => {
      for (const socket of callers) socket.destroy();
    });
    await vi.waitFor(() => {
      expect(b.observer.counted("transport_refusals")).toBe(520);
      expect(callers.every(({ closed }) => closed)).toBe(true);
    }, PATIENCE);
    expect(b.observer.counted("transport_refusals crowded")).toBe(8);
    expect(reasonsOf(b)).toContain("more than 512 callers show no certificate");
    expect(reasonsOf(b)).toContain("no handshake within 1500 ms");
  });

  test("is let go of when the node closes, also in the middle of a handshake", async () => {
    const port = await freePort();
    const b = await start("node-b", port, {});
    const caller = connect({ port, host: "127.0.0.1" });
    caller.on("error", () => undefined);
    await new Promise<void>((resolve) => {
      caller.once("connect", resolve);
    });
    await b.transport.close({ timeoutMs: 0 });
    await vi.waitFor(() => expect(caller.closed).toBe(true), PATIENCE);
  });
});

describe("a node does not start", () => {
  const nodeB = tlsOf("node-b");
  test.each([
    [{ ...nodeB, certFile: "/nowhere/b.pem" }, "transport.tls.certFile cannot be read (ENOENT)"],
    [{ ...nodeB, caFile: import.meta.filename }, "transport.tls.caFile cannot be used"],
    [{ ...nodeB, keyFile: tlsOf("node-a").keyFile }, "is not the key of the certificate"],
    [tlsOf("node-a"), "DNS:node-a, IP Address:127.0.0.1, and not of this node"],
    [tlsOf("node-b-any"), "and not of this node"],
    [tlsOf("node-b-past"), "ran out on Jan  1 00:00:00 2001 GMT"],
    [tlsOf("node-b-forged"), "is not signed by transport.tls.caFile"],
  ] as [Tls, string][])("with %j", async (tls, why) => {
    await expect(start("node-b", await freePort(), {}, tls)).rejects.toMatchObject({
      code: "INVALID_CONFIGURATION",
      message: expect.stringContaining(why),
    });
  });

  test("and has said what it would have taken", async () => {
    await expect(start("node-b", await freePort(), {}, tlsOf("node-a"))).rejects.toMatchObject({
      message: expect.stringContaining("the subject alternative name DNS:node-b"),
    });
  });
});

describe("certificates that are replaced", () => {
  /** Real time, and as much more as the test says. */
  class LaterEnvironment extends SystemEnvironment {
    laterMs = 0;

    override monotonicMs(): number {
      return super.monotonicMs() + this.laterMs;
    }
  }

  function folderOf(certificate: string): { readonly tls: Tls; put(certificate: string): void } {
    const folder = mkdtempSync(join(tmpdir(), "capstan-tls-"));
    cleanups.push(() => rmSync(folder, { recursive: true }));
    const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    const put = (name: string): void => {
      copyFileSync(tlsOf(name).certFile as string, certFile);
      copyFileSync(tlsOf(name).keyFile as string, keyFile);
    };
    put(certificate);
    return { tls: { ...tlsOf(certificate), certFile, keyFile }, put };
  }

  /** The names in the certificate that a listener shows; what went wrong, if it shows none. */
  async function shownBy(port: number, version?: "TLSv1.2"): Promise<string | undefined> {
    const options = { ...materialOf("node-a"), port, host: "127.0.0.1" };
    const versions = version === undefined ? {} : { maxVersion: version };
    const socket = connectTls({ ...options, ...versions, checkServerIdentity: () => undefined });
    cleanups.push(() => {
      socket.destroy();
    });
    const fault = await new Promise<string | undefined>((resolve) => {
      socket.once("secureConnect", () => resolve(undefined));
      socket.once("error", ({ message }) => resolve(message));
    });
    const { subjectAltName } = socket.getPeerX509Certificate() ?? {};
    socket.destroy();
    return fault ?? subjectAltName;
  }

  test("are used from the next connections on, and spoilt ones are not", async () => {
    const environment = new LaterEnvironment();
    const { tls, put } = folderOf("node-b");
    const port = await freePort();
    const b = await start("node-b", port, {}, tls, { environment });
    expect(await shownBy(port)).toBe("DNS:node-b, IP Address:127.0.0.1");
    expect(await shownBy(port, "TLSv1.2")).toContain("protocol version");

    put("node-b-renewed");
    environment.laterMs += RELOAD_AFTER_MS;
    await vi.waitFor(async () => expect(await shownBy(port)).toBe("DNS:node-b"), PATIENCE);
    expect(await shownBy(port, "TLSv1.2")).toContain("protocol version");

    writeFileSync(tls.certFile as string, "half of a certif");
    environment.laterMs += RELOAD_AFTER_MS;
    await vi.waitFor(async () => {
      await shownBy(port);
      expect(reasonsOf(b)).toContain("transport.tls.certFile cannot be used");
    }, PATIENCE);
    expect(await shownBy(port)).toBe("DNS:node-b");

    put("node-b");
    environment.laterMs += RELOAD_AFTER_MS;
    await vi.waitFor(async () => expect(await shownBy(port)).toContain("127.0.0.1"), PATIENCE);
  });
});
