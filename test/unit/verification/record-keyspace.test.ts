import { describe, expect, test } from "vitest";
import { connect } from "../../../src/client/index.ts";
import { CapstanError } from "../../../src/core/model/errors.ts";
import type {
  BatchKind,
  ConditionalWriteOptions,
  GetResult,
  Keyspace,
  ManyResult,
  Written,
} from "../../../src/core/store/api.ts";
import {
  HistoryRecorder,
  type KeyValueInput,
  type KeyValueOutput,
  OPEN_ENDED,
  recordKeyspace,
} from "../../../src/verification/index.ts";
import { withFakeServer } from "../cli/fake-store.ts";
import { receipt } from "../cli/receipts.ts";

const written: Written = {
  version: "v1",
  receipt: { ...receipt, asked: "quorum", achieved: "one" },
};
const unknown = (operationId?: string) =>
  new CapstanError(
    "OUTCOME_UNKNOWN",
    "no answer",
    operationId === undefined ? {} : { operationId },
  );
const refused = () => new CapstanError("UNAVAILABLE", "too few");

/** A keyspace that answers as it is told, one answer a call. */
function setUp(...answers: readonly unknown[]) {
  return setUpWith("all-or-nothing", ...answers);
}

function setUpWith(kind: BatchKind, ...answers: readonly unknown[]) {
  const left = [...answers];
  const seen: unknown[][] = [];
  const answer = (...call: unknown[]): Promise<never> => {
    seen.push(call);
    const next = left.shift();
    return next instanceof Error ? Promise.reject(next) : Promise.resolve(next as never);
  };
  const fake: Partial<Keyspace> = {
    name: "default",
    get: (key, options) => answer("get", key, options),
    put: (key: string, value: unknown, options?: ConditionalWriteOptions) =>
      answer("put", key, value, options),
    delete: (key: string, options?: ConditionalWriteOptions) => answer("delete", key, options),
    getMany: (keys) => answer("getMany", keys),
    putMany: (entries) => answer("putMany", entries),
    batch: (writes) => answer("batch", writes),
    batchKind: async () => kind,
    has: (key) => answer("has", key),
    operationId: () => answer("operationId"),
  };
  const recorder = new HistoryRecorder<KeyValueInput, KeyValueOutput>();
  const keyspace = recordKeyspace(fake as Keyspace, recorder, { client: "c", node: "n1" });
  return { keyspace, recorder, seen };
}

function found(value: unknown): GetResult<unknown> {
  return { found: true, conflict: false, value, version: "v1", receipt };
}

