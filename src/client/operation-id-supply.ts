import { isCapstanError } from "../core/model/errors.ts";

/** As many as are under way at once: an id that waits long loses against newer writes. */
const IDS_AT_ONCE = 16;

/** On dynamo an id is good at the node that has made it: elsewhere nobody could tell a first use. */
export interface SuppliedId {
  readonly id: string;
  /** See `Answer.server`: where what it is for is sent first. */
  readonly server: number;
}

/** Hands out operation ids one by one, and fetches some at a time, just before they are used. */
export class OperationIdSupply {
  readonly #fetch: (count: number) => Promise<readonly SuppliedId[]>;
  readonly #atOnce: number;
  readonly #ready: SuppliedId[] = [];
  #fetching: Promise<void> | undefined;
  #unfetched: number;
  #unsupported = false;

  /** @param atOnce ids that are fetched together. */
  constructor(
    count: number,
    fetch: (count: number) => Promise<readonly SuppliedId[]>,
    atOnce: number = IDS_AT_ONCE,
  ) {
    this.#unfetched = count;
    this.#fetch = fetch;
    this.#atOnce = atOnce;
  }

  /** Undefined where the strategy has no ids: then a write is sent once, and never again. */
  async take(): Promise<SuppliedId | undefined> {
    for (;;) {
      const id = this.#ready.shift();
      if (id !== undefined || this.#unsupported) return id;
      this.#fetching ??= this.#fetchSome().finally(() => {
        this.#fetching = undefined;
      });
      await this.#fetching;
    }
  }

  /** Entries that fail before they take an id leave one over: hence never fewer than one. */
  async #fetchSome(): Promise<void> {
    const count = Math.max(1, Math.min(this.#unfetched, this.#atOnce));
    try {
      this.#ready.push(...(await this.#fetch(count)));
      this.#unfetched -= count;
    } catch (error) {
      if (!isCapstanError(error) || error.code !== "NOT_SUPPORTED") throw error;
      this.#unsupported = true;
    }
  }
}
