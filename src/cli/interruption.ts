import { setMaxListeners } from "node:events";

/** Repeats within this time are one key press that reached the process twice (see below). */
const SAME_PRESS_MS = 1_000;

/**
 * The user's wish to stop. The first signal asks for an orderly end, a second one for an immediate
 * end. A package manager that started this process forwards the terminal's SIGINT to it, which has
 * it from the terminal already: the twin, which comes at once, is not a second wish.
 */
export class Interruption {
  readonly #orderly = new AbortController();
  readonly #immediate = new AbortController();
  readonly #nowMs: () => number;
  #firstAtMs: number | undefined;
  #cause: string | undefined;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    // Every call under way listens, and a load has many: Node would take that for a leak.
    setMaxListeners(0, this.#orderly.signal, this.#immediate.signal);
  }

  /** Aborts at the first signal. */
  get signal(): AbortSignal {
    return this.#orderly.signal;
  }

  /** Aborts at the second signal. */
  get immediate(): AbortSignal {
    return this.#immediate.signal;
  }

  get requested(): boolean {
    return this.#firstAtMs !== undefined;
  }

  /** Name of the first signal. */
  get cause(): string | undefined {
    return this.#cause;
  }

  request(cause: string): void {
    if (this.#firstAtMs === undefined) {
      this.#firstAtMs = this.#nowMs();
      this.#cause = cause;
      this.#orderly.abort();
    } else if (this.#nowMs() - this.#firstAtMs >= SAME_PRESS_MS) {
      this.#immediate.abort();
    }
  }
}
