import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readSummary } from "../../../src/cli/read-health.ts";
import { type HttpServer, serveHttp } from "../../../src/http/index.ts";
import { FakeStore } from "../http/fake-store.ts";
import { fakeSurroundings, run } from "./fake-surroundings.ts";

const TOKEN = "operator-0123456789abcdef";
let server: HttpServer;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "capstan-cli-token-"));
  writeFileSync(join(folder, "token"), `# mine\n${TOKEN}\n`);
  writeFileSync(join(folder, "none"), "s3cret\n");
  server = await serveHttp(new FakeStore(), { port: 0, tokens: { admin: TOKEN } });
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

const withToken = (token: string) =>
  fakeSurroundings({ env: { CAPSTAN_URL: server.url, CAPSTAN_TOKEN: token }, directory: folder });

describe("a node that asks for tokens", () => {
  test.each([["put k 1"], ["status"], ["replications"], ["members list --keyspace accounts"]])(
    "is spoken to by %s with the token of the environment, or of a file",
    async (words) => {
      const fromEnvironment = await run(words.split(" "), withToken(TOKEN));
      expect(fromEnvironment).toMatchObject({
        exitCode: 0,
        stderr: expect.not.stringContaining("e:"),
      });
      const fromFile = await run([...words.split(" "), "--token-file", "token"], withToken(""));
      expect(fromFile).toMatchObject({ exitCode: 0 });
    },
  );

  test.each([["put k 1"], ["status"]])("refuses %s without, and says what to do", async (words) => {
    const { exitCode, stderr } = await run(words.split(" "), withToken(""));
    expect(exitCode).toBe(1);
    expect(stderr).toContain("UNAUTHENTICATED (not applied)");
    expect(stderr).toContain(
      "CAPSTAN_TOKEN is the token to show, --token-file a file that has it.",
    );
  });

  test("what is no token is refused, and not shown", async () => {
    const bad = await run(["get", "k"], withToken("s3cret"));
    expect([bad.exitCode, bad.stderr]).toEqual([2, expect.stringContaining("CAPSTAN_TOKEN is no")]);
    const file = await run(["get", "k", "--token-file", "none"], withToken(""));
    expect([file.exitCode, file.stderr]).toEqual([
      2,
      expect.stringContaining("none holds no token"),
    ]);
    for (const { stderr } of [bad, file]) expect(stderr).not.toContain("s3cret");
    const missing = await run(["get", "k", "--token-file", "nowhere"], withToken(""));
    expect([missing.exitCode, missing.stderr]).toEqual([2, expect.stringContaining("ENOENT")]);
  });

  test("is found ready by who starts it, without a token", async () => {
    expect(await readSummary(server.url, { timeoutMs: 5_000 })).toMatchObject({ state: "ready" });
  });
});
