import { describe, expect, test } from "vitest";
import { SeededRandom } from "../../../src/simulation/seeded-random.ts";
import { TimerHeap, type VirtualTimer } from "../../../src/simulation/timer-heap.ts";

describe("TimerHeap", () => {
  test("fires in the order of due times, ties in the order of setting, like a sorted list", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = new SeededRandom(seed);
      const heap = new TimerHeap();
      let list: VirtualTimer[] = [];
      for (let step = 0; step < 500; step++) {
        const choice = random.fraction();
        if (choice < 0.5) list.push(heap.add(random.uint32() % 50, () => undefined));
        else if (choice < 0.7 && list.length > 0) {
          const cancelled = list[random.uint32() % list.length] as VirtualTimer;
          heap.cancel(cancelled);
          list = list.filter((timer) => timer !== cancelled);
        } else {
          const endMs = random.uint32() % 50;
          const sorted = [...list].sort((a, b) => a.dueMs - b.dueMs || a.order - b.order);
          const expected = sorted.find(({ dueMs }) => dueMs <= endMs);
          expect(heap.takeDue(endMs)).toBe(expected);
          list = list.filter((timer) => timer !== expected);
        }
        expect(heap.size).toBe(list.length);
        expect(heap.nextMs).toBe(Math.min(...list.map(({ dueMs }) => dueMs)));
      }
    }
  });

  test("a timer that was cancelled twice, or has fired, counts once", () => {
    const heap = new TimerHeap();
    const timer = heap.add(1, () => undefined);
    heap.add(2, () => undefined);
    heap.cancel(timer);
    heap.cancel(timer);
    expect(heap.size).toBe(1);
    const fired = heap.takeDue(5) as VirtualTimer;
    heap.cancel(fired);
    expect(heap.size).toBe(0);
  });
});
