import type { PendingWrite } from "./pending-write.ts";

/**
 * Writes that may take longer than an acknowledgement stays good. They are sent again, and counted
 * anew, whenever a round is as old as that: a replica that comes back empty rebuilds once every
 * acknowledgement of its old self is out of use, `rebuildDelayMs` after its start.
 */
export class SlowWrites {
  readonly #rebuildDelayMs: number;
  readonly #writes = new Set<PendingWrite>();
  #dueAtMs = Number.POSITIVE_INFINITY;

  constructor(rebuildDelayMs: number) {
    this.#rebuildDelayMs = rebuildDelayMs;
  }

  /** Before it `takeDue` finds nothing. */
  get dueAtMs(): number {
    return this.#dueAtMs;
  }

  maybeAdd(pending: PendingWrite, deadlineMs: number, nowMs: number): void {
    if (deadlineMs - nowMs <= this.#rebuildDelayMs) return;
    this.#writes.add(pending);
    this.#dueBy(nowMs);
  }

  has(pending: PendingWrite): boolean {
    return this.#writes.has(pending);
  }

  end(pending: PendingWrite): void {
    if (this.#writes.size > 0) this.#writes.delete(pending);
  }

  /** It is held back no longer. */
  goOn(pending: PendingWrite): void {
    this.#dueBy(pending.roundAtMs);
  }

  /** Those that are to begin another round now. */
  takeDue(nowMs: number): readonly PendingWrite[] {
    if (nowMs < this.#dueAtMs) return [];
    const due: PendingWrite[] = [];
    this.#dueAtMs = Number.POSITIVE_INFINITY;
    for (const pending of this.#writes) {
      if (pending.paced) continue;
      const isDue = nowMs >= pending.roundAtMs + this.#rebuildDelayMs;
      if (isDue) due.push(pending);
      this.#dueBy(isDue ? nowMs : pending.roundAtMs);
    }
    return due;
  }

  #dueBy(roundAtMs: number): void {
    this.#dueAtMs = Math.min(this.#dueAtMs, roundAtMs + this.#rebuildDelayMs);
  }
}
