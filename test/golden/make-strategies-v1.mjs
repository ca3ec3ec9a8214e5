// Makes the golden data of raft and dynamo keyspaces: npm run build && node test/golden/make-strategies-v1.mjs
// It is what a killed node leaves: some of it in the state file, the rest only in the log. It is
// checked in, and made once for each format version: a later build has to open it as it is.
import { fork } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openStore } from "../../dist/index.js";

const path = fileURLToPath(new URL("strategies-v1", import.meta.url));
/** Also in golden-store.test.ts. */
const configuration = {
  cluster: { name: "golden", nodes: ["n1"] },
  storage: {
    type: "disk",
    path,
    segmentBytes: "16KiB",
    maxBatchBytes: "4KiB",
    commitInterval: "1s",
  },
  keyspaces: {
    accounts: { strategy: "raft", replicas: 1, shards: 2 },
    notes: { strategy: "dynamo", replicas: 1, shards: 1, resolver: "version-vector" },
    tags: { strategy: "dynamo", replicas: 1, shards: 1, resolver: "or-set" },
    totals: { strategy: "dynamo", replicas: 1, shards: 1, resolver: "pn-counter" },
    records: { strategy: "dynamo", replicas: 1, shards: 1, resolver: "or-map" },
  },
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

if (process.send === undefined) {
  rmSync(path, { recursive: true, force: true });
  fork(fileURLToPath(import.meta.url)).once("exit", (_code, signal) => {
    if (signal !== "SIGKILL") throw new Error(`the node ended with ${signal}`);
    rmSync(`${path}/n1/lock`, { force: true });
    rmSync(`${path}/n1/state/lock.mdb`, { force: true });
  });
} else {
  const store = await openStore(configuration, { node: "n1" });
  await store.ready();
  await writeFirst(store);
  // Until the state file has them; what follows is in the log alone.
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  await writeLast(store);
  process.kill(process.pid, "SIGKILL");
}
