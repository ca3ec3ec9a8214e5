import { expect, test } from "vitest";
import { MAX_TTL_MS } from "../../../../src/core/model/time-to-live.ts";
import { openStore } from "../../../../src/open-store.ts";

const STRATEGIES = [
  { strategy: "raft" },
  { strategy: "tunable" },
  { strategy: "dynamo", resolver: "version-vector" },
] as const;

// Raft took what the others refused, and added it to its clock.
test.each(STRATEGIES)("$strategy has the same bound of ttlMs as the others", async (keyspace) => {
  const keyspaces = { default: { ...keyspace, replicas: 1, shards: 1 } };
  const store = await openStore({ keyspaces } as never);
  try {
    const values = store.keyspace("default");
    await values.put("long", 1, { ttlMs: MAX_TTL_MS, timeoutMs: 5_000 });
    expect(await values.get("long", { timeoutMs: 5_000 })).toMatchObject({ value: 1 });
    for (const ttlMs of [MAX_TTL_MS + 1, Number.MAX_SAFE_INTEGER, 0, 1.5]) {
      await expect(values.put("k", 1, { ttlMs })).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        message: `ttlMs has to be a whole number from 1 to 4503599627370496, not ${ttlMs}`,
      });
    }
  } finally {
    await store.close();
  }
});
