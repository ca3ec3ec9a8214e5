import type { Request } from "../../../core/contracts/machine.ts";
import { IdTable } from "../../../core/model/id-table.ts";
import type { QuorumRead } from "./quorum-read.ts";

/**
 * Reads under way. Answers find theirs by its round, for as long as they are of use: until all have
 * come, or its time is over. Its client's deadline finds it by its request, until it is answered.
 */
export class PendingReads<Read extends QuorumRead> {
  readonly #byRound = new IdTable<Read>();
  /** By the request's id. */
  readonly #unanswered = new IdTable<Read>();
  #sweepAtMs = Number.POSITIVE_INFINITY;

  get size(): number {
    return this.#byRound.size;
  }

  /** See `Swept`. */
  get sweepAtMs(): number {
    return this.#sweepAtMs;
  }

  add(read: Read): void {
    this.#byRound.set(read.roundId, read);
    this.#unanswered.set(read.request.id, read);
    this.#sweepAt(read.widenAtMs);
  }

  ofRound(roundId: number): Read | undefined {
    return this.#byRound.get(roundId);
  }

  /** Undefined once it is answered. */
  ofRequest({ id }: Request): Read | undefined {
    return this.#unanswered.get(id);
  }

  /** As they are now: the caller may begin and forget reads while it looks at them. */
  all(): readonly Read[] {
    return this.#byRound.values();
  }

  /** Its client has its answer; `isOver`: nor are late answers awaited. */
  answered(read: Read, isOver: boolean): void {
    read.answered = true;
    if (isOver) this.forget(read);
    else {
      this.#unanswered.delete(read.request.id);
      this.#sweepAt(read.endAtMs);
    }
  }

  forget({ roundId, request }: Read): void {
    this.#byRound.delete(roundId);
    this.#unanswered.delete(request.id);
  }

  /**
   * Forgets those whose late answers are overdue, and has those that wait ask further replicas.
   *
   * @param widen false: there are some that it could not ask yet, and that may be reached before it ends.
   */
  sweep(nowMs: number, widen: (read: Read) => boolean): void {
    this.#sweepAtMs = Number.POSITIVE_INFINITY;
    for (const read of this.all()) {
      if (read.answered) {
        if (nowMs >= read.endAtMs) this.forget(read);
        else this.#sweepAt(read.endAtMs);
      } else if (nowMs < read.widenAtMs) this.#sweepAt(read.widenAtMs);
      else if (!widen(read)) this.#sweepAt(nowMs);
    }
  }

  #sweepAt(dueMs: number): void {
    if (dueMs < this.#sweepAtMs) this.#sweepAtMs = dueMs;
  }
}
