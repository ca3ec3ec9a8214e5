import { relative } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type HttpServer, serveHttp } from "../../../src/http/index.ts";
import { FakeStore } from "../http/fake-store.ts";
import { tlsOf } from "../transports/testbeds.ts";
import { fakeSurroundings, run } from "./fake-surroundings.ts";

const { caFile, certFile, keyFile } = tlsOf("n1") as Record<
  "caFile" | "certFile" | "keyFile",
  string
>;

let server: HttpServer;

beforeAll(async () => {
  server = await serveHttp(new FakeStore(), { port: 0, tls: { caFile, certFile, keyFile } });
});
afterAll(() => server.close());

const FLAGS = ["--tls-ca", caFile, "--tls-cert", certFile, "--tls-key", keyFile];

describe("a node that speaks TLS and asks for certificates", () => {
  test.each([
    ["put k 1"],
    ["status --json"],
    ["replications"],
    ["members list --keyspace accounts"],
  ])("is spoken to by %s with the files that the words name", async (words) => {
    const { exitCode, stderr } = await run([...words.split(" "), "--url", server.url, ...FLAGS]);
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
  });

  test("or that the environment names, from the working folder", async () => {
    const directory = import.meta.dirname;
    const env = {
      CAPSTAN_URL: server.url,
      CAPSTAN_TLS_CA: relative(directory, caFile),
      CAPSTAN_TLS_CERT: certFile,
      CAPSTAN_TLS_KEY: keyFile,
    };
    const { exitCode } = await run(["put", "k", "1"], fakeSurroundings({ env, directory }));
    expect(exitCode).toBe(0);
    // They are not for what speaks no TLS.
    const plain = fakeSurroundings({ env: { ...env, CAPSTAN_URL: "http://127.0.0.1:1" } });
    expect((await run(["get", "k"], plain)).stderr).toContain("UNREACHABLE_SERVER");
  });

  test("is not spoken to without", async () => {
    const untrusting = await run(["get", "k", "--url", server.url]);
    expect(untrusting.exitCode).toBe(1);
    const nobody = await run(["get", "k", "--url", server.url, "--tls-ca", caFile]);
    expect([nobody.exitCode, nobody.stderr]).toEqual([1, expect.stringContaining("UNREACHABLE")]);
    const half = await run(["get", "k", "--url", server.url, "--tls-cert", certFile]);
    expect([half.exitCode, half.stderr]).toEqual([2, expect.stringContaining("tls.keyFile is")]);
  });
});
