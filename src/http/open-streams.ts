import { overloaded } from "../core/model/errors.ts";

/** The place of one watch among those that may be streamed at once. */
export interface StreamPlace {
  /** @param end is called when the server closes. */
  whenClosed(end: () => void): void;
  /** Idempotent. */
  free(): void;
}

/** The watches that this server streams: bounded, and ended all together when it closes. */
export class OpenStreams {
  readonly #limit: number;
  readonly #places = new Set<Place>();
  #isClosed = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Taken before anything is waited for: requests that come in one packet are looked at in one turn.
   *
   * @throws CapstanError `OVERLOADED`.
   */
  take(): StreamPlace {
    if (this.#places.size >= this.#limit) {
      throw overloaded(
        `${this.#limit} watches are streamed by this server, and no more are taken (http.maxWatches)`,
      );
    }
    const place = new Place(
      () => this.#isClosed,
      () => this.#places.delete(place),
    );
    this.#places.add(place);
    return place;
  }

  close(): void {
    this.#isClosed = true;
    for (const place of [...this.#places]) place.end();
    this.#places.clear();
  }
}

class Place implements StreamPlace {
  readonly #isClosed: () => boolean;
  readonly free: () => void;
  end: () => void = () => undefined;

  constructor(isClosed: () => boolean, free: () => void) {
    this.#isClosed = isClosed;
    this.free = free;
  }

  whenClosed(end: () => void): void {
    if (this.#isClosed()) end();
    else this.end = end;
  }
}
