import { afterAll, beforeAll, expect, test } from "vitest";
import { createMemoryHub } from "../../../src/built-ins.ts";
import { type Client, connect } from "../../../src/client/index.ts";
import type { Store } from "../../../src/core/store/api.ts";
import { type HttpServer, serveHttp } from "../../../src/http/index.ts";
import { openStore } from "../../../src/open-store.ts";

// What a watch promises that is read at any node, over HTTP, of three real stores.

const NODES = ["n1", "n2", "n3"];
const WATCHES = 30;

const stores: Store[] = [];
const servers: HttpServer[] = [];
const clients: Client[] = [];

beforeAll(async () => {
  const configuration = {
    cluster: { name: "watched", nodes: NODES },
    transport: { type: "memory", hub: createMemoryHub() },
    keyspaces: { default: { strategy: "raft", shards: 2 } },
  } as const;
  stores.push(...(await Promise.all(NODES.map((node) => openStore(configuration, { node })))));
  await Promise.all(stores.map((store) => store.ready()));
  for (const store of stores) servers.push(await serveHttp(store, { port: 0 }));
  for (const { url } of servers) clients.push(connect({ url }));
});
afterAll(async () => {
  for (const client of clients) await client.close();
  for (const server of servers) await server.close();
  await Promise.all(stores.map((store) => store.close()));
});

test("a client's watch is in step with what another node had acknowledged before it began", async () => {
  const late: unknown[] = [];
  let cursor: string | undefined;
  for (let index = 0; index < WATCHES; index++) {
    const [writer, reader] = [index, index + 1].map((at) => clients[at % NODES.length] as Client);
    await writer?.keyspace("default").put(`before/${index}`, index);
    const from = cursor === undefined || index % 2 === 0 ? {} : { cursor };
    let isSynced = false;
    for await (const event of reader?.keyspace("default").watch(from) ?? []) {
      cursor = event.cursor;
      if (event.type === "synced") {
        isSynced = true;
        await writer?.keyspace("default").put(`after/${index}`, index);
      } else if (event.key === `after/${index}`) break;
      else if (isSynced) late.push(event);
    }
  }
  expect(late).toEqual([]);
});
