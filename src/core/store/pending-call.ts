import type { Cancellation, Completion, Engine } from "../contracts/strategy.ts";
import { CapstanError, isCapstanError } from "../model/errors.ts";
import type { Operation, OperationResult, OperationType } from "../model/operations.ts";
import { listenToAbort } from "./listen-to-abort.ts";

/** Makes of an engine's result what the caller gets. One function per kind of call, not per call. */
export type Finish<Result> = (result: OperationResult) => Result;

/**
 * One call of a client, between `execute` and its one answer: the engine completes it, and the
 * caller's signal cancels it. After a cancellation the engine still decides what the answer is,
 * because only it knows whether anything was sent.
 */
export class PendingCall<Result> implements Completion {
  readonly #finish: Finish<Result>;
  readonly #resolve: (result: Result) => void;
  readonly #reject: (error: Error) => void;
  #operation: Operation | undefined = undefined;
  #settled = false;
  #cancellation: Cancellation | undefined = undefined;
  #signal: AbortSignal | undefined = undefined;

  constructor(
    finish: Finish<Result>,
    resolve: (result: Result) => void,
    reject: (error: Error) => void,
  ) {
    this.#finish = finish;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  begin(engine: Engine, operation: Operation, signal: AbortSignal | undefined): void {
    this.#operation = operation;
    let cancellation: Cancellation;
    try {
      cancellation = engine.execute(operation, this);
    } catch (error) {
      // It must not, and nobody knows what it had done by then.
      if (this.#end()) this.#reject(toFaultOfAnswer(error, operation));
      return;
    }
    if (this.#settled || signal === undefined) return;
    this.#cancellation = cancellation;
    this.#signal = signal;
    listenToAbort(signal, this);
  }

  succeed(result: OperationResult): void {
    if (!this.#end()) return;
    let finished: Result;
    try {
      finished = this.#finish(result);
    } catch (error) {
      this.#reject(toFaultOfAnswer(error, this.#operation));
      return;
    }
    this.#resolve(finished);
  }

  fail(fault: CapstanError): void {
    if (this.#end()) this.#reject(fault);
  }

  /** The caller's signal aborts. */
  handleEvent(): void {
    this.#cancellation?.cancel();
  }

  #end(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    if (this.#signal !== undefined) {
      this.#signal.removeEventListener("abort", this);
      this.#signal = undefined;
      this.#cancellation = undefined;
    }
    return true;
  }
}

/** What is thrown while a call is checked is a refusal; all else is a fault of ours. */
export function toFault(error: unknown): CapstanError {
  if (isCapstanError(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new CapstanError("INTERNAL", `an internal fault: ${message}`, {
    outcome: "not-applied",
    retry: "never",
    cause: error,
  });
}

/** An engine that throws, or answers without sense: it has done the write all the same, or may have. */
export function toFaultOfAnswer(error: unknown, operation: Operation | undefined): CapstanError {
  const fault = toFault(error);
  if (fault === error || operation === undefined || !CHANGES.has(operation.type)) return fault;
  const { operationId } = operation;
  return new CapstanError("INTERNAL", fault.message, {
    ...(operationId === undefined ? {} : { operationId }),
    cause: error,
  });
}

const CHANGES: ReadonlySet<OperationType> = new Set<OperationType>([
  "put",
  "delete",
  "update",
  "batch",
]);

/** An already aborted signal: nothing is sent. */
export function refuseAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new CapstanError("ABORTED", "the call was aborted before anything was sent", {
    cause: signal.reason,
  });
}
