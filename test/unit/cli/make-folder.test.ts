import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeFolder } from "../../../src/cli/make-folder.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "capstan-folder-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

test("makes the folder and those above it, and is content with one that is there", async () => {
  const path = join(folder, "a", "b", "c");
  await makeFolder(path);
  expect(statSync(path).isDirectory()).toBe(true);
  await makeFolder(path);
});

test("refuses where a file stands, at the end of the path or on the way", async () => {
  const file = join(folder, "file");
  writeFileSync(file, "");
  await expect(makeFolder(file)).rejects.toMatchObject({ code: "EEXIST" });
  await expect(makeFolder(join(file, "below"))).rejects.toMatchObject({ code: "ENOTDIR" });
});

test.runIf(existsSync("/proc/self"))("ends where no folder can be made", async () => {
  await expect(makeFolder("/proc/nowhere/below")).rejects.toMatchObject({ code: "ENOENT" });
});
