// Makes the golden data of raft and dynamo keyspaces: npm run build && node test/golden/make-strategies-v1.mjs
import { leaveKilled } from "./leave-killed.mjs";

const keyspaces = {
  accounts: { strategy: "raft", replicas: 1, shards: 2 },
  notes: { strategy: "dynamo", replicas: 1, shards: 1, resolver: "version-vector" },
  tags: { strategy: "dynamo", replicas: 1, shards: 1, resolver: "or-set" },
  totals: { strategy: "dynamo", replicas: 1, shards: 1, resolver: "pn-counter" },
  records: { strategy: "dynamo", replicas: 1, shards: 1, resolver: "or-map" },
};
const TTL_MS = 20 * 365 * 86_400_000;

async function writeFirst(store) {
  const accounts = store.keyspace("accounts");
  for (let number = 0; number < 8; number += 1) await accounts.put(`account/${number}`, { number });
  await accounts.put("lasting", "until later", { ttlMs: TTL_MS });
  await store.keyspace("notes").put("sibling", "one");
  for (const add of ["a", "b", "c"]) await store.keyspace("tags").update("set", { add });
  await store.keyspace("totals").update("total", { increment: 10 });
  const update = { key: "visits", operation: { "g-counter": { increment: 3 } } };
  await store.keyspace("records").update("page", { update });
}

async function writeLast(store) {
  const accounts = store.keyspace("accounts");
  const { version } = await accounts.get("account/1");
  await accounts.put("account/1", { number: 101 }, { ifVersion: version });
  await accounts.put("account/2", { number: 102 }, { operationId: "order-17" });
  await accounts.delete("account/3");
  await store.keyspace("notes").put("sibling", "two");
  await store.keyspace("tags").update("set", { remove: "b" });
  await store.keyspace("totals").update("total", { decrement: 3 });
}

await leaveKilled({
  script: import.meta.url,
  folder: "strategies-v1",
  keyspaces,
  writeFirst,
  writeLast,
});
