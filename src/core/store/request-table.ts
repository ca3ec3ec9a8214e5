import type { Environment } from "../contracts/environment.ts";
import type { Request, ScanTask } from "../contracts/machine.ts";
import type { Cancellation, Completion, ScanCompletion } from "../contracts/strategy.ts";
import { graceMs } from "../model/held-loop.ts";
import { IdTable } from "../model/id-table.ts";
import type { Operation, ScanRequest } from "../model/operations.ts";

/** Deadlines are kept to this grain, so that one timer serves thousands of operations. */
const GRAIN_MS = 5;

const MAX_REQUEST_ID = 0xffff_fffe;

interface PendingBase extends Cancellation {
  readonly id: number;
  readonly startedAtMs: number;
  answered: boolean;
  deadlineAtMs: number;
  /** Its deadline has passed, and it is given a moment more. */
  isSpared: boolean;
}

/** One client operation under way: the machine's `Request` and the caller's `Cancellation`. */
export class PendingRequest implements Request, PendingBase {
  memo: unknown = undefined;
  answered = false;
  isSpared = false;
  readonly id: number;
  readonly operation: Operation;
  readonly startedAtMs: number;
  readonly done: Completion;
  deadlineAtMs: number;
  readonly #cancelled: (pending: PendingRequest) => void;

  constructor(
    id: number,
    operation: Operation,
    startedAtMs: number,
    deadlineAtMs: number,
    done: Completion,
    cancelled: (pending: PendingRequest) => void,
  ) {
    this.id = id;
    this.operation = operation;
    this.startedAtMs = startedAtMs;
    this.deadlineAtMs = deadlineAtMs;
    this.done = done;
    this.#cancelled = cancelled;
  }

  cancel(): void {
    if (!this.answered) this.#cancelled(this);
  }
}

/** One page of a scan under way, likewise. */
export class PendingScan implements ScanTask, PendingBase {
  answered = false;
  isSpared = false;
  readonly id: number;
  readonly request: ScanRequest;
  readonly startedAtMs: number;
  readonly done: ScanCompletion;
  deadlineAtMs: number;
  readonly #cancelled: (pending: PendingScan) => void;

  constructor(
    id: number,
    request: ScanRequest,
    startedAtMs: number,
    deadlineAtMs: number,
    done: ScanCompletion,
    cancelled: (pending: PendingScan) => void,
  ) {
    this.id = id;
    this.request = request;
    this.startedAtMs = startedAtMs;
    this.deadlineAtMs = deadlineAtMs;
    this.done = done;
    this.#cancelled = cancelled;
  }

  cancel(): void {
    if (!this.answered) this.#cancelled(this);
  }
}

export type Pending = PendingRequest | PendingScan;

/**
 * The operations that one engine has not answered yet, and their deadlines.
 *
 * The buckets hold ids and not the operations: an answered operation is garbage at once, though
 * its deadline lies ahead.
 */
export class RequestTable {
  readonly #environment: Environment;
  readonly #expired: (pending: Pending) => void;
  readonly #pending = new IdTable<Pending>();
  readonly #buckets = new Map<number, number[]>();
  #nextId: number;
  #bytes = 0;
  #armedBucket = Number.POSITIVE_INFINITY;
  #timer: ReturnType<Environment["setTimer"]> | undefined;

  constructor(environment: Environment, expired: (pending: Pending) => void) {
    this.#environment = environment;
    this.#expired = expired;
    this.#nextId = environment.random("request-ids").uint32() % MAX_REQUEST_ID;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** Ids fit a u32 and start anywhere, so that an answer to an earlier start meets nobody. */
  nextId(): number {
    do {
      this.#nextId = this.#nextId >= MAX_REQUEST_ID ? 1 : this.#nextId + 1;
    } while (this.#pending.has(this.#nextId));
    return this.#nextId;
  }

  /** Bytes of the values that are being written. */
  get bytes(): number {
    return this.#bytes;
  }

  add(pending: Pending): void {
    this.#pending.set(pending.id, pending);
    this.#bytes += bytesOf(pending);
    this.#schedule(pending.id, Math.max(pending.deadlineAtMs, pending.startedAtMs));
  }

  setDeadline(pending: Pending, deadlineAtMs: number): void {
    pending.deadlineAtMs = deadlineAtMs;
    pending.isSpared = false;
    this.#schedule(pending.id, Math.max(deadlineAtMs, this.#environment.monotonicMs()));
  }

  /** Marks it answered; false if it was before, so that nobody is answered twice. */
  finish(pending: Pending): boolean {
    if (pending.answered) return false;
    pending.answered = true;
    this.#pending.delete(pending.id);
    this.#bytes -= bytesOf(pending);
    return true;
  }

  all(): readonly Pending[] {
    return this.#pending.values();
  }

  close(): void {
    if (this.#timer !== undefined) this.#environment.clearTimer(this.#timer);
    this.#timer = undefined;
    this.#armedBucket = Number.POSITIVE_INFINITY;
    this.#buckets.clear();
  }

  /** `atMs` is never in the past: how late a bucket is looked at says how long the loop was held. */
  #schedule(id: number, atMs: number): void {
    const bucket = Math.ceil(atMs / GRAIN_MS);
    const ids = this.#buckets.get(bucket);
    if (ids === undefined) this.#buckets.set(bucket, [id]);
    else ids.push(id);
    if (bucket < this.#armedBucket) this.#arm(bucket);
  }

  #arm(bucket: number): void {
    if (this.#timer !== undefined) this.#environment.clearTimer(this.#timer);
    this.#armedBucket = bucket;
    const delayMs = Math.max(0, bucket * GRAIN_MS - this.#environment.monotonicMs());
    this.#timer = this.#environment.setTimer(delayMs, () => {
      // Timers run before input is read: after a stall of the event loop the answers may be
      // waiting already, and a deadline must not overtake them.
      this.#environment.soon(() => this.#fire());
    });
  }

  #fire(): void {
    this.#timer = undefined;
    this.#armedBucket = Number.POSITIVE_INFINITY;
    const nowMs = this.#environment.monotonicMs();
    const buckets = [...this.#buckets.keys()].sort((a, b) => a - b);
    for (const bucket of buckets) {
      const ids = this.#buckets.get(bucket) ?? [];
      if (bucket * GRAIN_MS <= nowMs) {
        this.#buckets.delete(bucket);
        const lateMs = nowMs - bucket * GRAIN_MS;
        for (const id of ids) this.#end(id, nowMs, lateMs);
      } else if (ids.some((id) => this.#pending.has(id))) {
        if (bucket < this.#armedBucket) this.#arm(bucket);
        return;
      } else {
        // All answered, as nearly all are long before their deadlines.
        this.#buckets.delete(bucket);
      }
    }
  }

  #end(id: number, nowMs: number, lateMs: number): void {
    const pending = this.#pending.get(id);
    if (pending === undefined || pending.deadlineAtMs > nowMs) return;
    const spareMs = pending.isSpared ? 0 : graceMs(lateMs);
    if (spareMs === 0) {
      this.#expired(pending);
      return;
    }
    pending.isSpared = true;
    this.#schedule(id, nowMs + spareMs);
  }
}

function bytesOf(pending: Pending): number {
  return pending instanceof PendingRequest ? (pending.operation.value?.length ?? 0) : 0;
}
