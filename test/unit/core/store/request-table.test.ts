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

  test("after a stall, what waits to be read is read before anything expires", () => {
    const { environment, expired, add } = open();
    add(10);
    environment.time.stall(1_000);
    const order: string[] = [];
    environment.soon(() => order.push(`input, ${expired.length} expired`));
    environment.advance(0);
    expect(order).toEqual(["input, 0 expired"]);
    expect(expired).toHaveLength(1);
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
