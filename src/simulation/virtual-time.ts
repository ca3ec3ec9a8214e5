import { TimerHeap, type TimerOwner, type VirtualTimer } from "./timer-heap.ts";

export type { TimerOwner, VirtualTimer } from "./timer-heap.ts";

/** A process, which runs what comes to it now, later or never. */
export interface CallbackOwner {
  input(callback: () => void): void;
}

/** A list of callbacks in two columns: an object, or a closure, for each of them would cost more. */
interface Callbacks {
  readonly run: (() => void)[];
  readonly owners: (CallbackOwner | undefined)[];
}

/** Deferred callbacks in one turn; beyond it something defers itself for ever. */
const MAX_DEFERRED_PER_TURN = 100_000;
const MAX_TURNS = 1_000;

/**
 * The world's time: one per simulation, shared by the environments of all its nodes, so that their
 * timers fire in one order. Nothing happens but inside `advance`, `step`, `runTurn` and `runUntil`.
 */
export class VirtualTime {
  #nowMs = 0;
  readonly #timers = new TimerHeap();
  #deferred: Callbacks = { run: [], owners: [] };
  #soon: Callbacks = { run: [], owners: [] };
  #events = 0;

  /** Milliseconds since the beginning of the world. */
  get nowMs(): number {
    return this.#nowMs;
  }

  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Timers that have fired. */
  get events(): number {
    return this.#events;
  }

  /** When the next timer is due; `Infinity` if there is none. */
  get nextMs(): number {
    return this.#timers.nextMs;
  }

  /** Whether something is to run before any time passes. */
  get isBusy(): boolean {
    return this.#deferred.run.length > 0 || this.#soon.run.length > 0;
  }

  /** With an owner, that is asked to fire the timer; otherwise the callback is called. */
  setTimer(delayMs: number, callback: () => void, owner?: TimerOwner): VirtualTimer {
    return this.#timers.add(this.#nowMs + Math.max(0, delayMs), callback, owner);
  }

  clearTimer(timer: VirtualTimer): void {
    this.#timers.cancel(timer);
  }

  defer(callback: () => void, owner?: CallbackOwner): void {
    this.#deferred.run.push(callback);
    this.#deferred.owners.push(owner);
  }

  soon(callback: () => void, owner?: CallbackOwner): void {
    this.#soon.run.push(callback);
    this.#soon.owners.push(owner);
  }

  /** Runs what was deferred, then one round of `soon`, then what that deferred. No time passes. */
  runTurn(): void {
    this.#runDeferred();
    const round = this.#soon;
    if (round.run.length === 0) return;
    this.#soon = { run: [], owners: [] };
    for (let at = 0; at < round.run.length; at += 1) {
      runOf(round, at);
      this.#runDeferred();
    }
  }

  /**
   * Fires the next timer, if it is due by `endMs`, and settles what follows. False if there is none:
   * then it is `endMs`.
   */
  step(endMs: number): boolean {
    const next = this.#timers.takeDue(endMs);
    if (next === undefined) {
      this.#nowMs = Math.max(this.#nowMs, endMs);
      return false;
    }
    this.#nowMs = Math.max(this.#nowMs, next.dueMs);
    this.#events += 1;
    if (next.owner === undefined) next.callback();
    else next.owner.fire(next);
    this.settle();
    return true;
  }

  /** Fires every timer that is due within `durationMs`, in order, each with its own turns. */
  advance(durationMs: number): void {
    const endMs = this.#nowMs + durationMs;
    this.settle();
    while (this.step(endMs)) {
      // Each step does its own work.
    }
  }

  /** Advances in steps until `condition` holds; false if it does not within `limitMs`. */
  runUntil(condition: () => boolean, limitMs: number, stepMs = 10): boolean {
    const endMs = this.#nowMs + limitMs;
    this.settle();
    while (!condition()) {
      if (this.#nowMs >= endMs) return false;
      this.advance(Math.min(stepMs, endMs - this.#nowMs));
    }
    return true;
  }

  /** Passes time while nothing runs, as in a process that is stopped: due timers fire late. */
  stall(durationMs: number): void {
    this.#nowMs += durationMs;
  }

  /** Turns until nothing is deferred. `soon` that calls itself again for ever is cut off. */
  settle(): void {
    for (let turn = 0; turn < MAX_TURNS; turn += 1) {
      if (!this.isBusy) return;
      this.runTurn();
    }
    throw new Error(`${MAX_TURNS} turns without an end: something calls soon() for ever`);
  }

  #runDeferred(): void {
    const deferred = this.#deferred;
    if (deferred.run.length === 0) return;
    for (let at = 0; at < deferred.run.length; at += 1) {
      if (at > MAX_DEFERRED_PER_TURN) throw new Error("something calls defer() for ever");
      runOf(deferred, at);
    }
    deferred.run.length = 0;
    deferred.owners.length = 0;
  }
}

function runOf({ run, owners }: Callbacks, at: number): void {
  const callback = run[at] as () => void;
  const owner = owners[at];
  if (owner === undefined) callback();
  else owner.input(callback);
}
