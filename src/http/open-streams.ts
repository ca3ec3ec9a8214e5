import { overloaded } from "../core/model/errors.ts";

/** The watches that this server streams: bounded, and ended all together when it closes. */
export class OpenStreams {
  readonly #limit: number;
  readonly #ends = new Set<() => void>();
  #isClosed = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @throws CapstanError `OVERLOADED`. */
  refuseMore(): void {
    if (this.#ends.size < this.#limit) return;
    throw overloaded(
      `${this.#limit} watches are streamed by this server, and no more are taken (http.maxWatches)`,
    );
  }

  /** @param end is called when the server closes. */
  add(end: () => void): void {
    if (this.#isClosed) end();
    else this.#ends.add(end);
  }

  delete(end: () => void): void {
    this.#ends.delete(end);
  }

  close(): void {
    this.#isClosed = true;
    for (const end of [...this.#ends]) end();
    this.#ends.clear();
  }
}
