import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Client, connect } from "../../../src/client/index.ts";
import { type HttpServer, serveHttp } from "../../../src/http/index.ts";
import * as schemas from "../../../src/http/schemas.ts";
import { FakeStore } from "./fake-store.ts";
import { request } from "./requests.ts";

const SHARD = Object.freeze({ keyspace: "accounts", shard: 0 });

let store: FakeStore;
let server: HttpServer;
let client: Client;

beforeAll(async () => {
  store = new FakeStore();
  server = await serveHttp(store, { port: 0 });
  client = connect({ url: server.url });
});
afterAll(async () => {
  await client.close();
  await server.close();
});
beforeEach(() => {
  store.replicas = ["n1", "n2", "n3"];
  store.changingTo = undefined;
  store.changes.length = 0;
  store.recoveries.length = 0;
});

const at = (query: string) => `${server.url}/api/v1/cluster/members${query}`;

test("who holds a shard is told, and what a change leads to", async () => {
  store.changingTo = ["n1", "n4"];
  const { status, json } = await request(at("?keyspace=accounts&shard=0"));
  expect(status).toBe(200);
  schemas.membersAnswer.parse(json);
  expect(json).toEqual({
    ...{ keyspace: "accounts", shard: 0, leader: "n1", replicas: ["n1", "n2", "n3"] },
    ...{ learners: [], changing_to: ["n1", "n4"] },
  });
  expect(await client.admin.members(SHARD)).toEqual({
    ...{ ...SHARD, leader: "n1", replicas: ["n1", "n2", "n3"], learners: [] },
    changingTo: ["n1", "n4"],
  });
});

test("a change is passed on, and answered with who holds the shard then", async () => {
  const replicas = ["n1", "n4"];
  const { status, json } = await request(at("?keyspace=accounts&shard=0"), {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ replicas }),
  });
  expect(status).toBe(200);
  expect(json).toMatchObject({ replicas });
  const changed = await client.admin.changeReplicas({ ...SHARD, replicas: ["n2"] });
  expect(changed).toMatchObject({ replicas: ["n2"] });
  expect(store.changes).toEqual([
    { ...SHARD, replicas },
    { ...SHARD, replicas: ["n2"] },
  ]);
});

test("what cannot be meant is refused, and nothing is changed", async () => {
  expect(await request(at("?keyspace=accounts&shard=-1"))).toMatchObject({ status: 400 });
  expect(await request(at("?keyspace=accounts"))).toMatchObject({ status: 400 });
  expect(await request(at("?keyspace=nowhere&shard=0"))).toMatchObject({
    status: 404,
    json: { code: "UNKNOWN_KEYSPACE" },
  });
  const wrong = { method: "PUT", headers: { "content-type": "application/json" }, body: "{}" };
  expect(await request(at("?keyspace=accounts&shard=0"), wrong)).toMatchObject({ status: 400 });
  const misspelt = { ...SHARD, nodes: ["n1"] } as never;
  await expect(client.admin.changeReplicas(misspelt)).rejects.toThrow('no option "nodes"');
  expect(store.changes).toEqual([]);
});

test("a recovery is passed on, and only with the word that loss is accepted", async () => {
  const post = (body: unknown) =>
    request(`${server.url}/api/v1/cluster/members/recover?keyspace=accounts&shard=0`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  for (const body of [{}, { accept_loss: false }, { accept_loss: true, force: true }]) {
    expect((await post(body)).status).toBe(400);
  }
  expect(store.recoveries).toEqual([]);
  const { status, json } = await post({ accept_loss: true });
  expect(status).toBe(200);
  expect(json).toMatchObject({ replicas: ["n1"] });
  const recovered = await client.admin.recoverShard({ ...SHARD, acceptLoss: true });
  expect(recovered).toMatchObject({ replicas: ["n1"] });
  expect(store.recoveries).toEqual([
    { ...SHARD, acceptLoss: true },
    { ...SHARD, acceptLoss: true },
  ]);
});
