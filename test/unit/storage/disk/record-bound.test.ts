import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStore } from "../../../../src/open-store.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "capstan-bound-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

// It used to be met in a step, which stopped the node, and every other node that took the write.
test("a value that no file of the log can hold is refused, and the node goes on", async () => {
  const store = await openStore({
    storage: { type: "disk", path: folder, segmentBytes: "64KiB" },
    keyspaces: { users: { strategy: "tunable", replicas: 1 } },
  });
  await store.ready();
  const users = store.keyspace("users");
  const longest = "k".repeat(1_024);
  await expect(users.put(longest, "v".repeat(64 * 1_024))).rejects.toMatchObject({
    code: "VALUE_TOO_LARGE",
    outcome: "not-applied",
  });
  // Up to the bound all fits, with the longest key.
  let bytes = 64 * 1_024;
  while (!(await isTaken(users.put(longest, "v".repeat(bytes))))) bytes -= 256;
  expect(bytes).toBeGreaterThan(60 * 1_024);
  const read = await users.get(longest);
  expect(read.found && read.value).toBe("v".repeat(bytes));
  await store.close();
});

async function isTaken(put: Promise<unknown>): Promise<boolean> {
  try {
    await put;
    return true;
  } catch (fault) {
    expect(fault).toMatchObject({ code: "VALUE_TOO_LARGE" });
    return false;
  }
}
