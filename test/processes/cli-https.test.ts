import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  capstan,
  ensureBuilt,
  freePorts,
  type Running,
  startCapstan,
  temporaryFolder,
} from "../support/processes.ts";
import { tlsOf } from "../unit/transports/testbeds.ts";

// A node that others may reach: TLS, and tokens. Neither is shown by anything that is printed.

const TOKEN = "operator-0123456789abcdef";
const READER = "reader-0123456789abcdef0";
const folder = temporaryFolder();
const { path: directory } = folder;
let node: Running;
let url = "";

beforeAll(async () => {
  ensureBuilt();
  const port = await freePorts(1);
  url = `https://127.0.0.1:${port}`;
  const { certFile, keyFile } = tlsOf("n1");
  writeFileSync(join(directory, "admin.tokens"), `${TOKEN}\n`);
  const configuration = {
    // Others can reach it, and nothing says that this is insecure.
    cluster: { nodes: { n1: { http: `0.0.0.0:${port}` } } },
    http: { tls: { certFile, keyFile }, tokens: { adminFile: "admin.tokens", read: READER } },
  };
  writeFileSync(join(directory, "capstan.json"), JSON.stringify(configuration));
  node = startCapstan(["start", "--config", "capstan.json", "--node", "n1"], { directory });
  await node.says(/is up/);
});

afterAll(async () => {
  await node?.end();
  folder.remove();
});

test("a node with TLS and tokens serves who shows one, and prints none", async () => {
  const env = { CAPSTAN_TLS_CA: tlsOf("n1").caFile as string };
  const words = ["put", "k", "1", "--url", url];
  const [taken, refused, stranger] = await Promise.all([
    capstan([...words, "--token-file", "admin.tokens"], { directory, env }),
    capstan([...words, "--json"], { directory, env: { ...env, CAPSTAN_TOKEN: READER } }),
    capstan(words, { directory, env }),
  ]);
  expect(taken).toMatchObject({ exitCode: 0 });
  expect(JSON.parse(refused.stdout)).toMatchObject({
    error: { code: "FORBIDDEN", outcome: "not-applied", retry: "never" },
  });
  expect(stranger).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining("UNAUTHENTICATED"),
  });
  const printed = [node, taken, refused, stranger]
    .map((each) => each.stdout + each.stderr)
    .join("");
  for (const secret of [TOKEN, READER]) expect(printed).not.toContain(secret);
});
