import { describe, expect, test } from "vitest";
import type { Operation } from "../../../../src/core/model/operations.ts";
import { PendingRequest, RequestTable } from "../../../../src/core/store/request-table.ts";
import { VirtualEnvironment } from "../../../support/virtual-environment.ts";

function open() {
  const environment = new VirtualEnvironment();
  const expired: string[] = [];
  const table = new RequestTable(environment, (pending) => {
    expired.push(`${pending.id - first}@${environment.monotonicMs()}`);
    table.finish(pending);
  });
  const first = table.nextId();
  const add = (deadlineMs: number): PendingRequest => {
    const done = { succeed: () => undefined, fail: () => undefined };
    const operation = {} as Operation;
    const pending = new PendingRequest(
      table.nextId(),
      operation,
      environment.monotonicMs(),
      deadlineMs,
      done,
      () => undefined,
    );
    table.add(pending);
    return pending;
  };
  return { environment, table, expired, add };
}

describe("deadlines", () => {
  test("expire at or shortly after their time, never before, the earliest first", () => {
    const { environment, expired, add } = open();
    add(50);
    add(12);
    add(48.5);
    environment.advance(11);
    expect(expired).toEqual([]);
    environment.advance(100);
    expect(expired).toEqual(["2@15", "1@50", "3@50"]);
  });

  test("an answered request expires no more, and is answered once", () => {
    const { environment, table, expired, add } = open();
    const pending = add(10);
    expect(table.size).toBe(1);
    expect(table.finish(pending)).toBe(true);
    expect(table.finish(pending)).toBe(false);
    expect(pending.answered).toBe(true);
    expect(table.size).toBe(0);
    environment.advance(100);
    expect(expired).toEqual([]);
  });

  test("a deadline can be moved, either way", () => {
    const { environment, table, expired, add } = open();
    const later = add(10);
    const earlier = add(100);
    table.setDeadline(later, 200);
    table.setDeadline(earlier, 20);
    environment.advance(150);
    expect(expired).toEqual(["2@20"]);
    environment.advance(100);
    expect(expired.at(-1)).toBe("1@200");
  });

  test("one that has passed already expires in a later turn", () => {
    const { environment, expired, add } = open();
    environment.advance(100);
    add(40);
    expect(expired).toEqual([]);
    environment.advance(0);
    expect(expired).toEqual(["1@100"]);
  });

  test("what is answered leaves one timer at most, which finds nothing and sets no other", () => {
    const { environment, table, expired, add } = open();
    for (let n = 0; n < 100; n++) table.finish(add(1_000 + 50 * n));
    environment.advance(1_000);
    expect(environment.time.events).toBe(1);
    expect(environment.time.pendingTimers).toBe(0);
    expect(expired).toEqual([]);
  });

  test("what is open expires in its time, whatever was answered before and behind it", () => {
    const { environment, table, expired, add } = open();
    for (let n = 0; n < 20; n++) {
      const pending = add(100 + 50 * n);
      if (n % 7 !== 3) table.finish(pending);
    }
    environment.advance(2_000);
    expect(expired).toEqual(["4@250", "11@600", "18@950"]);
    // Of what was answered only the very first had a timer.
    expect(environment.time.events).toBe(4);
  });

  test("a thousand of them need one timer, and a closed table none", () => {
    const { environment, table, expired, add } = open();
    for (let n = 0; n < 1_000; n++) add(20 + (n % 300));
    expect(environment.time.pendingTimers).toBe(1);
    table.close();
    expect(environment.time.pendingTimers).toBe(0);
    environment.advance(1_000);
    expect(expired).toEqual([]);
    expect(table.all()).toHaveLength(1_000);
  });
});

describe("deadlines that pass while the event loop is held", () => {
  /** Issued with 10 ms at 0, and looked at first `heldMs` later. */
  function held(heldMs: number) {
    const opened = open();
    const pending = opened.add(10);
    opened.environment.time.stall(heldMs);
    opened.environment.advance(0);
    return { ...opened, pending };
  }

  test("spare the call, so that an answer that comes soon after is the answer", () => {
    const { environment, table, expired, pending } = held(1_000);
    expect(expired).toEqual([]);
    environment.advance(200);
    expect(table.finish(pending)).toBe(true);
    environment.advance(5_000);
    expect(expired).toEqual([]);
    expect(environment.time.pendingTimers).toBe(0);
  });

  test.each([
    [19, 0],
    [20, 100],
    [110, 100],
    [260, 250],
    [1_000, 500],
    [60_000, 500],
  ])("held for %d ms, the call ends %d ms after the loop goes on", (heldMs, graceMs) => {
    const { environment, expired } = held(heldMs);
    environment.advance(5_000);
    const endMs = Math.ceil((heldMs + graceMs) / 5) * 5;
    expect(expired).toEqual([graceMs === 0 ? `1@${heldMs}` : `1@${endMs}`]);
  });

  test("are spared once, and what waits to be read is read before the end", () => {
    const { environment, expired } = held(1_000);
    environment.time.stall(1_000);
    const order: string[] = [];
    environment.soon(() => order.push(`input, ${expired.length} expired`));
    environment.advance(0);
    expect(order).toEqual(["input, 0 expired"]);
    expect(expired).toEqual(["1@2000"]);
  });

  test("do not hold up those that pass later, nor the grace those that come after", () => {
    const { environment, expired, add } = open();
    add(10);
    add(1_100);
    environment.time.stall(1_000);
    environment.advance(0);
    add(1_030);
    environment.advance(5_000);
    expect(expired).toEqual(["3@1030", "2@1100", "1@1500"]);
  });

  test("spare the calls of the turn that holds it, though their timer has fired before", () => {
    const { environment, expired, add } = open();
    add(10);
    const soon = environment.soon.bind(environment);
    environment.soon = (callback) => {
      environment.soon = soon;
      // The timer has fired in its time; a caller holds the loop before the table looks.
      environment.defer(() => {
        add(20);
        environment.time.stall(500);
      });
      soon(callback);
    };
    environment.advance(10);
    expect(environment.monotonicMs()).toBe(510);
    expect(expired).toEqual([]);
    environment.advance(5_000);
    expect(expired).toEqual(["2@1000", "1@1010"]);
  });

  test("a deadline that is moved in the grace is a new one", () => {
    const { environment, table, expired, pending } = held(1_000);
    table.setDeadline(pending, 3_000);
    environment.advance(1_000);
    expect(expired).toEqual([]);
    environment.time.stall(2_000);
    environment.advance(0);
    expect(expired).toEqual([]);
    environment.advance(5_000);
    expect(expired).toEqual(["1@4500"]);
  });

  test("a deadline that is moved into the past is not one that was held", () => {
    const { environment, table, expired, add } = open();
    const pending = add(5_000);
    environment.advance(1_000);
    table.setDeadline(pending, 10);
    environment.advance(0);
    expect(expired).toEqual(["1@1000"]);
  });
});
