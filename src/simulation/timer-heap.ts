import type { TimerHandle } from "../core/contracts/environment.ts";

/** Whoever set a timer, where the callback is not simply called: asked for each that is due. */
export interface TimerOwner {
  fire(timer: VirtualTimer): void;
}

/**
 * A timer of the virtual world, and the handle that whoever set it is given. `order` breaks ties:
 * earlier set, earlier fired.
 */
export interface VirtualTimer extends TimerHandle {
  readonly dueMs: number;
  readonly order: number;
  readonly callback: () => void;
  readonly owner: TimerOwner | undefined;
  /** Fired or cancelled: it is passed over. */
  isOver: boolean;
  /** For the owner, who may clear a timer that has fired and is held up. */
  isCleared: boolean;
}

export function newTimer(
  dueMs: number,
  order: number,
  callback: () => void,
  owner?: TimerOwner,
): VirtualTimer {
  const timer = undefined;
  return { timer, dueMs, order, callback, owner, isOver: false, isCleared: false };
}

/** Cancelled timers stay in the heap until they outnumber the others by this. */
const SLACK = 64;

/** Timers by due time, then by the order in which they were set: a binary heap. */
export class TimerHeap {
  #heap: VirtualTimer[] = [];
  #live = 0;
  #order = 0;

  /** Neither fired nor cancelled. */
  get size(): number {
    return this.#live;
  }

  /** `Infinity` if there is none. */
  get nextMs(): number {
    this.#dropOver();
    return this.#heap[0]?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  add(dueMs: number, callback: () => void, owner?: TimerOwner): VirtualTimer {
    this.#order += 1;
    const timer = newTimer(dueMs, this.#order, callback, owner);
    this.#live += 1;
    this.#heap.push(timer);
    this.#rise(this.#heap.length - 1);
    return timer;
  }

  cancel(timer: VirtualTimer): void {
    if (timer.isOver) return;
    timer.isOver = true;
    this.#live -= 1;
    if (this.#heap.length > 2 * this.#live + SLACK) this.#rebuild();
  }

  /** Takes out the first timer if it is due by `endMs`. */
  takeDue(endMs: number): VirtualTimer | undefined {
    this.#dropOver();
    const first = this.#heap[0];
    if (first === undefined || first.dueMs > endMs) return undefined;
    first.isOver = true;
    this.#live -= 1;
    this.#removeFirst();
    return first;
  }

  #dropOver(): void {
    while (this.#heap[0]?.isOver === true) this.#removeFirst();
  }

  #removeFirst(): void {
    const last = this.#heap.pop() as VirtualTimer;
    if (this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #rebuild(): void {
    this.#heap = this.#heap.filter((timer) => !timer.isOver);
    for (let at = (this.#heap.length >> 1) - 1; at >= 0; at -= 1) this.#sink(at);
  }

  #rise(from: number): void {
    const heap = this.#heap;
    const timer = heap[from] as VirtualTimer;
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] as VirtualTimer;
      if (!isBefore(timer, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = timer;
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const timer = heap[from] as VirtualTimer;
    let at = from;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      const right = heap[below + 1];
      if (right !== undefined && isBefore(right, heap[below] as VirtualTimer)) below += 1;
      const child = heap[below] as VirtualTimer;
      if (!isBefore(child, timer)) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = timer;
  }
}

function isBefore(a: VirtualTimer, b: VirtualTimer): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}
