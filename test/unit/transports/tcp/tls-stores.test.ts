import { afterAll, beforeAll, expect, test } from "vitest";
import { openStore, type Store } from "../../../../src/index.ts";
import { freePort } from "../free-ports.ts";
import { tlsOf } from "../testbeds.ts";

const IDS = ["n1", "n2", "n3"];
const stores: Store[] = [];

beforeAll(async () => {
  const nodes: Record<string, string> = {};
  for (const id of IDS) nodes[id] = `127.0.0.1:${await freePort()}`;
  const open = (node: string) =>
    openStore(
      {
        cluster: { name: "private", nodes },
        transport: { type: "tcp", tls: tlsOf(node) },
        keyspaces: {
          accounts: { strategy: "raft", replicas: 3 },
          profiles: { strategy: "tunable", replicas: 3 },
        },
      },
      { node },
    );
  stores.push(...((await Promise.all(IDS.map(open))) as unknown as Store[]));
  await Promise.all(stores.map((store) => store.ready({ level: "all", timeoutMs: 30_000 })));
}, 60_000);

afterAll(async () => {
  for (const store of stores) await store.close();
});

test.each(["accounts", "profiles"])("nodes that talk over TLS serve %s", async (name) => {
  const [first, , third] = stores as [Store, Store, Store];
  const photo = new Uint8Array(300_000).fill(7);
  await first.keyspace(name).put("alice", { photo }, { consistency: "strong" });
  const read = await third.keyspace(name).get("alice", { consistency: "strong" });
  expect(read).toMatchObject({ found: true, value: { photo } });
});
