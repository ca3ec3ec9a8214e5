import { CapstanError } from "../model/errors.ts";

export type StoreState = "opening" | "joining" | "ready" | "draining" | "closed" | "failed";

/**
 * Where a store is in its life. States only move forward: opening → joining → ready → draining →
 * closed, or from any of the first four to failed; a failed store can still be closed.
 */
export class Lifecycle {
  #state: StoreState = "opening";
  #failure: CapstanError | undefined;

  get state(): StoreState {
    return this.#failure !== undefined && this.#state !== "closed" ? "failed" : this.#state;
  }

  get failure(): CapstanError | undefined {
    return this.#failure;
  }

  /** False once nothing more is accepted. */
  get isAccepting(): boolean {
    return this.#failure === undefined && (this.#state === "ready" || this.#state === "joining");
  }

  advance(state: "joining" | "ready" | "draining" | "closed"): void {
    this.#state = state;
  }

  /** True the first time. */
  fail(cause: CapstanError): boolean {
    if (this.#failure !== undefined || this.#state === "closed") return false;
    this.#failure = cause;
    return true;
  }

  /** Why a call is refused; only to be asked where `isAccepting` is false. */
  refusal(): CapstanError {
    if (this.#state === "draining" || this.#state === "closed") {
      return new CapstanError("STORE_CLOSED", `the store is ${this.state}; nothing was sent`);
    }
    if (this.#failure !== undefined) {
      return new CapstanError(
        "STORE_FAILED",
        `the node has stopped itself (${this.#failure.message}); nothing was sent`,
        { cause: this.#failure },
      );
    }
    return new CapstanError("NOT_READY", `the store is ${this.#state}; nothing was sent`);
  }
}
