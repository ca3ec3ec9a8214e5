import { cpSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { openStore } from "../../src/open-store.ts";
import { temporaryFolder } from "../support/processes.ts";

const GOLDEN = fileURLToPath(new URL("../golden/store-v1", import.meta.url));
const OVERWRITTEN = new Set([10, 11, 12, 13, 14]);

test("the data that a killed node of this format left is opened as it is, and gone on with", async () => {
  const folder = temporaryFolder();
  cpSync(GOLDEN, folder.path, { recursive: true });
  const configuration = {
    cluster: { name: "golden", nodes: ["n1"] },
    storage: { type: "disk", path: folder.path, segmentBytes: "16KiB", maxBatchBytes: "4KiB" },
    keyspaces: {
      users: { strategy: "tunable", replicas: 1, shards: 2 },
      events: { strategy: "tunable", replicas: 1, shards: 1, durability: "os" },
    },
  } as const;
  try {
    for (const start of ["the first", "the next"]) {
      const store = await openStore(configuration, { node: "n1" });
      expect(store.describe().storageProblems, start).toEqual([]);
      const users = store.keyspace("users");
      for (let number = 0; number < 20; number += 1) {
        const expected = OVERWRITTEN.has(number) ? 100 + number : number;
        const read = await users.get(`user/${number}`);
        const value = {
          number: expected,
          at: new Date(expected),
          bytes: new Uint8Array([expected]),
        };
        if (number === 3) expect(read.found, start).toBe(false);
        else expect(read, `${start}: user/${number}`).toMatchObject({ found: true, value });
      }
      expect(await store.keyspace("events").get("first")).toMatchObject({ value: "event" });
      await store.close();
    }
  } finally {
    folder.remove();
  }
});
