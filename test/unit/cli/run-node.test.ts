import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
// What the command loads when it runs: here it counts as loading.
import "../../../src/cli/run-node.ts";
import { fakeSurroundings, run } from "./fake-surroundings.ts";

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "capstan-start-"));
  const cluster = { name: "start", nodes: { n1: { http: "127.0.0.1:1" } } };
  writeFileSync(join(directory, "capstan.config.json"), JSON.stringify({ cluster }));
});

afterAll(() => rmSync(directory, { recursive: true }));

test.each([
  ["SIGTERM", 0],
  ["SIGINT", 130],
])(
  "a node that is ended by %s while it starts says so, and is no fault",
  async (signal, exitCode) => {
    const surroundings = fakeSurroundings({ directory });
    surroundings.interruption.request(signal);
    const words = ["start", "--config", "capstan.config.json", "--node", "n1"];
    const ran = await run(words, surroundings);
    expect(ran).toMatchObject({ exitCode, stderr: "" });
    expect(ran.stdout).toContain(`stopped while it was starting signal=${signal}`);
  },
);
