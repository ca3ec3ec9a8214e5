import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { unusedDataNotice } from "../../../../src/cli/local-cluster/unused-data.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "capstan-unused-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function keepNode(name: string): Promise<void> {
  await mkdir(join(folder, name));
  await writeFile(join(folder, name, "identity-a"), "who this is");
}

test("data on disk that memory storage passes by is named, with what goes on with it", async () => {
  await keepNode("n2");
  await keepNode("n1");
  expect(await unusedDataNotice("memory", folder, ".capstan/data")).toBe(
    ".capstan/data has data of n1, n2 from storage disk: with storage memory it is not read, and " +
      "stays as it is. --storage disk goes on with it.",
  );
});

test("nothing is said where it is used", async () => {
  await keepNode("n1");
  expect(await unusedDataNotice("disk", folder, "data")).toBeUndefined();
});

test("nor where there is no data, or no folder", async () => {
  await mkdir(join(folder, "notes"));
  expect(await unusedDataNotice("memory", folder, "data")).toBeUndefined();
  expect(await unusedDataNotice("memory", join(folder, "none"), "data")).toBeUndefined();
});
