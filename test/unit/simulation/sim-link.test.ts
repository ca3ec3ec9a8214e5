import { describe, expect, test } from "vitest";
import { SimLink } from "../../../src/simulation/sim-link.ts";

describe("SimLink", () => {
  test("an empty lane takes any frame, and a full one is remembered until half of it is free", () => {
    const link = new SimLink("a", "b", 100);
    expect(link.mayTake("log", 1_000)).toBe(true);
    link.took("log", 60);
    link.took("log", 40);
    expect(link.mayTake("log", 1)).toBe(false);
    expect(link.mayTake("bulk", 100)).toBe(true);
    expect(link.landed("log", 40, link.connection)).toBe(false);
    expect(link.landed("log", 60, link.connection)).toBe(true);
    expect(link.heldBytes).toBe(0);
  });

  test("nobody is told of room who was not refused", () => {
    const link = new SimLink("a", "b", 100);
    link.took("log", 60);
    expect(link.landed("log", 60, link.connection)).toBe(false);
  });

  test("what an earlier connection carried is nothing to the next", () => {
    const link = new SimLink("a", "b", 100);
    const { connection } = link;
    link.took("log", 60);
    link.hold({ deliver: () => undefined });
    link.reset();
    expect([link.heldBytes, link.release()]).toEqual([0, []]);
    link.took("log", 30);
    expect(link.landed("log", 60, connection)).toBe(false);
    expect(link.heldBytes).toBe(30);
  });

  test("held frames go on in their order", () => {
    const link = new SimLink("a", "b", 100);
    const gone: number[] = [];
    for (const number of [1, 2, 3]) link.hold({ deliver: () => gone.push(number) });
    for (const { deliver } of link.release()) deliver();
    expect(gone).toEqual([1, 2, 3]);
  });

  test("frames of a lane leave one after the other, and come no earlier than those before", () => {
    const link = new SimLink("a", "b", 100);
    expect(link.leavesAt("log", 10, 5)).toBe(15);
    expect(link.leavesAt("log", 11, 5)).toBe(20);
    expect(link.leavesAt("bulk", 11, 5)).toBe(16);
    expect(link.leavesAt("log", 50, 5)).toBe(55);
    expect(link.inOrder("log", 70)).toBe(70);
    expect(link.inOrder("log", 60)).toBe(70);
    expect(link.inOrder("control", 60)).toBe(60);
  });
});