describe("a recorded keyspace", () => {
  test("passes calls and answers on, and writes both down", async () => {
    const { keyspace, recorder, seen } = setUp(written, found({ a: 1 }), written);
    expect(await keyspace.put("k", { a: 1 }, { consistency: "quorum" })).toBe(written);
    expect(await keyspace.get("k")).toEqual(found({ a: 1 }));
    await keyspace.delete("k");
    expect(keyspace.name).toBe("default");
    expect(seen).toEqual([
      ["put", "k", { a: 1 }, { consistency: "quorum" }],
      ["get", "k", {}],
      ["delete", "k", {}],
    ]);
    const common = { client: "c", node: "n1", outcome: "applied" };
    expect(recorder.operations()).toEqual([
      {
        ...common,
        level: "quorum",
        achieved: "one",
        input: { type: "put", key: "k", value: { a: 1 } },
        output: { version: "v1" },
        calledAt: 0,
        returnedAt: 1,
      },
      {
        ...common,
        level: receipt.asked,
        achieved: receipt.achieved,
        input: { type: "get", key: "k" },
        output: { value: { a: 1 }, version: "v1" },
        calledAt: 2,
        returnedAt: 3,
      },
      {
        ...common,
        level: "quorum",
        achieved: "one",
        input: { type: "delete", key: "k" },
        output: { version: "v1" },
        calledAt: 4,
        returnedAt: 5,
      },
    ]);
  });

  test("tells nothing, a deletion and siblings apart", async () => {
    const siblings = { found: true, conflict: true, siblings: [1, 2], version: "v", receipt };
    const { keyspace, recorder } = setUp(
      { found: false, receipt },
      { found: false, version: "v9", receipt },
      siblings,
    );
    for (let call = 0; call < 3; call++) await keyspace.get("k");
    const outputs = recorder.operations().map(({ output }) => output);
    expect(outputs).toEqual([{}, { version: "v9" }, { siblings: [1, 2], version: "v" }]);
  });

  test("keeps values as they were at the call, whatever the caller does to them later", async () => {
    const { keyspace, recorder } = setUp(written);
    const value = { list: [1] };
    const writing = keyspace.put("k", value);
    value.list.push(2);
    await writing;
    expect(recorder.operations()[0]?.input).toMatchObject({ value: { list: [1] } });
  });

  test("records outcomes as the faults say, and rejects with the same fault", async () => {
    const faults = [
      unknown(),
      refused(),
      new CapstanError("SUPERSEDED", "newer", { outcome: "applied" }),
      new TypeError("broken"),
    ];
    const { keyspace, recorder } = setUp(...faults);
    for (const fault of faults) await expect(keyspace.put("k", 1)).rejects.toBe(fault);
    expect(recorder.operations()).toMatchObject([
      { client: "c", outcome: "unknown", returnedAt: OPEN_ENDED },
      { client: "c~2", outcome: "not-applied" },
      { client: "c~2", outcome: "applied", achieved: "superseded" },
      { client: "c~2", outcome: "unknown" },
    ]);
    expect(recorder.operations()[2]).not.toHaveProperty("output");
  });

  test("a read that failed did nothing, and the client stays who it is", async () => {
    const { keyspace, recorder } = setUp(unknown(), found(1));
    await expect(keyspace.get("k")).rejects.toThrow("no answer");
    await keyspace.get("k");
    expect(recorder.operations()).toMatchObject([
      { client: "c", outcome: "not-applied" },
      { client: "c", outcome: "applied" },
    ]);
  });

  test("a conditional write that was not done is not applied", async () => {
    const mismatch = { ok: false, reason: "exists", current: found(1) };
    const { keyspace, recorder } = setUp(mismatch, { ok: true, ...written });
    expect(await keyspace.put("k", 1, { ifAbsent: true })).toBe(mismatch);
    await keyspace.put("k", 1, { ifVersion: "v0" });
    expect(recorder.operations().map(({ outcome }) => outcome)).toEqual(["not-applied", "applied"]);
  });
});

describe("a retry with an operation id", () => {
  test("is the same write, and settles it", async () => {
    const { keyspace, recorder } = setUp(unknown(), unknown("id"), refused(), written);
    await expect(keyspace.put("k", 1, { operationId: "id" })).rejects.toThrow();
    await expect(keyspace.put("k", 1, { operationId: "id" })).rejects.toThrow();
    await expect(keyspace.put("k", 1, { operationId: "id" })).rejects.toThrow();
    expect(recorder.operations()).toMatchObject([{ outcome: "unknown", returnedAt: OPEN_ENDED }]);
    await keyspace.put("k", 1, { operationId: "id" });
    expect(recorder.operations()).toMatchObject([
      { outcome: "applied", calledAt: 0, returnedAt: 1, output: { version: "v1" } },
    ]);
  });

  test("is known by the id that only the fault told", async () => {
    const { keyspace, recorder } = setUp(unknown("made"), written);
    await expect(keyspace.delete("k")).rejects.toThrow();
    await keyspace.delete("k", { operationId: "made" });
    expect(recorder.operations()).toMatchObject([{ outcome: "applied" }]);
  });

  test("that tells of a write which lost to a newer one settles it too", async () => {
    const superseded = new CapstanError("SUPERSEDED", "newer", { outcome: "applied" });
    const { keyspace, recorder } = setUp(unknown("id"), superseded);
    for (const operationId of ["id", "id"]) {
      await expect(keyspace.put("k", 1, { operationId })).rejects.toThrow();
    }
    expect(recorder.operations()).toMatchObject([{ outcome: "applied", returnedAt: 1 }]);
  });
});

