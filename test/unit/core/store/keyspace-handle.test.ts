import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { isCapstanError } from "../../../../src/core/model/errors.ts";
import { hash32 } from "../../../../src/core/model/hash.ts";
import { keyText } from "../../../../src/core/model/key-text.ts";
import { decodeValue } from "../../../../src/core/model/values.ts";
import type { BatchWrite, WriteOptions } from "../../../../src/core/store/api.ts";
import { valuesOf } from "../../../../src/core/store/value-schema.ts";
import { type Bench, EVERYTHING, NOTHING_MORE, openBench } from "./fake-engine.ts";

const THROWS = {
  get field(): never {
    throw new TypeError("no such luck");
  },
};

const PER_KEY = { ...EVERYTHING, batch: "per-key" } as const;

const schemaOf = (validate: (value: unknown) => unknown) =>
  ({ "~standard": { version: 1, vendor: "test", validate } }) as never;

function fail(why: string): never {
  throw new Error(why);
}

const untyped = (options: unknown) => options as never;

describe("reading and writing", () => {
  it("gives back what was put, with version and receipt", async () => {
    const { keyspace } = openBench();
    const value = { text: "x", bytes: new Uint8Array([1, 2]), when: new Date(5), big: 7n };
    const written = await keyspace.put("k", value);
    const read = await keyspace.get("k");
    expect(read).toMatchObject({ found: true, conflict: false, value, version: written.version });
    expect(read.receipt.asked).toBe("quorum");
  });

  it("says that a key is not there, and that it is", async () => {
    const { keyspace } = openBench();
    expect(await keyspace.get("k")).toMatchObject({ found: false });
    expect(await keyspace.has("k")).toBe(false);
    await keyspace.put("k", null);
    expect(await keyspace.has("k")).toBe(true);
    await keyspace.delete("k");
    expect(await keyspace.has("k")).toBe(false);
  });

  it("hands over encoded bytes, the shard and the level, once", async () => {
    const { keyspace, engine } = openBench();
    await keyspace.put("schlüssel", [1], { consistency: "one" });
    const [operation] = engine.executed;
    const key = new TextEncoder().encode("schlüssel");
    expect(operation).toMatchObject({ type: "put", key, level: "one", options: undefined });
    expect(operation?.shardIndex).toBe(hash32(key) % 16);
    expect(decodeValue(operation?.value as Uint8Array)).toEqual([1]);
    expect(engine.executed).toHaveLength(1);
  });

  it("hands a key over as text where each of its bytes is a character", async () => {
    const { keyspace, engine } = openBench();
    for (const key of ["key-1", "schlüssel"]) await keyspace.put(key, 1);
    expect(engine.executed.map(({ key, keyText: text }) => [keyText(key), text])).toEqual([
      ["key-1", "key-1"],
      ["schlÃ¼ssel", undefined],
    ]);
  });

  it("takes a level beside other options, in any order, and keeps none for the next call", async () => {
    const { keyspace, engine } = openBench();
    await keyspace.put("k", 1, { consistency: "one", ttlMs: 5 });
    await keyspace.put("k", 1, { ttlMs: 6, consistency: "one" });
    await keyspace.put("k", 1, { consistency: "one" });
    await keyspace.put("k", 1, {});
    expect(engine.executed.map(({ level, options }) => [level, options])).toEqual([
      ["one", { ttlMs: 5 }],
      ["one", { ttlMs: 6 }],
      ["one", undefined],
      ["quorum", undefined],
    ]);
  });

  it("takes the engine's answer at once where it has one", async () => {
    const { keyspace, engine } = openBench();
    await keyspace.put("k", 1);
    engine.executed.length = 0;
    engine.answersNow = true;
    expect(await keyspace.get("k")).toMatchObject({ value: 1 });
    expect(engine.executed).toHaveLength(0);
  });

  it("answers without a promise where the engine can, and else says nothing", async () => {
    const { keyspace, engine } = openBench();
    await keyspace.put("k", 1);
    expect(keyspace.getNow("k")).toBeUndefined();
    engine.answersNow = true;
    expect(keyspace.getNow("k")).toMatchObject({ found: true, value: 1 });
    expect(() => keyspace.getNow("")).toThrow("the key is empty");
    expect(() => keyspace.getNow("k", { timeoutMs: 5 } as never)).toThrow('no option "timeoutMs"');
    expect(() => keyspace.getNow("k", { consistency: "lease" })).toThrow(
      '"lease" is no read level',
    );
  });

  it("gives siblings as they were kept", async () => {
    const { keyspace, engine } = openBench();
    engine.readNow = (operation) => ({
      found: true,
      value: undefined,
      siblings: [new Uint8Array([1, 0x81]), new Uint8Array([1, 0x82])],
      version: "v",
      receipt: { asked: operation.level } as never,
    });
    expect(await keyspace.get("k")).toMatchObject({ conflict: true, siblings: [1, 2] });
  });

  it("answers with a fault of its own where stored bytes do not decode", async () => {
    const { keyspace, engine } = openBench();
    engine.readNow = () => ({
      found: true,
      value: new Uint8Array([255]),
      siblings: undefined,
      version: "v",
      receipt: {} as never,
    });
    await expect(keyspace.get("k")).rejects.toMatchObject({ code: "INTERNAL" });
  });

  it("passes a fault on, with its operation id", async () => {
    const { keyspace, engine } = openBench();
    engine.hold = true;
    const put = keyspace.put("k", 1, { signal: new AbortController().signal });
    engine.held[0]?.done.fail({ code: "OUTCOME_UNKNOWN", operationId: "that one" } as never);
    await expect(put).rejects.toMatchObject({ operationId: "that one" });
  });
});

