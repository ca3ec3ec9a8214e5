import type { Effects } from "../../core/contracts/machine.ts";
import { CapstanError } from "../../core/model/errors.ts";
import { keyTextOf } from "./faults.ts";

/** It may fail at every read of a key: one event stands for all within so long, in milliseconds. */
const TELL_EVERY_MS = 10_000;

/**
 * What the keyspace's resolver, which may be anybody's, has thrown: a machine's step goes on, and
 * tells of it in an event.
 */
export class ResolverFailures {
  readonly #resolver: string;
  #latest: { readonly key: string; readonly message: string } | undefined;
  #failures = 0;
  #toldAtMs = Number.NEGATIVE_INFINITY;

  /** @param resolver its name. */
  constructor(resolver: string) {
    this.#resolver = resolver;
  }

  /** What its user is told where there is nothing to be shown without the resolver. */
  note(key: Uint8Array, error: unknown): CapstanError {
    const message = error instanceof Error ? error.message : String(error);
    this.#latest = { key: keyTextOf(key), message };
    this.#failures++;
    return new CapstanError(
      "RESOLVER_FAILED",
      `the resolver ${this.#resolver} failed on what is stored under the key ${keyTextOf(key)}: ${message}`,
      { cause: error },
    );
  }

  /** At the end of a step. */
  tell(nowMs: number, effects: Pick<Effects<never>, "emit">): void {
    if (this.#latest === undefined || nowMs - this.#toldAtMs < TELL_EVERY_MS) return;
    const [resolver, failures] = [this.#resolver, this.#failures];
    effects.emit({ type: "resolver-failed", resolver, ...this.#latest, failures });
    this.#toldAtMs = nowMs;
    this.#latest = undefined;
    this.#failures = 0;
  }
}
