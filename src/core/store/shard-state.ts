import type { ServingState, StateViewHandle } from "../contracts/machine.ts";
import type {
  Space,
  StateEntry,
  StateMutation,
  StateRange,
  StateStore,
} from "../contracts/storage.ts";
import type { ShardId } from "../model/ids.ts";
import { keyText } from "../model/key-text.ts";
import { keyAfter } from "../model/keys.ts";
import { type WaitingWrite, WaitingWrites } from "./waiting-writes.ts";

interface RangeLimits {
  readonly limitBytes: number;
  readonly limitEntries: number;
}

/**
 * One shard's state as its machine sees it: what is committed, below what was applied and waits
 * for its log records to become durable. Where the log is durable at once the overlay stays empty.
 */
export class ShardState implements ServingState {
  readonly #store: StateStore;
  readonly #shard: ShardId;
  readonly #data = new WaitingWrites();
  readonly #side = new WaitingWrites();
  #lastKey: Uint8Array | undefined;
  #lastText = "";

  constructor(store: StateStore, shard: ShardId) {
    this.#store = store;
    this.#shard = shard;
  }

  get(key: Uint8Array, text?: string): Uint8Array | undefined {
    return this.#read("data", this.#data, key, text);
  }

  /** The key as text, made once where a step reads a key and then writes it: the same object. */
  textOf(key: Uint8Array): string {
    if (key !== this.#lastKey) {
      this.#lastText = keyText(key);
      this.#lastKey = key;
    }
    return this.#lastText;
  }

  /** What the overlay shows waits for its log record; what is committed had it durable before. */
  isDurable(key: Uint8Array): boolean {
    return this.#data.isEmpty || this.#data.get(keyText(key)) === undefined;
  }

  getSide(key: Uint8Array): Uint8Array | undefined {
    return this.#read("side", this.#side, key);
  }

  range(
    from: Uint8Array | undefined,
    to: Uint8Array | undefined,
    limitBytes: number,
    limitEntries: number = Number.POSITIVE_INFINITY,
  ): StateRange {
    return this.#range("data", this.#data, from, to, { limitBytes, limitEntries });
  }

  rangeSide(
    from: Uint8Array | undefined,
    to: Uint8Array | undefined,
    limitBytes: number,
  ): readonly StateEntry[] {
    const limits = { limitBytes, limitEntries: Number.POSITIVE_INFINITY };
    return this.#range("side", this.#side, from, to, limits).entries;
  }

  /** Of what is committed; the overlay's writes are younger than the view. */
  openView(): StateViewHandle {
    const view = this.#store.view(this.#shard);
    return {
      range: (from, to, limitBytes, limitEntries) =>
        view.range("data", from, to, limitBytes, limitEntries),
      prolong: () => view.prolong?.(),
      close: () => view.close(),
    };
  }

  /** Shows mutations that are not committed yet, until they are settled: the same objects. */
  overlay(mutations: readonly StateMutation[]): void {
    for (const mutation of mutations) {
      // What comes after it is not seen before it is committed: beneath it lies another state.
      if (mutation.type === "switch-generation") break;
      if (mutation.type === "delete-range") continue;
      this.#shownIn(mutation)?.add(mutation.text ?? keyText(mutation.key), mutation);
    }
  }

  /** They are committed: what of them nothing younger has replaced is shown no more. */
  settle(mutations: readonly StateMutation[]): void {
    for (const mutation of mutations) {
      if (mutation.type === "switch-generation") break;
      if (mutation.type === "delete-range") continue;
      this.#shownIn(mutation)?.settle(mutation.text ?? keyText(mutation.key), mutation);
    }
  }

  /** Where the overlay shows it, if it does. */
  #shownIn({ generation, space }: WaitingWrite): WaitingWrites | undefined {
    if (generation !== undefined) return undefined;
    if (space === "data") return this.#data;
    return space === "side" ? this.#side : undefined;
  }

  #read(
    space: Space,
    overlay: WaitingWrites,
    key: Uint8Array,
    text = this.textOf(key),
  ): Uint8Array | undefined {
    if (!overlay.isEmpty) {
      const entry = overlay.get(text);
      if (entry !== undefined) return entry.type === "put" ? entry.value : undefined;
    }
    return this.#store.get(this.#shard, space, key, text);
  }

  #range(
    space: Space,
    overlay: WaitingWrites,
    from: Uint8Array | undefined,
    to: Uint8Array | undefined,
    limits: RangeLimits,
  ): StateRange {
    const { limitBytes, limitEntries } = limits;
    const view = this.#store.view(this.#shard);
    try {
      let stored = view.range(space, from, to, limitBytes, limitEntries);
      if (overlay.isEmpty) return stored;
      let start = from;
      for (;;) {
        const merged = mergedRange(stored, overlay, start, to, limits);
        const last = stored.entries.at(-1)?.key;
        // All that was stored there is deleted by now: "more" with nothing is no answer.
        if (merged.entries.length > 0 || !merged.more || last === undefined) return merged;
        start = keyAfter(last);
        stored = view.range(space, start, to, limitBytes, limitEntries);
      }
    } finally {
      view.close();
    }
  }
}

/** What is stored with the overlay over it, within the limits but at least one entry. */
function mergedRange(
  stored: StateRange,
  overlay: WaitingWrites,
  from: Uint8Array | undefined,
  to: Uint8Array | undefined,
  limits: RangeLimits,
): StateRange {
  // Beyond the last stored entry nothing is known while more is stored there.
  const last = stored.entries.at(-1)?.key;
  const merged = new Map<string, StateEntry>();
  for (const entry of stored.entries) merged.set(keyText(entry.key), entry);
  for (const [text, entry] of overlay.entries()) {
    if (from !== undefined && Buffer.compare(entry.key, from) < 0) continue;
    if (to !== undefined && Buffer.compare(entry.key, to) >= 0) continue;
    const beyond = stored.more && last !== undefined && Buffer.compare(entry.key, last) > 0;
    if (beyond) continue;
    if (entry.type === "delete") merged.delete(text);
    else merged.set(text, { key: entry.key, value: entry.value });
  }
  const entries = [...merged.values()].sort((a, b) => Buffer.compare(a.key, b.key));
  const kept = entriesWithin(entries, limits);
  return { entries: entries.slice(0, kept), more: stored.more || kept < entries.length };
}

function entriesWithin(
  entries: readonly StateEntry[],
  { limitBytes, limitEntries }: RangeLimits,
): number {
  let bytes = 0;
  for (const [index, { key, value }] of entries.entries()) {
    bytes += key.length + value.length;
    if (index > 0 && (bytes > limitBytes || index >= limitEntries)) return index;
  }
  return entries.length;
}