describe("refusals", () => {
  const refused: [string, (bench: ReturnType<typeof openBench>) => Promise<unknown>, string][] = [
    ["an empty key", ({ keyspace }) => keyspace.get(""), "INVALID_KEY"],
    ["a key of 1,025 bytes", ({ keyspace }) => keyspace.put("k".repeat(1_025), 1), "INVALID_KEY"],
    ["a key that is no text", ({ keyspace }) => keyspace.has(untyped(5)), "INVALID_KEY"],
    ["a function", ({ keyspace }) => keyspace.put("k", () => 1), "INVALID_VALUE"],
    ["a value that throws", ({ keyspace }) => keyspace.put("k", THROWS), "INVALID_VALUE"],
    [
      "a value too large",
      ({ keyspace }) => keyspace.put("k", "x".repeat(1_000)),
      "VALUE_TOO_LARGE",
    ],
    [
      "an unknown option",
      ({ keyspace }) => keyspace.get("k", untyped({ ifVersoin: "v" })),
      "INVALID_ARGUMENT",
    ],
    [
      "an option of another call",
      ({ keyspace }) => keyspace.get("k", untyped({ ttlMs: 1 })),
      "INVALID_ARGUMENT",
    ],
    [
      "options that are none",
      ({ keyspace }) => keyspace.get("k", untyped("one")),
      "INVALID_ARGUMENT",
    ],
    ["options in an array", ({ keyspace }) => keyspace.get("k", untyped([])), "INVALID_ARGUMENT"],
    [
      "a timeout of nothing",
      ({ keyspace }) => keyspace.get("k", { timeoutMs: 0 }),
      "INVALID_ARGUMENT",
    ],
    [
      "a timeout above the limit",
      ({ keyspace }) => keyspace.get("k", { timeoutMs: 60_001 }),
      "INVALID_ARGUMENT",
    ],
    [
      "a timeout that is no number",
      ({ keyspace }) => keyspace.get("k", { timeoutMs: Number.NaN }),
      "INVALID_ARGUMENT",
    ],
    [
      "a signal that is none",
      ({ keyspace }) => keyspace.get("k", untyped({ signal: {} })),
      "INVALID_ARGUMENT",
    ],
    [
      "an undefined condition",
      ({ keyspace }) => keyspace.put("k", 1, untyped({ ifVersion: undefined })),
      "INVALID_ARGUMENT",
    ],
    [
      "two conditions",
      ({ keyspace }) => keyspace.put("k", 1, { ifVersion: "v", ifAbsent: true }),
      "INVALID_ARGUMENT",
    ],
    [
      "a read level that there is not",
      ({ keyspace }) => keyspace.get("k", { consistency: "all" }),
      "INVALID_LEVEL",
    ],
    [
      "a read level for a write",
      ({ keyspace }) => keyspace.put("k", 1, { consistency: "strong" }),
      "INVALID_LEVEL",
    ],
    [
      "an id of nobody",
      ({ keyspace }) => keyspace.put("k", 1, { operationId: "mine" }),
      "INVALID_OPERATION_ID",
    ],
    [
      "an expiry of a delete",
      ({ keyspace }) => keyspace.delete("k", { ttlMs: 5 }),
      "INVALID_ARGUMENT",
    ],
    ["a list that is none", ({ keyspace }) => keyspace.getMany(untyped("k")), "INVALID_ARGUMENT"],
    [
      "a batch over shards",
      ({ keyspace }) => keyspace.batch([{ put: "a", value: 1 }, { delete: "b" }]),
      "INVALID_ARGUMENT",
    ],
  ];

  it.each(refused)("%s", async (_what, call, code) => {
    const bench = openBench();
    const fault = await call(bench).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(isCapstanError(fault)).toBe(true);
    expect(fault).toMatchObject({ code, outcome: "not-applied" });
    expect(bench.engine.executed).toHaveLength(0);
  });

  const unsupported: [string, (bench: ReturnType<typeof openBench>) => Promise<unknown>, string][] =
    [
      [
        "ifVersion",
        ({ keyspace }) => keyspace.put("k", 1, { ifVersion: "v" }),
        "CONDITIONAL_UNSUPPORTED",
      ],
      [
        "ifAbsent",
        ({ keyspace }) => keyspace.delete("k", { ifAbsent: true }),
        "CONDITIONAL_UNSUPPORTED",
      ],
      [
        "ifAbsent: false",
        ({ keyspace }) => keyspace.put("k", 1, { ifAbsent: false }),
        "CONDITIONAL_UNSUPPORTED",
      ],
      ["modify", ({ keyspace }) => keyspace.modify("k", () => 1), "CONDITIONAL_UNSUPPORTED"],
      ["update", ({ keyspace }) => keyspace.update("k", {}), "NOT_SUPPORTED"],
      ["batch", ({ keyspace }) => keyspace.batch([{ delete: "k" }]), "NOT_SUPPORTED"],
      ["ttlMs", ({ keyspace }) => keyspace.put("k", 1, { ttlMs: 5 }), "NOT_SUPPORTED"],
      ["session", ({ keyspace }) => keyspace.get("k", { session: "s" }), "NOT_SUPPORTED"],
      [
        "session of a write",
        ({ keyspace }) => keyspace.put("k", 1, { session: "s" }),
        "NOT_SUPPORTED",
      ],
      ["context", ({ keyspace }) => keyspace.put("k", 1, { context: "c" }), "NOT_SUPPORTED"],
      [
        "operationId",
        ({ keyspace }) => keyspace.put("k", 1, { operationId: "x" }),
        "NOT_SUPPORTED",
      ],
      ["operationId()", ({ keyspace }) => keyspace.operationId(), "NOT_SUPPORTED"],
    ];

  it.each(unsupported)("%s where the strategy does not offer it", async (_what, call, code) => {
    const bench = openBench(NOTHING_MORE);
    await expect(call(bench)).rejects.toMatchObject({ code, outcome: "not-applied" });
    expect(bench.engine.executed).toHaveLength(0);
  });

  it("names the option that it does not know, and those that it does", async () => {
    const { keyspace } = openBench();
    await expect(keyspace.put("k", 1, untyped({ if_version: "v" }))).rejects.toThrow(
      /"if_version".*there are: .*ifVersion/,
    );
  });

  it("lists the levels that there are", async () => {
    const { keyspace } = openBench();
    await expect(keyspace.get("k", { consistency: "lease" })).rejects.toMatchObject({
      allowed: EVERYTHING.readLevels,
      message: expect.stringContaining("one, quorum, strong"),
    });
  });

  it.each([
    ["draining", "STORE_CLOSED"],
    ["closed", "STORE_CLOSED"],
  ] as const)("everything of a store that is %s", async (state, code) => {
    const { keyspace, lifecycle, engine } = openBench();
    lifecycle.advance(state);
    const calls = [
      keyspace.get("k"),
      keyspace.put("k", 1),
      keyspace.delete("k"),
      keyspace.getMany(["k"]),
      keyspace.operationId(),
      keyspace.scan()[Symbol.asyncIterator]().next(),
      keyspace.watch()[Symbol.asyncIterator]().next(),
    ];
    for (const call of calls) await expect(call).rejects.toMatchObject({ code });
    expect(engine.executed).toHaveLength(0);
  });
});

