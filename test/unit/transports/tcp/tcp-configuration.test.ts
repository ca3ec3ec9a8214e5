import { describe, expect, test } from "vitest";
import { CapstanError } from "../../../../src/core/model/errors.ts";
import type { NodeId } from "../../../../src/core/model/ids.ts";
import { Backoff } from "../../../../src/transports/tcp/backoff.ts";
import { parseSocketAddress } from "../../../../src/transports/tcp/socket-address.ts";
import { parseTcpOptions } from "../../../../src/transports/tcp/tcp-options.ts";
import { tcpTransport } from "../../../../src/transports/tcp/tcp-transport.ts";
import { SeededRandom } from "../../../support/seeded-random.ts";
import { contextOf } from "../testbeds.ts";

function refusalOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(CapstanError);
    expect((error as CapstanError).code).toBe("INVALID_CONFIGURATION");
    return (error as CapstanError).message;
  }
  throw new Error("nothing was refused");
}

describe("an address", () => {
  test.each([
    ["10.0.0.1:7300", "10.0.0.1", 7300],
    ["node-1.example:1", "node-1.example", 1],
    ["[::1]:65535", "::1", 65535],
    ["[fe80::1%eth0]:7300", "fe80::1%eth0", 7300],
  ])("%s", (text, host, port) => {
    expect(parseSocketAddress(text, "x")).toEqual({ host, port });
  });

  test.each([
    "",
    "host",
    "host:",
    ":7300",
    "host:0",
    "host:65536",
    "host:-1",
    "host:7e3",
    "::1:7300",
    "[::1]",
    "[::1]:",
    "http://host:80",
    "a b:80",
    "host:80 ",
    "user@host:80",
  ])("%j is refused, named", (text) => {
    const message = refusalOf(() => parseSocketAddress(text, "the address of node n1"));
    expect(message).toContain(`the address of node n1 is ${JSON.stringify(text)}`);
    expect(message).toContain("host:port with a port from 1 to 65535");
  });
});

describe("options of the transport", () => {
  const make = (options: Record<string, unknown>) => () =>
    tcpTransport(options, contextOf("n1", "test", "127.0.0.1:7300"));

  test.each([
    [{ timeout: 1 }, "transport.timeout is not an option", "connectTimeout, stallTimeout"],
    [{ connectTimeout: 49 }, "transport.connectTimeout is 49", "from 50ms to 1m"],
    [{ connectTimeout: "5" }, 'transport.connectTimeout is "5"', "milliseconds"],
    [{ connectTimeout: Number.NaN }, "transport.connectTimeout is NaN", "milliseconds"],
    [{ stallTimeout: "11m" }, 'transport.stallTimeout is "11m"', "from 100ms to 10m"],
    [{ maxBufferedBytes: -1 }, "transport.maxBufferedBytes is -1", "from 64KiB to 1GiB"],
    [{ maxBufferedBytes: null }, "transport.maxBufferedBytes is null", "bytes"],
    [{ host: "" }, 'transport.host is ""', "network interface"],
    [{ host: 1 }, "transport.host is 1", "network interface"],
  ])("%j is refused, naming path, value and what is allowed", (options, what, allowed) => {
    const message = refusalOf(make(options));
    expect(message).toContain(what);
    expect(message).toContain(allowed);
  });

  test("durations and sizes take units", () => {
    expect(
      parseTcpOptions({ connectTimeout: "2s", stallTimeout: undefined, maxBufferedBytes: "1MiB" }),
    ).toEqual({
      connectTimeoutMs: 2_000,
      stallTimeoutMs: 10_000,
      maxBufferedBytes: 1024 * 1024,
      host: undefined,
      tls: undefined,
    });
  });

  const whole = { certFile: "a", keyFile: "b", caFile: "c" };
  test.each([
    [true, "transport.tls is true", "{ certFile, keyFile, caFile }"],
    ["s3cret", "transport.tls is a text", "{ certFile, keyFile, caFile }"],
    [{ ...whole, cacert: "x" }, "transport.tls.cacert is not an option", "caFile"],
    [{ keyFile: "b", caFile: "c" }, "transport.tls.certFile is missing", "PEM text"],
    [{ ...whole, key: "k" }, "transport.tls.keyFile stands beside transport.tls.key", "one of"],
    [{ ...whole, caFile: "" }, "transport.tls.caFile is no text", "a path"],
    [{ certFile: "a", key: "s3cret", caFile: "c" }, "transport.tls.key is not PEM text", "PEM"],
  ])("tls %j is refused, by name and without a secret", (tls, what, allowed) => {
    const message = refusalOf(make({ tls }));
    expect(message).toContain(what);
    expect(message).toContain(allowed);
    expect(message).not.toContain("s3cret");
  });

  test("a node without an address is refused, here and among the peers", () => {
    expect(refusalOf(() => tcpTransport({}, contextOf("n1", "test")))).toContain("node n1");
    const transport = make({})();
    const peers = [{ node: "n2" as NodeId, address: undefined }];
    expect(refusalOf(() => transport.setPeers(peers))).toContain("node n2");
  });

  test("a node is no peer of its own", () => {
    const self = { node: "n1" as NodeId, address: "127.0.0.1:7300" };
    expect(() => make({})().setPeers([self])).toThrow(TypeError);
  });

  test("a cluster's name that does not fit the preamble is refused", () => {
    const context = contextOf("n1", "x".repeat(256), "127.0.0.1:7300");
    expect(refusalOf(() => tcpTransport({}, context))).toContain("256 bytes");
  });
});

test("backoff doubles from 20 ms to 1 s, each delay in the upper half of its step", () => {
  const backoff = new Backoff(new SeededRandom(7, "tcp"));
  const delays = Array.from({ length: 12 }, () => backoff.nextMs());
  const steps = [20, 40, 80, 160, 320, 640, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000];
  for (const [at, step] of steps.entries()) {
    expect(delays[at]).toBeGreaterThanOrEqual(step / 2);
    expect(delays[at]).toBeLessThan(step);
  }
  expect(new Set(delays).size).toBe(delays.length);
  backoff.reset();
  expect(backoff.nextMs()).toBeLessThan(20);
});
