/**
 * A stream for one slow reader: what comes faster than it is taken waits, up to a bound in number and
 * in bytes, beyond which the oldest is dropped and an item that says so takes its place.
 */
export class BoundedStream<Item> implements AsyncIterator<Item, undefined> {
  readonly #usualCapacity: number;
  #capacity: number;
  #isCaughtUp = false;
  readonly #maxBytes: number;
  readonly #gapFor: (dropped: number, last: Item) => Item;
  readonly #onReturn: () => void;
  readonly #waiting: Reader<Item>[] = [];
  #items: { readonly item: Item; readonly bytes: number }[] = [];
  #bytes = 0;
  #dropped = 0;
  #lastDropped: Item | undefined;
  #end: { readonly error: Error | undefined } | undefined;

  /**
   * @param gapFor makes the item that stands for `dropped` lost ones, of which `last` was the last.
   * @param onReturn is called once, when the reader goes away or the stream ends.
   * @param firstCapacity until `caughtUp` is called, and what waits then is taken.
   */
  constructor(
    capacity: number,
    gapFor: (dropped: number, last: Item) => Item,
    onReturn: () => void,
    maxBytes = Number.POSITIVE_INFINITY,
    firstCapacity = capacity,
  ) {
    this.#maxBytes = maxBytes;
    this.#usualCapacity = capacity;
    this.#capacity = firstCapacity;
    this.#gapFor = gapFor;
    this.#onReturn = onReturn;
  }

  /** @param bytes what the item holds on to while it waits. */
  push(item: Item, bytes = 0): void {
    if (this.#end !== undefined) return;
    const reader = this.#waiting.shift();
    if (reader !== undefined) {
      reader.resolve({ done: false, value: item });
      return;
    }
    this.#items.push({ item, bytes });
    this.#bytes += bytes;
    // One item alone is always kept.
    while (
      this.#items.length > this.#capacity ||
      (this.#bytes > this.#maxBytes && this.#items.length > 1)
    ) {
      this.#lastDropped = this.#shift();
      this.#dropped++;
    }
  }

  /** What was there before the reader came has been pushed: what comes now comes one by one. */
  caughtUp(): void {
    this.#isCaughtUp = true;
    this.#settle();
  }

  /** What waits is still given out; then the next reader meets the error, later ones the end. */
  end(error?: Error): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#onReturn();
    for (const reader of this.#waiting.splice(0)) this.#finish(reader);
  }

  next(): Promise<IteratorResult<Item, undefined>> {
    if (this.#dropped > 0) {
      const gap = this.#gapFor(this.#dropped, this.#lastDropped as Item);
      this.#dropped = 0;
      this.#lastDropped = undefined;
      return Promise.resolve({ done: false, value: gap });
    }
    if (this.#items.length > 0) {
      return Promise.resolve({ done: false, value: this.#shift() as Item });
    }
    return new Promise((resolve, reject) => {
      const reader = { resolve, reject };
      if (this.#end === undefined) this.#waiting.push(reader);
      else this.#finish(reader);
    });
  }

  return(): Promise<IteratorResult<Item, undefined>> {
    this.#items = [];
    this.#bytes = 0;
    this.#dropped = 0;
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #shift(): Item | undefined {
    const first = this.#items.shift();
    this.#bytes -= first?.bytes ?? 0;
    this.#settle();
    return first?.item;
  }

  #settle(): void {
    if (this.#isCaughtUp && this.#items.length <= this.#usualCapacity) {
      this.#capacity = this.#usualCapacity;
    }
  }

  #finish(reader: Reader<Item>): void {
    const error = this.#end?.error;
    this.#end = { error: undefined };
    if (error === undefined) reader.resolve({ done: true, value: undefined });
    else reader.reject(error);
  }
}

interface Reader<Item> {
  readonly resolve: (result: IteratorResult<Item, undefined>) => void;
  readonly reject: (error: Error) => void;
}