describe("conditions and ids", () => {
  it("answers a condition that does not hold with what is there", async () => {
    const { keyspace } = openBench();
    const first = await keyspace.put("k", "old");
    const exists = await keyspace.put("k", "new", { ifAbsent: true });
    expect(exists).toMatchObject({ ok: false, reason: "exists", current: { value: "old" } });
    const held = await keyspace.put("k", "new", { ifVersion: first.version });
    expect(held).toMatchObject({ ok: true });
    const stale = await keyspace.delete("k", { ifVersion: first.version });
    expect(stale).toMatchObject({ ok: false, reason: "version-mismatch" });
    expect(await keyspace.has("k")).toBe(true);
  });

  it("takes an id that it made itself, and no other keyspace's", async () => {
    const { keyspace, engine } = openBench();
    const id = await keyspace.operationId();
    await keyspace.put("k", 1, { operationId: id });
    expect(engine.executed[0]?.operationId).toBe(id);
    const other = openBench(EVERYTHING, { name: "others", hash: 99 });
    await expect(other.keyspace.put("k", 1, { operationId: id })).rejects.toMatchObject({
      code: "INVALID_OPERATION_ID",
    });
  });

  it("modifies what it read, again when somebody came in between", async () => {
    const { keyspace } = openBench();
    await keyspace.put("n", 1);
    let interfered = false;
    await keyspace.modify("n", (current) => {
      if (!interfered) {
        interfered = true;
        void keyspace.put("n", 10);
      }
      return (current as number) + 1;
    });
    expect(await keyspace.get("n")).toMatchObject({ value: 11 });
    await keyspace.modify("new", (current) => [current === undefined]);
    expect(await keyspace.get("new")).toMatchObject({ value: [true] });
  });

  it("gives up modifying a key that others change each time", async () => {
    const { keyspace } = openBench();
    let changes = 0;
    const modify = keyspace.modify("n", () => {
      void keyspace.put("n", ++changes);
      return "mine";
    });
    await expect(modify).rejects.toMatchObject({ code: "CONTENDED", outcome: "not-applied" });
    expect(changes).toBe(16);
    expect(await keyspace.get("n")).toMatchObject({ value: 16 });
  });

  it("writes a batch of one shard as one operation", async () => {
    const { keyspace, engine } = openBench(EVERYTHING, { groupBy: "tag" });
    const results = await keyspace.batch([{ put: "{a}1", value: 1 }, { delete: "{a}2" }]);
    expect(results.map(({ key, ok }) => [key, ok])).toEqual([
      ["{a}1", true],
      ["{a}2", true],
    ]);
    expect(engine.executed).toHaveLength(1);
    expect(await keyspace.get("{a}1")).toMatchObject({ value: 1 });
    expect(await keyspace.batch([])).toEqual([]);
  });

  it("writes each key of a batch on its own where the strategy does so", async () => {
    const { keyspace, engine } = openBench(PER_KEY);
    const results = await keyspace.batch([{ put: "a", value: 1 }, { delete: "b" }], { ttlMs: 5 });
    expect(results.map(({ key, ok }) => [key, ok])).toEqual([
      ["a", true],
      ["b", true],
    ]);
    expect(engine.executed.map(({ type, options }) => [type, options])).toEqual([
      ["put", { ttlMs: 5 }],
      ["delete", undefined],
    ]);
  });

  it("gives each write of such a batch the id that it was given", async () => {
    const { keyspace, engine } = openBench(PER_KEY);
    const [first, second] = [await keyspace.operationId(), await keyspace.operationId()];
    await keyspace.batch([
      { put: "a", value: 1, operationId: first },
      { delete: "b", operationId: second },
      { delete: "c" },
    ]);
    const ids = engine.executed.map(({ operationId }) => operationId);
    expect(ids).toEqual([first, second, undefined]);
  });

  it("refuses an id of one write where the batch is one write, and says where it goes", async () => {
    const { keyspace, engine } = openBench();
    const writes = [{ delete: "{a}1" }, { delete: "{a}2", operationId: "x" }];
    await expect(keyspace.batch(writes)).rejects.toThrow(/writes\[1\] has an operationId/);
    await expect(
      keyspace.batch([{ delete: "{a}1", operationId: untyped(5) }]),
    ).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringMatching(/of writes\[0\].*number/),
    });
    expect(engine.executed).toHaveLength(0);
  });

  it("says which write is why a batch is refused as a whole", async () => {
    const { keyspace, engine } = openBench();
    const value = untyped(() => 1);
    const fault = keyspace.batch([{ delete: "{a}1" }, { put: "{a}2", value }]);
    await expect(fault).rejects.toMatchObject({
      code: "INVALID_VALUE",
      outcome: "not-applied",
      message: expect.stringMatching(/^writes\[1\]: /),
      details: { write: 1 },
    });
    expect(engine.executed).toHaveLength(0);
  });

  it("says how its batches take effect", async () => {
    expect(await openBench().keyspace.batchKind()).toBe("all-or-nothing");
    expect(await openBench(PER_KEY).keyspace.batchKind()).toBe("per-key");
    await expect(openBench(NOTHING_MORE).keyspace.batchKind()).rejects.toMatchObject({
      code: "NOT_SUPPORTED",
    });
  });

  it("says of each key of such a batch what became of it", async () => {
    const { keyspace } = openBench(PER_KEY);
    const results = await keyspace.batch([
      { put: "a", value: 1 },
      { put: "b", value: untyped(() => 1) },
      { put: "", value: 1 },
    ]);
    expect(results).toMatchObject([
      { key: "a", ok: true },
      { key: "b", ok: false, error: { code: "INVALID_VALUE", outcome: "not-applied" } },
      { key: "", ok: false, error: { code: "INVALID_KEY", outcome: "not-applied" } },
    ]);
  });

  it.each<[string, readonly BatchWrite[], object, string]>([
    ["a key that stands twice", [{ put: "a", value: 1 }, { delete: "a" }], {}, '"a"'],
    [
      "a key of a wrong type that stands twice",
      [{ delete: untyped(1n) }, { delete: untyped(1n) }],
      {},
      "the key 1n stands twice",
    ],
    ["what is no write", [{ delete: "a" }, untyped(7)], {}, "writes[1] is 7"],
    ["an id for all", [{ delete: "a" }], { operationId: "id" }, "operationId"],
    ["a context for all", [{ delete: "a" }], { context: "c" }, "context"],
    [
      "4,097 writes",
      Array.from({ length: 4_097 }, (_, n) => ({ delete: `k${n}` })),
      {},
      "at most 4096",
    ],
  ])("refuses %s in such a batch", async (_what, writes, options, said) => {
    const { keyspace, engine } = openBench(PER_KEY);
    const fault = await keyspace.batch(writes, options).catch((error: unknown) => error);
    expect(fault).toMatchObject({ code: "INVALID_ARGUMENT", outcome: "not-applied" });
    expect((fault as Error).message).toContain(said);
    expect(engine.executed).toHaveLength(0);
  });

  it.each([5, null, {}, { put: "k" }, { delete: "k", value: 1 }, { put: "k", vlaue: 1 }])(
    "refuses %j as a write of a batch",
    async (write) => {
      const { keyspace, engine } = openBench();
      await expect(keyspace.batch([untyped(write)])).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
      });
      expect(engine.executed).toHaveLength(0);
    },
  );

  it("encodes an update's operation like a value", async () => {
    const { keyspace, engine } = openBench();
    await keyspace.update("k", { add: "milk" });
    const [operation] = engine.executed;
    expect(operation?.type).toBe("update");
    expect(decodeValue(operation?.value as Uint8Array)).toEqual({ add: "milk" });
  });
});