describe("calls for many keys", () => {
  test("getMany and putMany are one operation for each key", async () => {
    const ok = (key: string, result: unknown): ManyResult<unknown> => ({ key, ok: true, result });
    const bad = (key: string, error: Error): ManyResult<unknown> => ({ key, ok: false, error });
    const { keyspace, recorder } = setUp(
      [ok("a", found(1)), bad("b", refused())],
      [ok("a", written), bad("b", unknown()), bad("c", refused())],
    );
    await keyspace.getMany(["a", "b"]);
    await keyspace.putMany([
      ["a", 1],
      ["b", 2],
      ["c", 3],
    ]);
    expect(recorder.operations()).toMatchObject([
      { input: { type: "get", key: "a" }, outcome: "applied", output: { value: 1 } },
      { input: { type: "get", key: "b" }, outcome: "not-applied" },
      { input: { type: "put", key: "a", value: 1 }, outcome: "applied" },
      { input: { type: "put", key: "b", value: 2 }, outcome: "unknown" },
      { input: { type: "put", key: "c", value: 3 }, outcome: "not-applied" },
    ]);
  });

  test("that were refused as a whole are not applied, each", async () => {
    const { keyspace, recorder } = setUp(refused(), refused());
    await expect(keyspace.getMany(["a", "b"])).rejects.toThrow();
    await expect(keyspace.putMany([["a", 1]])).rejects.toThrow();
    const outcomes = recorder.operations().map(({ outcome }) => outcome);
    expect(outcomes).toEqual(["not-applied", "not-applied", "not-applied"]);
  });

  test("a batch whose writes take effect together is one operation, done or not", async () => {
    const done = ["a", "b"].map((key) => ({ key, ok: true, result: written }));
    const { keyspace, recorder } = setUp(done, unknown(), refused());
    const writes = [{ put: "a", value: 1 }, { delete: "b" }];
    expect(await keyspace.batchKind()).toBe("all-or-nothing");
    await keyspace.batch(writes);
    await expect(keyspace.batch(writes)).rejects.toThrow();
    await expect(keyspace.batch(writes)).rejects.toThrow();
    const input = {
      type: "batch",
      writes: [
        { key: "a", value: 1 },
        { key: "b", value: undefined },
      ],
    };
    expect(recorder.operations()).toMatchObject([
      { input, outcome: "applied" },
      { input, outcome: "unknown" },
      { input, outcome: "not-applied" },
    ]);
  });

  test("a retry of such a batch under its id settles it, once", async () => {
    const done = [{ key: "a", ok: true, result: written }];
    const { keyspace, recorder } = setUp(unknown("id"), done, done);
    const batch = () => keyspace.batch([{ put: "a", value: 1 }], { operationId: "id" });
    await expect(batch()).rejects.toThrow();
    await batch();
    await batch();
    expect(recorder.operations()).toMatchObject([{ outcome: "applied" }, { outcome: "applied" }]);
  });

  test("a batch whose writes are on their own is one operation for each, as each one ended", async () => {
    const superseded = new CapstanError("SUPERSEDED", "newer", { outcome: "applied" });
    const { keyspace, recorder, seen } = setUpWith("per-key", [
      { key: "a", ok: true, result: written },
      { key: "b", ok: false, error: unknown("b1") },
      { key: "c", ok: false, error: refused() },
      { key: "d", ok: false, error: superseded },
    ]);
    const value = { list: [1] };
    const batch = keyspace.batch(
      [{ put: "a", value }, { delete: "b" }, { put: "c", value: 3 }, { put: "d", value: 4 }],
      { consistency: "quorum" },
    );
    value.list.push(2);
    expect((await batch).map(({ ok }) => ok)).toEqual([true, false, false, false]);
    expect(seen).toEqual([["batch", expect.arrayContaining([{ put: "a", value: { list: [1] } }])]]);
    expect(recorder.operations()).toMatchObject([
      {
        input: { type: "put", key: "a", value: { list: [1] } },
        outcome: "applied",
        level: "quorum",
        achieved: "one",
        output: { version: "v1" },
      },
      { input: { type: "delete", key: "b" }, outcome: "unknown", returnedAt: OPEN_ENDED },
      { input: { type: "put", key: "c", value: 3 }, outcome: "not-applied" },
      { input: { type: "put", key: "d", value: 4 }, outcome: "applied", achieved: "superseded" },
    ]);
  });

  test("a write of such a batch is settled by its id, alone or in another batch", async () => {
    const { keyspace, recorder } = setUpWith(
      "per-key",
      [
        { key: "a", ok: false, error: unknown("a1") },
        { key: "b", ok: false, error: unknown("b1") },
      ],
      [{ key: "a", ok: true, result: written }],
      written,
    );
    await keyspace.batch([{ put: "a", value: 1 }, { delete: "b" }]);
    await keyspace.batch([{ put: "a", value: 1, operationId: "a1" }]);
    await keyspace.delete("b", { operationId: "b1" });
    expect(recorder.operations()).toMatchObject([
      { input: { key: "a" }, outcome: "applied" },
      { input: { key: "b" }, outcome: "applied" },
    ]);
  });

  test("such a batch that was refused as a whole is not applied, each write of it", async () => {
    const { keyspace, recorder } = setUpWith("per-key", refused());
    await expect(keyspace.batch([{ put: "a", value: 1 }, { delete: "b" }])).rejects.toThrow();
    const outcomes = recorder.operations().map(({ outcome }) => outcome);
    expect(outcomes).toEqual(["not-applied", "not-applied"]);
  });
});

