import { describe, expect, test } from "vitest";
import { type EventBody, EventInbox } from "../../../../src/core/store/event-inbox.ts";
import type { MachineCell } from "../../../../src/core/store/machine-cell.ts";

const event = (timer: string): EventBody => ({ type: "timer", timer });
const cell = (name: string): MachineCell => ({ name }) as unknown as MachineCell;

describe("EventInbox", () => {
  test("hands events on in order, also those that come while one is handled", () => {
    const inbox = new EventInbox();
    const handled: string[] = [];
    inbox.push(cell("a"), event("1"));
    inbox.push(cell("b"), event("2"));
    while (!inbox.isEmpty) {
      inbox.next((to, body) => {
        const { name } = to as unknown as { name: string };
        const { timer } = body as { timer: string };
        handled.push(`${name}${timer}`);
        if (timer === "2") inbox.push(cell("c"), event("3"));
      });
    }
    expect(handled).toEqual(["a1", "b2", "c3"]);
  });

  test("is empty once cleared, and usable again after many events", () => {
    const inbox = new EventInbox();
    for (let i = 0; i < 3_000; i++) inbox.push(cell("a"), event(String(i)));
    inbox.clear();
    expect(inbox.isEmpty).toBe(true);
    inbox.push(cell("a"), event("again"));
    let seen: EventBody | undefined;
    inbox.next((_cell, body) => {
      seen = body;
    });
    expect(seen).toMatchObject({ timer: "again" });
    expect(inbox.isEmpty).toBe(true);
  });
});
