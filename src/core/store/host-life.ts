import type { Environment } from "../contracts/environment.ts";
import type { Observer } from "../contracts/observer.ts";
import type { Storage } from "../contracts/storage.ts";
import { CapstanError } from "../model/errors.ts";
import { settlesWithin } from "./settles-within.ts";

export interface HostLifeParts {
  readonly storage: Pick<Storage, "disown">;
  readonly environment: Environment;
  readonly observer: Pick<Observer, "log">;
  /** Ends all that runs, and answers everything pending with the refusal. */
  readonly halt: (refusal: CapstanError) => void;
  /** The node has to stop; everything pending has been answered. */
  readonly onFatal: (error: CapstanError) => void;
}

/** What a host does at its end, in order. */
export interface HostClosing {
  /** Sees through what is under way; no more is taken meanwhile. */
  readonly drain: () => Promise<void>;
  /** `isInOrder`: it was not halted before. */
  readonly stop: (isInOrder: boolean) => void;
}

/**
 * The end of a host of machines, which comes in one of two ways: it is closed, when what is under way
 * is seen through; or it is halted at once, by a fault or since its data is given up, perhaps while it
 * is closing.
 *
 * Invariants:
 * - nothing is taken once there is a refusal, and no step runs once it `isOver`; neither goes back;
 * - it is halted once, and not after its machines have stopped: `onFatal` is told once at the most.
 */
export class HostLife {
  readonly #parts: HostLifeParts;
  #refusal: CapstanError | undefined;
  #isClosing = false;
  #isOver = false;
  /** Settles once it is written down that the data is given up. */
  #disowned: Promise<void> | undefined;

  constructor(parts: HostLifeParts) {
    this.#parts = parts;
  }

  /** Why nothing is taken any more; undefined before the end. */
  get refusal(): CapstanError | undefined {
    return this.#refusal;
  }

  /** No step runs any more: halted, or closed to the end. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether the node's records may still be written: by a host that closes, not by one that failed. */
  get mayKeepRecords(): boolean {
    return this.#refusal === undefined || this.#isClosing;
  }

  fail(error: CapstanError): void {
    if (this.#halt(error)) this.#parts.onFatal(error);
  }

  /** Stops at once; whoever opens the node again must find that its data is given up. */
  disown(error: CapstanError): void {
    if (!this.#halt(error)) return;
    const { storage, onFatal } = this.#parts;
    this.#disowned = storage.disown(error.message).then(
      () => onFatal(error),
      (cause: unknown) => {
        const why = cause instanceof Error ? cause.message : String(cause);
        const message = `${error.message}; and that could not be written down: ${why}`;
        onFatal(new CapstanError("STORE_FAILED", message, { cause }));
      },
    );
  }

  async close(timeoutMs: number, { drain, stop }: HostClosing): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    const { environment, observer } = this.#parts;
    const endMs = environment.monotonicMs() + timeoutMs;
    this.#refusal ??= new CapstanError("STORE_CLOSED", "the store is closing");
    await drain();
    const isInOrder = !this.#isOver;
    this.#isOver = true;
    stop(isInOrder);
    if (this.#disowned === undefined) return;
    const leftMs = endMs - environment.monotonicMs();
    if (await settlesWithin(this.#disowned, leftMs, environment)) return;
    // The storage, which is closed later, writes it down before it has closed.
    observer.log("warn", "it is not written down yet that the data is given up; closing goes on");
  }

  /**
   * Nothing more happens here, and everything pending is answered. False if that was so before. Not
   * of a host that is closing: its machines step until what is under way has ended.
   */
  #halt(error: CapstanError): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#refusal = new CapstanError("STORE_FAILED", `the node has stopped: ${error.message}`, {
      cause: error,
    });
    this.#parts.halt(this.#refusal);
    return true;
  }
}