test("what a register cannot explain is refused before anything is sent", async () => {
  const { keyspace, recorder, seen } = setUp();
  const calls = [
    keyspace.put("k", 1, { ttlMs: 5 }),
    keyspace.putMany([["k", 1]], { ttlMs: 5 }),
    keyspace.batch([{ delete: "k" }], { ttlMs: 5 }),
    keyspace.update("k", {}),
    keyspace.modify("k", () => 1),
  ];
  for (const call of calls) {
    await expect(call).rejects.toMatchObject({ code: "NOT_SUPPORTED", outcome: "not-applied" });
  }
  await expect(calls[3]).rejects.toThrow(/a recorded keyspace takes no update: its outcome/);
  expect(seen).toEqual([]);
  expect(recorder.operations()).toEqual([]);
});

test("a value that no store takes is refused and not recorded", async () => {
  const { keyspace, recorder } = setUp();
  await expect(keyspace.put("k", Number.NaN)).rejects.toMatchObject({ code: "INVALID_VALUE" });
  expect(recorder.operations()).toEqual([]);
});

test("what is not recorded passes through", async () => {
  const { keyspace, recorder } = setUp(true, "id");
  expect(await keyspace.has("k")).toBe(true);
  expect(await keyspace.operationId()).toBe("id");
  expect(recorder.operations()).toEqual([]);
});

test("records a keyspace of capstan/client as it does an embedded one", () =>
  withFakeServer(async (store, url) => {
    const recorder = new HistoryRecorder<KeyValueInput, KeyValueOutput>();
    const client = connect({ url });
    const keyspace = recordKeyspace(client.keyspace("default"), recorder, { client: "c" });
    await keyspace.put("k", { at: new Date(0) }, { consistency: "quorum" });
    await keyspace.get("k");
    store.faults.push(new CapstanError("STORE_CLOSED", "closing"));
    await expect(keyspace.delete("k")).rejects.toMatchObject({ code: "STORE_CLOSED" });
    await client.close();
    const value = { at: new Date(0) };
    expect(recorder.operations()).toMatchObject([
      { input: { type: "put", value }, outcome: "applied", level: "quorum" },
      { input: { type: "get" }, output: { value }, outcome: "applied" },
      { input: { type: "delete" }, outcome: "not-applied" },
    ]);
  }));
