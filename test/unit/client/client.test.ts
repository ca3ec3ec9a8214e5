import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Client, connect } from "../../../src/client/index.ts";
import { CapstanError } from "../../../src/core/model/errors.ts";
import type { Keyspace } from "../../../src/core/store/api.ts";
import { type HttpServer, serveHttp } from "../../../src/http/index.ts";
import { FakeStore } from "../http/fake-store.ts";
import { until } from "../http/requests.ts";

let store: FakeStore;
let server: HttpServer;
let client: Client;
let keys: Keyspace;
let accounts: Keyspace;

beforeAll(async () => {
  store = new FakeStore();
  server = await serveHttp(store, { port: 0 });
  client = connect({ url: server.url });
  keys = client.keyspace("default");
  accounts = client.keyspace("accounts");
});
afterAll(async () => {
  await client.close();
  await server.close();
});
beforeEach(() => {
  store.interrupt = () => undefined;
  store.receipt = {};
  store.writes.length = 0;
});

describe("the same as embedded", () => {
  test("values come back whole", async () => {
    const proto = JSON.parse('{"__proto__":{"a":1}}') as unknown;
    let deep: unknown = 1;
    for (let depth = 0; depth < 100; depth++) deep = [deep];
    const values = [
      null,
      "",
      0,
      -1.5,
      1e20,
      2n ** 80n,
      new Date(0),
      new Uint8Array([0, 255]),
      { nested: [new Date(1), { big: -1n, bytes: new Uint8Array(0) }] },
      proto,
      deep,
      "x".repeat(60_000),
    ];
    for (const value of values) {
      await keys.put("v", value);
      const read = await keys.get("v");
      expect(read).toMatchObject({ found: true, conflict: false });
      expect(read.found && !read.conflict && read.value).toEqual(value);
    }
  });

  test("receipts are those of the store", async () => {
    store.receipt = {
      achieved: "one",
      consistent: false,
      pendingSync: true,
      warning: "1 of 2 replicas answered",
      repaired: 1,
      epoch: 4,
      durationMs: 12.25,
    };
    const written = await keys.put("r", 1, { consistency: "strong" });
    expect(written.receipt).toEqual(store.receiptFor("strong"));
    expect((await keys.get("r", { consistency: "one" })).receipt).toEqual(store.receiptFor("one"));
    expect((await keys.get("none")).receipt).toEqual(store.receiptFor("quorum"));
  });

  test("not found, deleted, has, siblings", async () => {
    await keys.put("d", 1);
    expect(await keys.has("d")).toBe(true);
    expect(await keys.delete("d")).toMatchObject({ version: expect.stringMatching(/^t/) });
    expect(await keys.get("d")).toMatchObject({ found: false });
    expect(await keys.has("d")).toBe(false);
    const siblings = client.keyspace("siblings");
    await siblings.put("s", 1n);
    expect(await siblings.get("s")).toMatchObject({ conflict: true, siblings: [1n, "other"] });
  });

  test.each(["__proto__", "a/b", "a/../b", "..a", "%2F", "é", "e\u0301", "\0", "?#&+ ", "😀", "/"])(
    "key %j",
    async (key) => {
      await keys.put(key, key);
      expect(await keys.get(key)).toMatchObject({ value: key });
      expect(store.keyspace("default").data.has(key)).toBe(true);
      await keys.delete(key);
      expect(store.keyspace("default").data.has(key)).toBe(false);
    },
  );

  test("conditions: ok, and why not with what is there", async () => {
    expect(await accounts.put("a", 1, { ifAbsent: true })).toMatchObject({ ok: true });
    expect(await accounts.put("a", 2, { ifAbsent: true })).toMatchObject({
      ok: false,
      reason: "exists",
      current: { found: true, value: 1 },
    });
    const read = await accounts.get("a");
    const ifVersion = read.found ? read.version : "";
    expect(await accounts.put("a", new Date(3), { ifVersion })).toMatchObject({ ok: true });
    expect(await accounts.delete("a", { ifVersion })).toMatchObject({
      ok: false,
      reason: "version-mismatch",
      current: { value: new Date(3) },
    });
    await expect(keys.put("a", 1, { ifAbsent: true })).rejects.toMatchObject({
      code: "CONDITIONAL_UNSUPPORTED",
      outcome: "not-applied",
    });
  });

  test("modify changes what is there, again if another came in between", async () => {
    await accounts.put("m", 1);
    let interruptions = 3;
    store.interrupt = async ({ type }) => {
      if (type === "get" && interruptions-- > 0) await Promise.resolve();
    };
    const racing = Array.from({ length: 8 }, () =>
      accounts.modify("m", (value) => (value as number) + 1),
    );
    await Promise.all(racing);
    expect(await accounts.get("m")).toMatchObject({ value: 9 });
    await expect(keys.modify("m", () => 1)).rejects.toMatchObject({
      code: "CONDITIONAL_UNSUPPORTED",
    });
  });

  test("many keys at once wait out a server that has too much to do", async () => {
    let refusals = 40;
    store.interrupt = () => {
      if (refusals-- > 0) throw new CapstanError("OVERLOADED", "too much");
    };
    const names = Array.from({ length: 20 }, (_none, index) => `busy${index}`);
    const written = await keys.putMany(names.map((name) => [name, name] as const));
    expect(written.filter(({ ok }) => !ok)).toEqual([]);
    refusals = 40;
    const read = await keys.getMany(names);
    expect(read.map((each) => each.ok && each.result)).toEqual(
      names.map((value) => expect.objectContaining({ value })),
    );
    expect(new Set(store.writes.map(({ options }) => options.operationId)).size).toBe(60);
  });

  test("and no longer than a call may take, or until it is aborted", async () => {
    store.interrupt = () => {
      throw new CapstanError("OVERLOADED", "too much");
    };
    const [late] = await keys.getMany(["a"], { timeoutMs: 150 });
    expect(late).toMatchObject({
      ok: false,
      error: { code: "OVERLOADED", outcome: "not-applied" },
    });
    const controller = new AbortController();
    let asked = 0;
    store.interrupt = () => {
      asked++;
      throw new CapstanError("OVERLOADED", "too much");
    };
    const waiting = keys.getMany(["a"], { signal: controller.signal });
    await until(() => asked > 1);
    controller.abort();
    const [aborted] = await waiting;
    expect(aborted).toMatchObject({ ok: false, error: { code: "ABORTED" } });
    // One key alone is the caller's own affair.
    await expect(keys.get("a")).rejects.toMatchObject({ code: "OVERLOADED" });
  });

  test("and hands each try no more than what is left of the time that it was given", async () => {
    const asked: (number | undefined)[] = [];
    const original = store.keyspace("default").get;
    const keyspace = store.keyspace("default");
    keyspace.get = async (_key: string, options: { timeoutMs?: number } = {}) => {
      asked.push(options.timeoutMs);
      throw new CapstanError("OVERLOADED", "too much");
    };
    try {
      const [late] = await keys.getMany(["a"], { timeoutMs: 400 });
      expect(late).toMatchObject({ ok: false, error: { code: "OVERLOADED" } });
    } finally {
      keyspace.get = original;
    }
    expect(asked.length).toBeGreaterThan(2);
    expect(asked[0]).toBe(400);
    for (const [at, timeoutMs] of asked.entries()) {
      if (at > 0) expect(timeoutMs).toBeLessThan(asked[at - 1] as number);
    }
  });

  test("many keys at once: one outcome each, in order", async () => {
    const entries = Array.from({ length: 100 }, (_, index) => [`many/${index}`, index] as const);
    const before = store.operations.size;
    const written = await keys.putMany([...entries, ["", 1], ["many/x", 1]]);
    expect(written.map((each) => each.ok)).toEqual([...entries.map(() => true), false, true]);
    expect(written[100]).toMatchObject({ key: "", error: { code: "INVALID_KEY" } });
    expect(store.operations.size - before).toBeGreaterThanOrEqual(101);
    expect(store.operations.size - before).toBeLessThanOrEqual(102);
    const read = await keys.getMany(["many/7", "none", "."]);
    expect(read).toMatchObject([
      { key: "many/7", ok: true, result: { found: true, value: 7 } },
      { key: "none", ok: true, result: { found: false } },
      { key: ".", ok: false, error: { code: "INVALID_KEY" } },
    ]);
  });

  test("an entry that is none is refused by itself, and no list as a whole", async () => {
    const odd = [["odd/1", 1], 5, ["odd/2"], ["odd/3", 3]] as never;
    const written = await keys.putMany(odd);
    expect(written.map((each) => each.ok || (each.error as { code?: string }).code)).toEqual([
      true,
      "INVALID_ARGUMENT",
      "INVALID_ARGUMENT",
      true,
    ]);
    const refused = { code: "INVALID_ARGUMENT", outcome: "not-applied" };
    for (const list of [null, "abc", 5] as never[]) {
      await expect(keys.putMany(list)).rejects.toMatchObject(refused);
      await expect(keys.getMany(list)).rejects.toMatchObject(refused);
    }
  });

  test("options that are no object are refused, as the embedded store does", async () => {
    for (const options of [null, 5, "x", []] as never[]) {
      await expect(keys.get("k", options)).rejects.toMatchObject({
        ...{
          code: "INVALID_ARGUMENT",
          message: expect.stringMatching(/^options have to be an object, not/),
        },
      });
    }
  });

  test("a scan goes over pages, in order, up to its limit, and again", async () => {
    const names = Array.from(
      { length: 1_203 },
      (_, index) => `s/${String(index).padStart(4, "0")}`,
    );
    for (const name of names) await store.keyspace("accounts").put(name, new Uint8Array([1]));
    const scan = accounts.scan({ prefix: "s/" });
    for (let round = 0; round < 2; round++) {
      const found: string[] = [];
      for await (const entry of scan) {
        expect(entry.value).toEqual(new Uint8Array([1]));
        found.push(entry.key);
      }
      expect(found).toEqual(names);
    }
    const some: string[] = [];
    let cursor = "";
    for await (const entry of accounts.scan({ prefix: "s/", limit: 600 })) {
      some.push(entry.key);
      cursor = entry.cursor;
    }
    expect(some).toEqual(names.slice(0, 600));
    for await (const entry of accounts.scan({ cursor, to: "s/0602" })) some.push(entry.key);
    expect(some).toEqual(names.slice(0, 602));
  });

  test("what the server does not offer is refused by it", async () => {
    const none = { code: "NOT_SUPPORTED", outcome: "not-applied" };
    await expect(keys.update("k", { add: 1 })).rejects.toMatchObject(none);
    await expect(keys.batch([])).rejects.toMatchObject(none);
  });

  test("health, operation ids, resolve", async () => {
    expect(await client.health()).toMatchObject({ total_nodes: 2, node: "n1" });
    const id = await keys.operationId();
    expect(await client.resolve(id)).toMatchObject({ outcome: "unknown" });
    await keys.put("k", 1, { operationId: id });
    expect(await client.resolve(id)).toMatchObject({ outcome: "applied" });
    for (const id of ["made-up", "\ud800", "", 5 as never, undefined as never]) {
      await expect(client.resolve(id)).rejects.toMatchObject({ code: "INVALID_OPERATION_ID" });
    }
  });

  test("faults have the store's code, outcome, id, advice, details and list", async () => {
    store.interrupt = () => {
      throw new CapstanError("SUPERSEDED", "lost", {
        outcome: "applied",
        operationId: "op-1",
        allowed: ["x", 2],
        details: { reached: 1 },
      });
    };
    await expect(keys.put("k", 1)).rejects.toMatchObject({
      name: "CapstanError",
      code: "SUPERSEDED",
      message: "lost",
      outcome: "applied",
      retry: "never",
      operationId: "op-1",
      allowed: ["x", 2],
      details: { reached: 1 },
    });
    store.interrupt = () => {
      throw new CapstanError("OUTCOME_UNKNOWN", "who knows");
    };
    const [id] = await Promise.allSettled([keys.put("k", 1)]);
    expect(id).toMatchObject({ reason: { outcome: "unknown", operationId: expect.any(String) } });
  });
});

