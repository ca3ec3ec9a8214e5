import { describe, expect, test } from "vitest";
import { CapstanError } from "../../../../src/core/model/errors.ts";
import { parseNatsOptions } from "../../../../src/transports/nats/nats-options.ts";
import { natsTransport } from "../../../../src/transports/nats/nats-transport.ts";
import { contextOf } from "../testbeds.ts";

function refusalOf(options: Record<string, unknown>): CapstanError {
  try {
    natsTransport(options, contextOf("n1", "test"));
  } catch (error) {
    expect(error).toBeInstanceOf(CapstanError);
    expect((error as CapstanError).code).toBe("INVALID_CONFIGURATION");
    return error as CapstanError;
  }
  throw new Error("nothing was refused");
}

const SEED = `SU${"A".repeat(56)}`;

describe("options of the transport nats", () => {
  test("have defaults", () => {
    expect(parseNatsOptions({})).toMatchObject({
      servers: ["nats://127.0.0.1:4222".slice("nats://".length)],
      tls: undefined,
      connectTimeoutMs: 2_000,
      startTimeoutMs: 10_000,
      reconnectWaitMs: 100,
      stallTimeoutMs: 10_000,
      presenceTimeoutMs: 2_500,
      maxChunkBytes: 262_144,
      windowBytes: 2_097_152,
      maxBufferedBytes: 16_777_216,
    });
  });

  test.each([
    ["one server", { servers: "nats://a.example:4333" }, { servers: ["a.example:4333"] }],
    ["without a scheme", { servers: "a" }, { servers: ["a"] }],
    ["several", { servers: ["nats://a", "[::1]:4222/"] }, { servers: ["a", "[::1]:4222"] }],
    ["tls by its scheme", { servers: "tls://a:1" }, { servers: ["a:1"], tls: {} }],
    ["tls: true", { tls: true }, { tls: {} }],
    ["tls: false", { tls: false }, { tls: undefined }],
    ["tls options", { tls: { caFile: "ca.pem" } }, { tls: { caFile: "ca.pem" } }],
    ["user and pass", { user: "u", pass: "p" }, { user: "u", pass: "p" }],
    ["an NKey", { nkey: SEED }, { nkey: SEED }],
    [
      "units",
      { window: "1MiB", connectTimeout: "3s" },
      { windowBytes: 2 ** 20, connectTimeoutMs: 3_000 },
    ],
  ])("%s", (_what, options, expected) => {
    expect(parseNatsOptions(options)).toMatchObject(expected);
  });

  test.each([
    [{ server: "a" }, 'transport.server is not an option of the transport "nats"', "servers, user"],
    [{ servers: [] }, "transport.servers is a list of 0", "nats://host:port"],
    [{ servers: ["a", 7] }, "transport.servers.1 is 7", "nats://host:port"],
    [{ servers: "ws://a" }, 'transport.servers is "ws://a"', "tls://host:port"],
    [{ servers: "a:0" }, 'transport.servers is "a:0"', "nats://host:port"],
    [{ servers: "a:65536" }, 'transport.servers is "a:65536"', "nats://host:port"],
    [{ servers: "a b" }, 'transport.servers is "a b"', "nats://host:port"],
    [{ servers: "" }, 'transport.servers is ""', "nats://host:port"],
    [{ user: 1 }, "transport.user is 1", "text that is not empty"],
    [{ pass: "p" }, "transport.pass is given without transport.user", "both, or none"],
    [{ user: "u", token: "t" }, "transport.token stands beside transport.user", "one of the two"],
    [{ tls: "yes" }, 'transport.tls is "yes"', "an object"],
    [{ tls: false, servers: "tls://a" }, "transport.tls is false", "true"],
    [{ window: "1KiB" }, 'transport.window is "1KiB"', "a size from 64KiB to 64MiB"],
    [{ presenceTimeout: 1 }, "transport.presenceTimeout is 1", "a duration from 250ms to 10m"],
  ])("%j is refused, named", (options, what, allowed) => {
    const { message } = refusalOf(options);
    expect(message).toContain(what);
    expect(message).toContain(allowed);
  });

  test.each([
    { servers: "nats://user:sesame@a" },
    { user: "u", pass: 5, token: "sesame" },
    { token: ["sesame"] },
    { nkey: "sesame" },
    { nkey: SEED, credentials: "sesame" },
  ])("a refusal shows no secret: %j", (options) => {
    const { message, details } = refusalOf(options);
    expect(message + JSON.stringify(details)).not.toContain("sesame");
  });
});
