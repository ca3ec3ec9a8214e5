import type { Cancellation, Completion, Engine } from "../contracts/strategy.ts";
import { type CapstanError, isCapstanError } from "../model/errors.ts";
import type { Operation, OperationResult } from "../model/operations.ts";
import type { ManyResult } from "./api.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { listenToAbort } from "./listen-to-abort.ts";
import { type Finish, refuseAborted, toFault, toFaultOfAnswer } from "./pending-call.ts";

/** So many of one call's operations are under way at once; the others wait for their turn. */
const MAX_IN_FLIGHT = 64;

export interface ManyCallsParts<Item, Result> {
  readonly engine: Engine;
  readonly lifecycle: Lifecycle;
  readonly signal: AbortSignal | undefined;
  readonly items: readonly Item[];
  /** Of an operation that begins now; undefined where the call has no deadline of its own. */
  deadlineMs(): number | undefined;
  keyOf(item: Item): string;
  /** A promise only where a schema is asynchronous; a throw is that item's outcome alone. */
  make(item: Item): Operation | Promise<Operation>;
  /** What makes a result of this operation's answer. */
  finishOf(operation: Operation): Finish<Result>;
}

/**
 * `getMany`, `putMany` and batches per key: one promise for all, one outcome per key, in the order
 * given. Where a bound of the store is met that the call's own operations help to fill, the rest
 * waits for these instead of being refused.
 */
export class ManyCalls<Item, Result> {
  readonly #parts: ManyCallsParts<Item, Result>;
  readonly #results: ManyResult<Result>[];
  readonly #inFlight = new Set<Member>();
  /** Made, and refused because there were too many at once. */
  readonly #heldBack: Member[] = [];
  #isFull = false;
  #next = 0;
  #answered = 0;
  #pumping = false;
  #resolve: (results: readonly ManyResult<Result>[]) => void = () => undefined;

  constructor(parts: ManyCallsParts<Item, Result>) {
    this.#parts = parts;
    this.#results = new Array(parts.items.length);
  }

  run(): Promise<readonly ManyResult<Result>[]> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      if (this.#parts.signal !== undefined) listenToAbort(this.#parts.signal, this);
      this.#pump();
    });
  }

  /** The caller's signal aborts: what is under way says what became of it. */
  handleEvent(): void {
    for (const member of [...this.#inFlight]) member.cancel();
  }

  succeeded(member: Member, result: OperationResult): void {
    this.#leave(member);
    try {
      const finished = this.#parts.finishOf(member.operation as Operation)(result);
      this.#answer(member.index, { key: this.#keyAt(member.index), ok: true, result: finished });
    } catch (error) {
      this.#refuse(member.index, toFaultOfAnswer(error, member.operation as Operation));
    }
    this.#pump();
  }

  failed(member: Member, error: unknown): void {
    const isRefused = member.isBeginning && isCapstanError(error) && error.code === "OVERLOADED";
    this.#leave(member);
    if (isRefused && this.#inFlight.size > 0) {
      this.#heldBack.push(member);
      this.#isFull = true;
      return;
    }
    this.#refuse(member.index, error);
    this.#pump();
  }

  #leave(member: Member): void {
    this.#inFlight.delete(member);
    this.#isFull = false;
  }

  /** An answer may come from within `execute`: then the loop below goes on, not the stack down. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    const { items } = this.#parts;
    while (!this.#isFull && this.#inFlight.size < MAX_IN_FLIGHT) {
      const member = this.#heldBack.shift();
      if (member !== undefined) this.#beginAgain(member);
      else if (this.#next < items.length) this.#begin(this.#next++);
      else break;
    }
    this.#pumping = false;
    if (this.#answered < items.length) return;
    this.#parts.signal?.removeEventListener("abort", this);
    this.#resolve(this.#results);
  }

  #begin(index: number): void {
    const { make, items, lifecycle, signal, engine } = this.#parts;
    const member = new Member(this, index);
    try {
      if (!lifecycle.isAccepting) throw lifecycle.refusal();
      refuseAborted(signal);
      const made = make(items[index] as Item);
      this.#inFlight.add(member);
      if (!(made instanceof Promise)) {
        member.begin(engine, made);
        return;
      }
      made
        .then((operation) => {
          if (!lifecycle.isAccepting) throw lifecycle.refusal();
          refuseAborted(signal);
          member.begin(engine, operation);
        })
        .catch((error: unknown) => this.failed(member, error));
    } catch (error) {
      this.#inFlight.delete(member);
      this.#refuse(index, error);
    }
  }

  #beginAgain(member: Member): void {
    const { lifecycle, signal, engine } = this.#parts;
    try {
      if (!lifecycle.isAccepting) throw lifecycle.refusal();
      refuseAborted(signal);
      const deadlineMs = this.#parts.deadlineMs();
      this.#inFlight.add(member);
      member.begin(engine, { ...(member.operation as Operation), deadlineMs });
    } catch (error) {
      this.#inFlight.delete(member);
      this.#refuse(member.index, error);
    }
  }

  #refuse(index: number, error: unknown): void {
    this.#answer(index, { key: this.#keyAt(index), ok: false, error: toFault(error) });
  }

  #keyAt(index: number): string {
    return this.#parts.keyOf(this.#parts.items[index] as Item);
  }

  #answer(index: number, result: ManyResult<Result>): void {
    this.#results[index] = result;
    this.#answered++;
  }
}

interface Owner {
  succeeded(member: Member, result: OperationResult): void;
  failed(member: Member, error: unknown): void;
}

/** One of the operations of a call with many keys. */
class Member implements Completion {
  readonly index: number;
  operation: Operation | undefined = undefined;
  /** The engine has been asked, and has not taken it yet. */
  isBeginning = false;
  readonly #owner: Owner;
  #cancellation: Cancellation | undefined = undefined;
  #isAnswered = false;

  constructor(owner: Owner, index: number) {
    this.#owner = owner;
    this.index = index;
  }

  begin(engine: Engine, operation: Operation): void {
    this.operation = operation;
    const now = operation.type === "get" ? engine.readNow(operation) : undefined;
    if (now !== undefined) {
      this.succeed(now);
      return;
    }
    this.isBeginning = true;
    this.#isAnswered = false;
    try {
      this.#cancellation = engine.execute(operation, this);
    } catch (error) {
      // An engine that has answered, and then throws, has answered.
      if (!this.#isAnswered) this.fail(toFaultOfAnswer(error, operation));
    }
    this.isBeginning = false;
  }

  cancel(): void {
    this.#cancellation?.cancel();
  }

  succeed(result: OperationResult): void {
    this.#isAnswered = true;
    this.#owner.succeeded(this, result);
  }

  fail(fault: CapstanError): void {
    this.#isAnswered = true;
    this.#owner.failed(this, fault);
  }
}