describe("signals and deadlines", () => {
  it("sends nothing if the signal has aborted before", async () => {
    const { keyspace, engine } = openBench();
    const signal = AbortSignal.abort();
    await expect(keyspace.put("k", 1, { signal })).rejects.toMatchObject({
      code: "ABORTED",
      outcome: "not-applied",
    });
    expect(engine.executed).toHaveLength(0);
  });

  it("leaves it to the engine what a later abort means", async () => {
    const { keyspace, engine } = openBench();
    engine.hold = true;
    const controller = new AbortController();
    const put = keyspace.put("k", 1, { signal: controller.signal });
    controller.abort();
    await expect(put).rejects.toMatchObject({ code: "OUTCOME_UNKNOWN", outcome: "unknown" });
  });

  it("forgets the signal once the call is over", async () => {
    const { keyspace, engine } = openBench();
    engine.hold = true;
    const controller = new AbortController();
    const { signal } = controller;
    const put = keyspace.put("k", 1, { signal });
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    engine.release();
    await put;
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
    engine.hold = false;
    await keyspace.put("k", 2, { signal });
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  it("takes one signal for many calls without a warning of a leak", async () => {
    const { keyspace, engine } = openBench();
    engine.hold = true;
    const warnings: string[] = [];
    const hear = ({ name }: Error) => warnings.push(name);
    process.on("warning", hear);
    const { signal } = new AbortController();
    const puts = Array.from({ length: 20 }, (_, at) => keyspace.put(`k${at}`, 1, { signal }));
    for (const _ of puts) engine.release();
    await Promise.all(puts);
    // Node says its warnings in a later turn.
    await new Promise((resolve) => setTimeout(resolve, 1));
    process.off("warning", hear);
    expect(warnings).toEqual([]);
  });

  it("turns timeoutMs into a moment, and leaves the level's own deadline to the engine", async () => {
    const { keyspace, engine, environment } = openBench();
    await keyspace.get("k", { timeoutMs: 250 });
    await keyspace.get("k");
    const [first, second] = engine.executed;
    expect(first?.deadlineMs).toBe(environment.monotonicMs() + 250);
    expect(second?.deadlineMs).toBeUndefined();
  });
});

describe("an engine's answer that makes no sense", () => {
  it.each(["at once", "later"])(
    "leaves unknown a write that it threw of, checked %s",
    async (when) => {
      const schema = z.unknown().refine(async () => true);
      const { keyspace, engine } = openBench(EVERYTHING, when === "later" ? { schema } : {});
      engine.execute = () => {
        throw new TypeError("sent, and then it threw");
      };
      const operationId = await keyspace.operationId();
      const fault = { code: "INTERNAL", outcome: "unknown", operationId };
      await expect(keyspace.put("k", 1, { operationId })).rejects.toMatchObject(fault);
      await expect(keyspace.delete("k", { operationId })).rejects.toMatchObject(fault);
      const [one] = await keyspace.putMany([["k", 1]]);
      expect(one).toMatchObject({ ok: false, error: { code: "INTERNAL", outcome: "unknown" } });
      const batch = keyspace.batch([{ put: "k", value: 1 }], { operationId });
      await expect(batch).rejects.toMatchObject(fault);
      const read = keyspace.get("k");
      await expect(read).rejects.toMatchObject({ code: "INTERNAL", outcome: "not-applied" });
    },
  );

  it("does not make a write one that was not applied", async () => {
    const { keyspace, engine } = openBench();
    engine.execute = (_operation, done) => {
      done.succeed(undefined as never);
      return { cancel: () => undefined };
    };
    const operationId = await keyspace.operationId();
    const written = keyspace.put("k", 1, { operationId });
    await expect(written).rejects.toMatchObject({
      ...{ code: "INTERNAL", outcome: "unknown", retry: "same-operation-id", operationId },
    });
    const [one] = await keyspace.putMany([["k", 1]]);
    expect(one).toMatchObject({ ok: false, error: { code: "INTERNAL", outcome: "unknown" } });
    const read = keyspace.get("k");
    await expect(read).rejects.toMatchObject({ code: "INTERNAL", outcome: "not-applied" });
  });
});

describe("schemas", () => {
  const schema = z.strictObject({ name: z.string(), age: z.number().default(1) });

  it("stores what the schema makes of a value", async () => {
    const { keyspace } = openBench(EVERYTHING, { schema });
    await keyspace.put("k", { name: "Ada" });
    expect(await keyspace.get("k")).toMatchObject({ value: { name: "Ada", age: 1 } });
  });

  it("refuses with the schema's issues and their paths", async () => {
    const { keyspace, engine } = openBench(EVERYTHING, { schema });
    await expect(keyspace.put("k", { name: 5 })).rejects.toMatchObject({
      code: "INVALID_VALUE",
      outcome: "not-applied",
      details: { issues: [{ path: "$.name", message: expect.any(String) }] },
    });
    expect(engine.executed).toHaveLength(0);
  });

  it("waits for an asynchronous schema, and refuses as late", async () => {
    const slow = schema.refine(async ({ name }) => name !== "Eve");
    const { keyspace, lifecycle } = openBench(EVERYTHING, { schema: slow });
    await keyspace.put("k", { name: "Ada" });
    await expect(keyspace.put("k", { name: "Eve" })).rejects.toMatchObject({
      code: "INVALID_VALUE",
    });
    const late = keyspace.put("l", { name: "Ada" });
    lifecycle.advance("draining");
    await expect(late).rejects.toMatchObject({ code: "STORE_CLOSED" });
  });

  it("says which write of a batch a schema refuses, at once or later", async () => {
    const slow = schema.refine(async ({ name }) => name !== "Eve");
    for (const [each, name] of [
      [schema, 5],
      [slow, "Eve"],
    ] as const) {
      const { keyspace, engine } = openBench(EVERYTHING, { schema: each });
      const writes = [
        { put: "{a}1", value: { name: "Ada" } },
        { put: "{a}2", value: { name } },
      ];
      await expect(keyspace.batch(writes)).rejects.toMatchObject({
        code: "INVALID_VALUE",
        message: expect.stringMatching(/^writes\[1\]: /),
        details: { write: 1, issues: [expect.anything()] },
      });
      expect(engine.executed).toHaveLength(0);
    }
  });

  it("reports a schema that throws as a fault that wrote nothing", async () => {
    const { keyspace, engine } = openBench(EVERYTHING, {
      schema: {
        "~standard": {
          version: 1,
          vendor: "test",
          validate: () => {
            throw new Error("schema bug");
          },
        },
      },
    });
    await expect(keyspace.put("k", 1)).rejects.toMatchObject({ outcome: "not-applied" });
    expect(engine.executed).toHaveLength(0);
  });

  const nonsense: [string, () => unknown, string][] = [
    ["throws", () => fail("bug"), "bug"],
    ["rejects with what is no error", () => Promise.reject(5), "5"],
    ["gives nothing", () => undefined, "it gave undefined"],
    ["gives a promise of nothing", async () => undefined, "it gave undefined"],
    ["gives issues that are no list", () => ({ issues: "none" }), "its issues are no list"],
  ];
  it.each(nonsense)("names the schema where one %s", async (_what, check, why) => {
    const { keyspace, engine } = openBench(EVERYTHING, { schema: schemaOf(check) });
    const fault = await keyspace.put("k", 1).catch((error: unknown) => error);
    expect(fault).toMatchObject({
      ...{ code: "INVALID_VALUE", outcome: "not-applied", retry: "never" },
      message: `the keyspace's schema failed on the value: ${why}`,
    });
    expect(engine.executed).toHaveLength(0);
  });

  const writes: [string, (bench: Bench, options: WriteOptions) => Promise<unknown>][] = [
    ["put", ({ keyspace }, options) => keyspace.put("k", 1, options)],
    ["a batch", ({ keyspace }, options) => keyspace.batch([{ put: "k", value: 1 }], options)],
    [
      "putMany",
      ({ keyspace }, options) =>
        keyspace.putMany([["k", 1]], options).then(([one]) => {
          if (one?.ok === false) throw one.error;
        }),
    ],
  ];
  it.each(writes)("ends %s in its time while a schema never ends", async (_what, write) => {
    const schema = schemaOf(() => new Promise(() => undefined));
    const bench = openBench(EVERYTHING, { schema });
    const late = write(bench, { timeoutMs: 100 });
    bench.time.advance(100);
    await expect(late).rejects.toMatchObject({ code: "UNAVAILABLE", outcome: "not-applied" });
    const controller = new AbortController();
    const aborted = write(bench, { signal: controller.signal, timeoutMs: 100 });
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ code: "ABORTED", outcome: "not-applied" });
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
    expect(bench.engine.executed).toHaveLength(0);
  });

  it("leaves a write the time that its schema has not used", async () => {
    const checked: ((result: unknown) => void)[] = [];
    const schema = schemaOf(() => new Promise((resolve) => checked.push(resolve)));
    const { keyspace, engine, time } = openBench(EVERYTHING, { schema });
    const written = keyspace.put("k", 1, { timeoutMs: 100 });
    time.advance(60);
    for (const settle of checked) settle({ value: 2 });
    await written;
    expect(engine.executed[0]).toMatchObject({ deadlineMs: 100 });
  });

  it("does not call a schema that only types", async () => {
    const types = valuesOf<string>();
    let called = false;
    const spied = {
      "~standard": {
        ...types["~standard"],
        validate: (value: unknown) => {
          called = true;
          return { value };
        },
      },
    };
    const { keyspace } = openBench(EVERYTHING, { schema: spied });
    await keyspace.put("k", "x");
    expect(called).toBe(false);
  });
});

