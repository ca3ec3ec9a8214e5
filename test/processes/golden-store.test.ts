import { cpSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { openStore } from "../../src/open-store.ts";
import { temporaryFolder } from "../support/processes.ts";

const GOLDEN = fileURLToPath(new URL("../golden/store-v1", import.meta.url));
const STRATEGIES = fileURLToPath(new URL("../golden/strategies-v1", import.meta.url));
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

test("so is that of raft and dynamo keyspaces, with what they remember", async () => {
  const folder = temporaryFolder();
  cpSync(STRATEGIES, folder.path, { recursive: true });
  const configuration = {
    cluster: { name: "golden", nodes: ["n1"] },
    storage: { type: "disk", path: folder.path, segmentBytes: "16KiB", maxBatchBytes: "4KiB" },
    keyspaces: {
      accounts: { strategy: "raft", replicas: 1, shards: 2 },
      notes: { strategy: "dynamo", replicas: 1, shards: 1, resolver: "version-vector" },
      tags: { strategy: "dynamo", replicas: 1, shards: 1, resolver: "or-set" },
      totals: { strategy: "dynamo", replicas: 1, shards: 1, resolver: "pn-counter" },
      records: { strategy: "dynamo", replicas: 1, shards: 1, resolver: "or-map" },
    },
  } as const;
  const found = (value: unknown) => ({ found: true, conflict: false, value });
  try {
    for (const start of [0, 1]) {
      const store = await openStore(configuration, { node: "n1" });
      await store.ready();
      expect(store.describe().storageProblems).toEqual([]);
      const accounts = store.keyspace("accounts");
      for (const number of [0, 4, 5, 6, 7]) {
        expect(await accounts.get(`account/${number}`)).toMatchObject(found({ number }));
      }
      expect(await accounts.get("account/1")).toMatchObject(found({ number: 101 }));
      expect(await accounts.get("account/3")).toMatchObject({ found: false });
      expect(await accounts.get("lasting")).toMatchObject(found("until later"));
      expect(await accounts.get("account/2")).toMatchObject(found({ number: 102 }));
      const note = await store.keyspace("notes").get("sibling");
      const siblings = note.found && note.conflict ? note.siblings : [];
      expect([...siblings].sort()).toEqual(["one", "two"]);
      expect(await store.keyspace("tags").get("set")).toMatchObject(found(["a", "c"]));
      const totals = store.keyspace("totals");
      expect(await totals.get("total")).toMatchObject(found(7 + start));
      expect(await store.keyspace("records").get("page")).toMatchObject(found({ visits: 3 }));
      await totals.update("total", { increment: 1 });
      await store.close();
    }
  } finally {
    folder.remove();
  }
});
