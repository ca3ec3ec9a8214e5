import { describe, expect, it } from "vitest";
import type { StoreEvent } from "../../../../src/core/store/api.ts";
import { StoreEvents } from "../../../../src/core/store/store-events.ts";
import { VirtualEnvironment } from "../../../support/virtual-environment.ts";

function setUp() {
  const environment = new VirtualEnvironment();
  return { events: new StoreEvents(environment), time: environment.time };
}

describe("store events", () => {
  it("reach subscribers after the turn, in order, with the time", () => {
    const { events, time } = setUp();
    const seen: StoreEvent[] = [];
    events.events$.subscribe((event) => seen.push(event));
    events.emit({ type: "one", detail: 1 });
    events.emit({ type: "two" });
    expect(seen).toEqual([]);
    time.runTurn();
    expect(seen).toMatchObject([
      { type: "one", detail: 1, atMs: expect.any(Number) },
      { type: "two" },
    ]);
  });

  it("drop the oldest for a slow reader, and say so", async () => {
    const { events, time } = setUp();
    const iterator = events.stream(undefined)[Symbol.asyncIterator]();
    for (let index = 0; index < 1_026; index++) events.emit({ type: "e", index });
    time.runTurn();
    expect((await iterator.next()).value).toMatchObject({ type: "gap", dropped: 2 });
    expect((await iterator.next()).value).toMatchObject({ type: "e", index: 2 });
  });

  it("are delivered before the end, and end every stream", async () => {
    const { events } = setUp();
    let completed = false;
    events.events$.subscribe({ complete: () => (completed = true) });
    const iterator = events.stream(undefined)[Symbol.asyncIterator]();
    events.emit({ type: "closed" });
    events.end();
    expect(completed).toBe(true);
    expect((await iterator.next()).value).toMatchObject({ type: "closed" });
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    expect((await events.stream(undefined)[Symbol.asyncIterator]().next()).done).toBe(true);
  });

  it("end for a reader whose signal aborts, and refuse options that there are not", async () => {
    const { events } = setUp();
    const controller = new AbortController();
    const iterator = events.stream({ signal: controller.signal })[Symbol.asyncIterator]();
    const waiting = iterator.next();
    controller.abort();
    expect(await waiting).toEqual({ done: true, value: undefined });
    const misspelt = events.stream({ singal: controller.signal } as never);
    await expect(misspelt[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });
});
