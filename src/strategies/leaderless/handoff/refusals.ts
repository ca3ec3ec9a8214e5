import { keyText } from "../../../core/model/key-text.ts";

const FIRST_MS = 10_000;
const LONGEST_MS = 600_000;
const LONGER = 2;
/** Beyond, the oldest is offered again sooner than it need be. */
const MAX_REFUSED = 1_000;

interface Refusal {
  readonly untilMs: number;
  readonly waitMs: number;
}

/**
 * Keys whose records a peer does not take: it holds something else of them, and both together are too
 * large (`RecordBound`). Each is offered again, less and less often, until a write has settled it, and
 * keeps nothing else waiting meanwhile.
 */
export class Refusals {
  readonly #byKey = new Map<string, Refusal>();

  get size(): number {
    return this.#byKey.size;
  }

  /** Whether the key is to be left out for now. */
  has(key: Uint8Array, nowMs: number): boolean {
    const refusal = this.#byKey.get(keyText(key));
    return refusal !== undefined && nowMs < refusal.untilMs;
  }

  /** True: it was not known to be refused. */
  add(key: Uint8Array, nowMs: number): boolean {
    const text = keyText(key);
    const before = this.#byKey.get(text);
    const waitMs = before === undefined ? FIRST_MS : Math.min(before.waitMs * LONGER, LONGEST_MS);
    this.#byKey.delete(text);
    this.#byKey.set(text, { untilMs: nowMs + waitMs, waitMs });
    const [oldest] = this.#byKey.keys();
    if (this.#byKey.size > MAX_REFUSED) this.#byKey.delete(oldest as string);
    return before === undefined;
  }

  /** What is held of it is another record now, or the peer has taken it. */
  delete(key: Uint8Array): void {
    if (this.#byKey.size > 0) this.#byKey.delete(keyText(key));
  }
}
