import { afterAll, beforeAll, expect, test } from "vitest";
import { type HttpServer, serveHttp } from "../../../src/http/index.ts";
import { openStore, type Store } from "../../../src/index.ts";
import { fakeSurroundings, run, streamOf } from "./fake-surroundings.ts";

let store: Store;
let server: HttpServer;

beforeAll(async () => {
  const keyspaces = {
    counters: { strategy: "dynamo", resolver: "pn-counter" },
    carts: { strategy: "dynamo", resolver: "or-set" },
    notes: { strategy: "dynamo", resolver: "version-vector" },
  } as const;
  store = (await openStore({ keyspaces })) as unknown as Store;
  server = await serveHttp(store, { port: 0 });
});

afterAll(async () => {
  await server.close();
  await store.close();
});

function capstan(...words: readonly string[]) {
  return run(words, fakeSurroundings({ env: { CAPSTAN_URL: server.url } }));
}

async function valueAt(key: string, keyspace: string): Promise<string> {
  return (await capstan("get", key, "--keyspace", keyspace)).stdout;
}

test("update changes a value by an operation, and says how", async () => {
  const ran = await capstan("update", "visits", '{"increment": 3}', "--keyspace", "counters");
  expect(ran).toMatchObject({ exitCode: 0, stderr: "" });
  expect(ran.stdout).toMatch(/^updated \(.+\), version .+\n$/);
  await capstan("update", "visits", '{"decrement": 1}', "--keyspace", "counters");
  expect(await valueAt("visits", "counters")).toBe("2\n");
});

test("update reads the operation from standard input", async () => {
  const env = { CAPSTAN_URL: server.url };
  const stdin = streamOf('{"add": "tea"}\n');
  const surroundings = fakeSurroundings({ env, stdin });
  const ran = await run(["update", "anna", "-", "--keyspace", "carts"], surroundings);
  expect(ran.exitCode).toBe(0);
  expect(await valueAt("anna", "carts")).toBe('["tea"]\n');
});

test("an update under the operation id of another one is that one", async () => {
  const operationId = await store.keyspace("counters").operationId();
  for (let times = 0; times < 2; times++) {
    const words = ["update", "once", '{"increment": 1}', "--keyspace", "counters"];
    const ran = await capstan(...words, "--operation-id", operationId);
    expect(ran).toMatchObject({ exitCode: 0 });
  }
  expect(await valueAt("once", "counters")).toBe("1\n");
});

test.each([
  ["an operation that there is not", '{"times": 3}', /increment/],
  ["what is no JSON", "increment", /OPERATION is refused: not JSON/],
])("update refuses %s", async (_, operation, said) => {
  const ran = await capstan("update", "k", operation, "--keyspace", "counters");
  expect(ran).toMatchObject({ exitCode: 2, stdout: "" });
  expect(ran.stderr).toMatch(said);
  expect((await capstan("get", "k", "--keyspace", "counters")).exitCode).toBe(3);
});

test("versions side by side are shown with the word that replaces them", async () => {
  for (const note of ['"one"', '"two"']) await capstan("put", "todo", note, "--keyspace", "notes");
  const shown = await capstan("get", "todo", "--keyspace", "notes");
  expect(shown.stdout.split("\n").sort()).toEqual(["", '"one"', '"two"']);
  const context = /a write with --context (\S+) takes the place of all of them/.exec(shown.stderr);
  const words = ["put", "todo", '"both"', "--keyspace", "notes", "--context"];
  expect(await capstan(...words, context?.[1] ?? "")).toMatchObject({ exitCode: 0 });
  expect(await valueAt("todo", "notes")).toBe('"both"\n');
});

test("delete takes the context of what was read, too", async () => {
  await capstan("put", "gone", '"x"', "--keyspace", "notes");
  const { stdout } = await capstan("get", "gone", "--keyspace", "notes", "--json");
  const { version } = JSON.parse(stdout) as { readonly version: string };
  const ran = await capstan("delete", "gone", "--keyspace", "notes", "--context", version);
  expect(ran.exitCode).toBe(0);
  expect((await capstan("get", "gone", "--keyspace", "notes")).exitCode).toBe(3);
});
