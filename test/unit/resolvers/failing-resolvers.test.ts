import { afterEach, describe, expect, test } from "vitest";
import type { DynamicName, StoreEvent, TypedStore, WatchEvent } from "../../../src/index.ts";
import { isCapstanError, openStore } from "../../../src/index.ts";
import { defineResolver, merge } from "../../../src/resolvers/index.ts";

/** More than a machine is made anew before its node stops. */
const OFTEN = 10;

const SUMS = {
  name: "sums",
  initial: () => 0,
  mutate: (state: number, { by }: { by: number }) => state + by,
  join: Math.max,
  value: (state: number): unknown => state,
  checkOperation: (operation: unknown) => operation as { by: number },
};

function boom(): never {
  throw new TypeError("boom");
}

let store: TypedStore<Record<string, object>> | undefined;
const events: StoreEvent[] = [];

async function openWith(resolver: unknown) {
  const keyspaces = { things: { strategy: "dynamo", replicas: 1, shards: 1, resolver } };
  const opened = (await openStore({ keyspaces } as object)) as NonNullable<typeof store>;
  opened.events$.subscribe((event) => events.push(event));
  store = opened;
  return opened.keyspace("things" as DynamicName);
}

afterEach(async () => {
  await store?.close();
  store = undefined;
  events.length = 0;
});

async function faultOf(call: Promise<unknown>): Promise<string> {
  const fault = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  return isCapstanError(fault) ? `${fault.code}, ${fault.outcome}: ${fault.message}` : "none";
}

const ofType = (type: string) => events.filter((event) => event.type === type);

describe("a resolver of one's own", () => {
  test("whose checkOperation throws refuses operations, and the node goes on", async () => {
    const things = await openWith(defineResolver({ ...SUMS, checkOperation: boom }));
    for (let call = 0; call < OFTEN; call++) {
      expect(await faultOf(things.update("k", { by: 1 }))).toBe(
        "INVALID_ARGUMENT, not-applied: the resolver sums takes no such operation: boom",
      );
    }
    expect(await things.get("k")).toMatchObject({ found: false });
    expect(ofType("machine-failed")).toEqual([]);
  });

  test.each([
    ["throws", boom, "boom"],
    ["answers what cannot be stored", () => () => 1, "the value at $ is a function"],
  ])("whose value %s refuses reads of that key alone", async (_how, value, reason) => {
    const isFull = (state: number) => (state > 1 ? value() : state);
    const things = await openWith(defineResolver({ ...SUMS, value: isFull }));
    await things.update("whole", { by: 1 });
    await things.update("broken", { by: 2 });
    for (let call = 0; call < OFTEN; call++) {
      expect(await faultOf(things.get("broken"))).toContain(
        `RESOLVER_FAILED, not-applied: the resolver sums failed on what is stored under the key "broken": ${reason}`,
      );
    }
    expect(things.getNow("broken")).toBeUndefined();
    const scan = async () => {
      for await (const _entry of things.scan());
    };
    expect(await faultOf(scan())).toContain("RESOLVER_FAILED");
    expect(await things.get("whole")).toMatchObject({ value: 1 });
    await expect
      .poll(() => ofType("resolver-failed"))
      .toMatchObject([{ keyspace: "things", resolver: "sums", key: '"broken"', failures: 1 }]);
    expect(ofType("machine-failed")).toEqual([]);
  });

  test("whose value throws leaves a gap in watches, and writes go on", async () => {
    const things = await openWith(
      defineResolver({ ...SUMS, value: (state: number) => (state > 1 ? boom() : state) }),
    );
    const told: WatchEvent<unknown>[] = [];
    const watching = new AbortController();
    const watch = (async () => {
      for await (const event of things.watch({ signal: watching.signal })) told.push(event);
    })().catch(() => undefined);
    await expect.poll(() => told.map(({ type }) => type)).toEqual(["synced"]);
    await things.update("k", { by: 1 });
    await expect.poll(() => told[1]).toMatchObject({ type: "put", key: "k", value: 1 });
    for (let call = 0; call < OFTEN; call++) await things.update("k", { by: 1 });
    const gap = { type: "gap", reason: expect.stringContaining("boom") };
    await expect.poll(() => told[2]).toMatchObject(gap);
    expect(ofType("machine-failed")).toEqual([]);
    watching.abort();
    await watch;
  });

  test("whose delta cannot be sent refuses the operation", async () => {
    const things = await openWith(defineResolver({ ...SUMS, delta: () => boom as never }));
    for (let call = 0; call < OFTEN; call++) {
      expect(await faultOf(things.update("k", { by: 1 }))).toContain("INVALID_ARGUMENT");
    }
    expect(ofType("machine-failed")).toEqual([]);
  });

  test("that merges, and throws, leaves siblings, and says so", async () => {
    const things = await openWith(merge(boom));
    await things.put("k", "a");
    await things.put("k", "b");
    for (let call = 0; call < OFTEN; call++) {
      expect(await things.get("k")).toMatchObject({ conflict: true, siblings: ["a", "b"] });
    }
    await things.put("other", "c");
    await expect
      .poll(() => ofType("resolver-failed"))
      .toMatchObject([{ resolver: "merge", key: '"k"', message: "boom", failures: 1 }]);
  });

  test("that picks at the replica what nobody wrote, and cannot be stored, leaves all", async () => {
    const resolve = () => ({ type: "value" as const, value: boom });
    const things = await openWith(defineResolver({ name: "odd", joinsAt: "replica", resolve }));
    for (const value of ["a", "b"]) await things.put("k", value);
    expect(await things.get("k")).toMatchObject({ conflict: true, siblings: ["a", "b"] });
    expect(ofType("machine-failed")).toEqual([]);
  });
});