describe("many keys", () => {
  it("gives one outcome per key, in order", async () => {
    const { keyspace } = openBench();
    const written = await keyspace.putMany([
      ["a", 1],
      ["", 2],
      ["c", () => 3],
      ["d", 4],
    ]);
    expect(
      written.map((one) => (one.ok ? "ok" : (one.error as never as { code: string }).code)),
    ).toEqual(["ok", "INVALID_KEY", "INVALID_VALUE", "ok"]);
    const read = await keyspace.getMany(["d", "nobody", "a"]);
    expect(read.map(({ key }) => key)).toEqual(["d", "nobody", "a"]);
    expect(read).toMatchObject([
      { ok: true, result: { value: 4 } },
      { ok: true, result: { found: false } },
      { ok: true, result: { value: 1 } },
    ]);
    expect(await keyspace.getMany([])).toEqual([]);
  });

  it("keeps 64 under way and no more", async () => {
    const { keyspace, engine } = openBench();
    engine.hold = true;
    const keys = Array.from({ length: 200 }, (_, index) => `k${index}`);
    const all = keyspace.getMany(keys);
    while (engine.held.length > 0) engine.release();
    expect(await all).toHaveLength(200);
    expect(engine.mostHeld).toBe(64);
  });

  it("keeps to what the store takes at once, and refuses none of its own for that", async () => {
    const { keyspace, engine, time } = openBench();
    Object.assign(engine, { hold: true, limit: 3 });
    const entries = Array.from({ length: 20 }, (_, index) => [`k${index}`, index] as const);
    const all = keyspace.putMany(entries, { timeoutMs: 50 });
    while (engine.held.length > 0) {
      time.advance(10);
      expect(engine.held.at(-1)?.operation.deadlineMs).toBeGreaterThan(time.nowMs);
      engine.release();
    }
    const written = await all;
    expect(written.map(({ key, ok }) => [key, ok])).toEqual(entries.map(([key]) => [key, true]));
    expect(engine.mostHeld).toBe(3);
  });

  it("is refused where others alone fill what the store takes", async () => {
    const { keyspace, engine } = openBench();
    Object.assign(engine, { hold: true, limit: 0 });
    const results = await keyspace.getMany(["a", "b"]);
    expect(results.map((one) => !one.ok && (one.error as { code?: string }).code)).toEqual([
      "OVERLOADED",
      "OVERLOADED",
    ]);
  });

  it("begins nothing more of what waits when the caller gives up", async () => {
    const { keyspace, engine } = openBench();
    Object.assign(engine, { hold: true, limit: 2 });
    const controller = new AbortController();
    const all = keyspace.getMany(["a", "b", "c", "d"], { signal: controller.signal });
    controller.abort();
    const codes = (await all).map((one) => !one.ok && (one.error as { code?: string }).code);
    expect(codes).toEqual(["OUTCOME_UNKNOWN", "OUTCOME_UNKNOWN", "ABORTED", "ABORTED"]);
  });

  it("says of each key what became of it when the caller gives up", async () => {
    const { keyspace, engine } = openBench();
    engine.hold = true;
    const controller = new AbortController();
    const entries = Array.from({ length: 70 }, (_, index) => [`k${index}`, index] as const);
    const all = keyspace.putMany(entries, { signal: controller.signal });
    engine.release();
    controller.abort();
    const codes = (await all).map((one) =>
      one.ok ? "ok" : (one.error as never as { code: string }).code,
    );
    expect(codes[0]).toBe("ok");
    expect(codes.filter((code) => code === "OUTCOME_UNKNOWN")).toHaveLength(64);
    expect(codes.filter((code) => code === "ABORTED")).toHaveLength(5);
  });

  it("validates each value by itself", async () => {
    const slow = z.number().refine(async (value) => value > 1);
    const { keyspace } = openBench(EVERYTHING, { schema: slow });
    const results = await keyspace.putMany([
      ["a", 1],
      ["b", 2],
    ]);
    expect(results.map(({ ok }) => ok)).toEqual([false, true]);
  });
});