describe("refused here, before anything is sent", () => {
  test.each([
    ["", "INVALID_KEY"],
    [".", "INVALID_KEY"],
    ["..", "INVALID_KEY"],
    ["a".repeat(1_025), "INVALID_KEY"],
    ["\ud800", "INVALID_KEY"],
    [7 as unknown as string, "INVALID_KEY"],
  ])("key %j", async (key, code) => {
    await expect(keys.put(key, 1)).rejects.toMatchObject({ code, outcome: "not-applied" });
    await expect(keys.get(key)).rejects.toMatchObject({ code });
    expect(store.writes).toEqual([]);
  });

  test.each([
    [() => 1, "function"],
    [{ a: [Number.NaN] }, "$.a[0]"],
    [undefined, "undefined"],
    [new Map(), "Map"],
    ["\ud800", "surrogate"],
  ])("value %s", async (value, named) => {
    await expect(keys.put("k", value)).rejects.toMatchObject({
      code: "INVALID_VALUE",
      message: expect.stringContaining(named),
    });
    expect(store.writes).toEqual([]);
  });

  test.each([
    [{ consistancy: "one" }, "INVALID_ARGUMENT", /"consistancy"/],
    [{ ifVersion: undefined }, "INVALID_ARGUMENT", /ifVersion is undefined/],
    [
      { timeoutMs: 0 },
      "INVALID_ARGUMENT",
      /timeoutMs has to be a number of milliseconds from 1 to \d+, not 0$/,
    ],
    [{ timeoutMs: Number.POSITIVE_INFINITY }, "INVALID_ARGUMENT", /timeoutMs/],
    [
      { ttlMs: 1.5 },
      "INVALID_ARGUMENT",
      /ttlMs has to be a whole number from 1 to 4503599627370496, not 1\.5$/,
    ],
    [{ signal: {} }, "INVALID_ARGUMENT", /signal has to be an AbortSignal, not /],
    [
      { consistency: "strongest\r\nX-Evil: 1" },
      "INVALID_LEVEL",
      /no consistency level; there are: one, two, /,
    ],
    [{ operationId: "a b" }, "INVALID_OPERATION_ID", /"a b"/],
    [{ session: "a\nb" }, "INVALID_ARGUMENT", /session/],
  ])("options %j", async (options, code, message) => {
    await expect(keys.put("k", 1, options as object)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    expect(store.writes).toEqual([]);
  });

  test("the level that is none comes with those that there are", async () => {
    const options = { consistency: "strongest" } as object;
    await expect(keys.get("k", options)).rejects.toMatchObject({
      allowed: expect.arrayContaining(["one", "strong", "stale"]),
    });
  });

  test.each([
    [{}, /url is missing; allowed is http/],
    [{ url: 5 }, /url is 5; allowed is http/],
    [{ url: [] }, /url is an empty list; allowed is http/],
    [{ url: "http://a", fetch: 5 }, /fetch has to be a function, not of type number/],
  ])("connect(%j), by what it lacks", (options, message) => {
    expect(() => connect(options as never)).toThrow(message);
  });

  test.each(["", ".", "..", "\ud800", 5])("a keyspace called %j", (name) => {
    expect(() => client.keyspace(name as string)).toThrow(CapstanError);
  });

  test.each(["", "localhost:1", "ftp://x", "http://x/?a=1", []])("connect to %j", (url) => {
    expect(() => connect({ url })).toThrow(CapstanError);
  });
});

test.each<unknown>([
  undefined,
  null,
  {},
  { url: 5 },
  { url: [] },
  { url: [5] },
  { url: [Symbol("no text")] },
  { urls: "http://a" },
])("is not made of %j", (options) => {
  expect(() => connect(options as never)).toThrow(
    expect.objectContaining({ code: "INVALID_ARGUMENT" }),
  );
});

test("a url with a password is refused before any call, and the password is not shown", () => {
  const made = () => connect({ url: "http://ada:secret@127.0.0.1:1" });
  expect(made).toThrow(/127\.0\.0\.1:1 has a user or password/);
  expect(made).not.toThrow(/secret/);
});

test("a write that was begun before the client closes is sent, though it still waits for its id", async () => {
  const closing = connect({ url: server.url });
  const ends = Promise.allSettled([
    closing.keyspace("default").put("begun", 1),
    closing.keyspace("default").delete("begun-too"),
  ]);
  await closing.close();
  // Nothing is under way any more once it is closed.
  const sent = store.writes.length;
  expect((await ends).map(({ status }) => status)).toEqual(["fulfilled", "fulfilled"]);
  expect(store.writes).toHaveLength(sent);
});

test("a closed client refuses, and lets end what is under way", async () => {
  let open: () => void = () => undefined;
  store.interrupt = () =>
    new Promise((resolve) => {
      open = resolve;
    });
  const closing = connect({ url: `${server.url}/` });
  const read = closing.keyspace("default").get("k");
  await expect.poll(() => open.length).toBe(1);
  const closed = closing.close();
  await expect(closing.keyspace("default").get("k")).rejects.toMatchObject({
    code: "STORE_CLOSED",
  });
  open();
  expect(await read).toMatchObject({ receipt: { asked: "quorum" } });
  await closed;
});
