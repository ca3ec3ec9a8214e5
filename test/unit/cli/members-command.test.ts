import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type HttpServer, serveHttp } from "../../../src/http/index.ts";
import { FakeStore } from "../http/fake-store.ts";
import { fakeSurroundings, run } from "./fake-surroundings.ts";

const store = new FakeStore();
let server: HttpServer;

beforeAll(async () => {
  server = await serveHttp(store, { port: 0 });
});
afterAll(() => server.close());
beforeEach(() => {
  store.replicas = ["n1", "n2", "n3"];
  store.changingTo = undefined;
  store.changes.length = 0;
});

const members = (...words: string[]) =>
  run(["members", ...words], fakeSurroundings({ env: { CAPSTAN_URL: server.url } }));

test("members list shows who holds a shard, and what a change leads to", async () => {
  const { exitCode, stdout } = await members("list", "--keyspace", "accounts");
  expect(exitCode).toBe(0);
  expect(stdout).toBe("shard 0 of accounts: n1, n2, n3; n1 leads\n");
  store.changingTo = ["n1", "n4"];
  const changing = await members("list", "--keyspace", "accounts", "--shard", "2");
  expect(changing.stdout).toContain("shard 2 of accounts");
  expect(changing.stdout).toContain("changing to: n1, n4\n");
  const json = await members("list", "--keyspace", "accounts", "--json");
  expect(JSON.parse(json.stdout)).toMatchObject({ shard: 0, replicas: ["n1", "n2", "n3"] });
});

test("members add and remove ask for those who hold the shard, with the node or without", async () => {
  const added = await members("add", "--keyspace", "accounts", "--shard", "1", "n4");
  expect(added).toMatchObject({ exitCode: 0 });
  expect(added.stdout).toContain("n1, n2, n3, n4; n1 leads");
  await members("remove", "--keyspace", "accounts", "--shard", "1", "n2");
  expect(store.changes).toEqual([
    { keyspace: "accounts", shard: 1, replicas: ["n1", "n2", "n3", "n4"] },
    { keyspace: "accounts", shard: 1, replicas: ["n1", "n3", "n4"] },
  ]);
});

test("what would change nothing, or leave nobody, is refused with who holds the shard", async () => {
  const there = await members("add", "--keyspace", "accounts", "n2");
  expect(there.exitCode).toBe(2);
  expect(there.stderr).toContain("n2 holds the shard already; those that do: n1, n2, n3");
  const absent = await members("remove", "--keyspace", "accounts", "n9");
  expect(absent.stderr).toContain("n9 does not hold the shard; those that hold it: n1, n2, n3");
  store.replicas = ["n1"];
  const last = await members("remove", "--keyspace", "accounts", "n1");
  expect(last.stderr).toContain("nobody would hold the shard");
  expect(store.changes).toEqual([]);
});

test("a keyspace has to be named, and be there", async () => {
  expect(await members("list")).toMatchObject({ exitCode: 2 });
  expect(await members("add", "--keyspace", "accounts")).toMatchObject({ exitCode: 2 });
  expect(await members("list", "--keyspace", "nowhere")).toMatchObject({ exitCode: 2 });
  expect(await members("list", "--keyspace", "a", "--shard", "x")).toMatchObject({ exitCode: 2 });
});

test("members recover goes on alone, and only where loss is accepted", async () => {
  const unsaid = await members("recover", "--keyspace", "accounts", "--shard", "1");
  expect(unsaid.exitCode).toBe(2);
  expect(unsaid.stderr).toContain("members recover needs --accept-loss");
  expect(store.recoveries).toEqual([]);
  const done = await members("recover", "--keyspace", "accounts", "--shard", "1", "--accept-loss");
  expect(done).toMatchObject({ exitCode: 0, stdout: "shard 1 of accounts: n1; n1 leads\n" });
  expect(store.recoveries).toEqual([{ keyspace: "accounts", shard: 1, acceptLoss: true }]);
});
