import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { CapstanError } from "../../../../src/core/model/errors.ts";
import { encodeKey } from "../../../../src/core/model/keys.ts";
import { encodeValue } from "../../../../src/core/model/values.ts";
import type { WatchEvent } from "../../../../src/core/store/api.ts";
import { NOTHING_MORE, openBench } from "./fake-engine.ts";

const changeOf = (index: number) => ({
  key: encodeKey(`k${index}`),
  value: encodeValue(index),
  version: `v${index}`,
  cursor: `c${index}`,
});

describe("watch", () => {
  it("gives decoded events to a reader that waits, and to one that comes later", async () => {
    const { keyspace, engine } = openBench();
    const iterator = keyspace.watch()[Symbol.asyncIterator]();
    const waiting = iterator.next();
    engine.change(changeOf(1));
    engine.change(changeOf(2));
    const event = { type: "put", key: "k1", value: 1, version: "v1", cursor: "c1" };
    expect(await waiting).toEqual({ done: false, value: event });
    expect((await iterator.next()).value).toMatchObject({ key: "k2", value: 2 });
  });

  it("says what is missing for a slow reader, and where to go on", async () => {
    const { keyspace, engine } = openBench();
    const iterator = keyspace.watch()[Symbol.asyncIterator]();
    for (let index = 0; index < 1_030; index++) engine.change(changeOf(index));
    expect((await iterator.next()).value).toMatchObject({
      type: "gap",
      cursor: "c5",
      reason: expect.stringContaining("6 events"),
    });
    expect((await iterator.next()).value).toMatchObject({ key: "k6" });
  });

  it("keeps what was there to be resumed until a reader has taken it", async () => {
    const { keyspace, engine } = openBench();
    const iterator = keyspace.watch({ cursor: "c0" })[Symbol.asyncIterator]();
    const synced = { type: "synced", key: undefined, value: undefined } as const;
    for (let index = 1; index <= 3_000; index++) engine.change(changeOf(index));
    engine.change({ ...synced, cursor: "c3000" });
    for (let index = 3_001; index <= 3_010; index++) engine.change(changeOf(index));
    for (let index = 1; index <= 3_000; index++) {
      expect((await iterator.next()).value).toMatchObject({ type: "put", key: `k${index}` });
    }
    expect((await iterator.next()).value).toMatchObject({ type: "synced" });
    // From now on it is a reader like any other.
    for (let index = 3_011; index <= 4_040; index++) engine.change(changeOf(index));
    const reason = expect.stringContaining("16 events");
    expect((await iterator.next()).value).toMatchObject({ type: "gap", cursor: "c3016", reason });
  });

  it("bounds what is resumed, too", async () => {
    const { keyspace, engine } = openBench();
    const iterator = keyspace.watch({ cursor: "c0" })[Symbol.asyncIterator]();
    for (let index = 1; index <= 16_400; index++) engine.change(changeOf(index));
    expect((await iterator.next()).value).toMatchObject({ type: "gap", cursor: "c16" });
  });

  it("counts the bytes of what waits, too", async () => {
    const { keyspace, engine } = openBench();
    const iterator = keyspace.watch()[Symbol.asyncIterator]();
    const value = encodeValue("x".repeat(6 * 1024 * 1024));
    for (let index = 1; index <= 4; index++) engine.change({ ...changeOf(index), value });
    const reason = expect.stringContaining("2 events");
    expect((await iterator.next()).value).toMatchObject({ type: "gap", cursor: "c2", reason });
    expect((await iterator.next()).value).toMatchObject({ key: "k3" });
    expect((await iterator.next()).value).toMatchObject({ key: "k4" });
  });

  it("lets go of the engine when the reader goes, or aborts", async () => {
    const { keyspace, engine } = openBench();
    const iterator = keyspace.watch()[Symbol.asyncIterator]();
    expect(engine.sinks.size).toBe(1);
    await iterator.return?.();
    expect(engine.sinks.size).toBe(0);
    expect(await iterator.next()).toEqual({ done: true, value: undefined });

    const controller = new AbortController();
    const other = keyspace.watch({ signal: controller.signal })[Symbol.asyncIterator]();
    const waiting = other.next();
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: "ABORTED" });
    expect(engine.sinks.size).toBe(0);
  });

  it("turns an event that does not decode into a gap", async () => {
    const { keyspace, engine } = openBench();
    const iterator = keyspace.watch()[Symbol.asyncIterator]();
    engine.change({ ...changeOf(1), value: new Uint8Array([255]) });
    expect((await iterator.next()).value).toMatchObject({ type: "gap", cursor: "c1" });
  });

  it("is refused where the strategy has none", async () => {
    const { keyspace, engine } = openBench(NOTHING_MORE);
    const refusal = { code: "NOT_SUPPORTED" };
    await expect(keyspace.watch()[Symbol.asyncIterator]().next()).rejects.toMatchObject(refusal);
    const errors: unknown[] = [];
    keyspace.changes$.subscribe({ error: (error) => errors.push(error) });
    expect(errors).toMatchObject([refusal]);
    expect(engine.sinks.size).toBe(0);
  });

  it("gives the siblings of a conflict", async () => {
    const { keyspace, engine } = openBench();
    const iterator = keyspace.watch()[Symbol.asyncIterator]();
    const siblings = [encodeValue(1), encodeValue("two")];
    engine.change({ ...changeOf(1), type: "conflict", value: undefined, siblings });
    expect((await iterator.next()).value).toMatchObject({ type: "conflict", siblings: [1, "two"] });
  });

  it("ends when the store is closed, and rejects when it has failed", async () => {
    const { keyspace, engine } = openBench();
    const closed = keyspace.watch()[Symbol.asyncIterator]();
    engine.change(changeOf(1));
    engine.endWatches();
    expect((await closed.next()).value).toMatchObject({ key: "k1" });
    expect(await closed.next()).toEqual({ done: true, value: undefined });

    const failed = keyspace.watch()[Symbol.asyncIterator]().next();
    engine.endWatches(new CapstanError("STORE_FAILED", "the disk is gone"));
    await expect(failed).rejects.toMatchObject({ code: "STORE_FAILED" });
    expect(engine.sinks.size).toBe(0);
  });

  it("ends its Observable in order when the store is closed", () => {
    const { keyspace, engine } = openBench();
    const ends: unknown[] = [];
    keyspace.changes$.subscribe({
      complete: () => ends.push("closed"),
      error: (error) => ends.push(error),
    });
    engine.endWatches();
    expect(ends).toEqual(["closed"]);
  });

  it("gives up at its timeout while it is not in step, and never after", async () => {
    const { keyspace, engine, time } = openBench();
    const late = keyspace.watch({ timeoutMs: 50 })[Symbol.asyncIterator]().next();
    time.advance(50);
    await expect(late).rejects.toMatchObject({ code: "UNAVAILABLE", retry: "safe" });

    const iterator = keyspace.watch({ timeoutMs: 50 })[Symbol.asyncIterator]();
    engine.change({ ...changeOf(1), type: "synced", key: undefined, value: undefined });
    time.advance(100);
    engine.change(changeOf(2));
    expect((await iterator.next()).value).toMatchObject({ type: "synced" });
    expect((await iterator.next()).value).toMatchObject({ key: "k2" });
  });

  it("comes in step where the event loop was held beyond its timeout", async () => {
    const { keyspace, engine, time } = openBench();
    const iterator = keyspace.watch({ timeoutMs: 50 })[Symbol.asyncIterator]();
    time.stall(1_000);
    time.runTurn();
    engine.change({ ...changeOf(1), type: "synced", key: undefined, value: undefined });
    time.advance(1_000);
    expect((await iterator.next()).value).toMatchObject({ type: "synced" });
    expect(time.pendingTimers).toBe(0);
  });

  it("ends in order where its engine ends it before it is given back", async () => {
    const { keyspace, engine, time } = openBench();
    let cancelled = 0;
    engine.watch = (_request, _sink, end) => {
      end(new CapstanError("OVERLOADED", "too many"));
      return { cancel: () => cancelled++ };
    };
    const { signal } = new AbortController();
    const iterator = keyspace.watch({ timeoutMs: 50, signal })[Symbol.asyncIterator]();
    await expect(iterator.next()).rejects.toMatchObject({ code: "OVERLOADED" });
    expect([cancelled, time.pendingTimers, getEventListeners(signal, "abort").length]).toEqual([
      1, 0, 0,
    ]);
  });

  it("hands prefix and cursor to the engine", () => {
    const { keyspace, engine } = openBench();
    keyspace.watch({ prefix: "a/", cursor: "c" })[Symbol.asyncIterator]();
    expect(engine.watches).toEqual([{ prefix: encodeKey("a/"), cursor: "c" }]);
  });

  it("is an Observable too, with a watch per subscriber", () => {
    const { keyspace, engine } = openBench();
    const seen: WatchEvent<unknown>[] = [];
    const subscription = keyspace.changes$.subscribe((event) => seen.push(event));
    engine.change(changeOf(1));
    expect(seen).toMatchObject([{ key: "k1", value: 1 }]);
    subscription.unsubscribe();
    expect(engine.sinks.size).toBe(0);
  });
});
