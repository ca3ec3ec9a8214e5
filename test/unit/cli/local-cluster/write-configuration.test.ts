import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeConfiguration } from "../../../../src/cli/local-cluster/write-configuration.ts";
import { listening, serveHealth } from "../fake-health.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "capstan-written-"));
});

afterAll(() => rmSync(folder, { recursive: true }));

test("writes the whole file into a folder that it makes", async () => {
  const file = await writeConfiguration(join(folder, "a/b"), { insecure: false });
  expect(file).toBe(join(folder, "a/b/capstan.config.json"));
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ insecure: false });
  expect(readdirSync(join(folder, "a/b"))).toEqual(["capstan.config.json"]);
});

test("replaces the file of a cluster that does not run any more", async () => {
  const earlier = { cluster: { nodes: { n1: { http: "127.0.0.1:1" } } } };
  await writeConfiguration(join(folder, "old"), earlier);
  const file = await writeConfiguration(join(folder, "old"), { insecure: true });
  expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({ insecure: true });
});

test("leaves the file of a cluster that runs alone, and says so", async () => {
  await listening(serveHealth(), async (port) => {
    const running = { cluster: { nodes: { n1: { http: `127.0.0.1:${port}` } } } };
    const place = join(folder, "running");
    const file = await writeConfiguration(place, running);
    const writing = writeConfiguration(place, { insecure: true });
    await expect(writing).rejects.toThrow(`http://127.0.0.1:${port} answers`);
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(running);
    // The very same configuration is no other cluster's: the busy ports speak for themselves.
    await writeConfiguration(place, running);
  });
});

test("says where it could not write", async () => {
  writeFileSync(join(folder, "file"), "");
  const writing = writeConfiguration(join(folder, "file"), {});
  await expect(writing).rejects.toThrow(/file\/capstan\.config\.json cannot be written/);
  expect(existsSync(join(folder, "file/capstan.config.json"))).toBe(false);
});
