import type { Incarnation, StoreId } from "../../model/ids.ts";

/** Stores remembered per node: more come only from a node that is emptied over and over. */
const MAX_REMEMBERED = 64;

interface Remembered {
  readonly incarnation: Incarnation;
  logPosition: number;
}

export type Recognition = "new" | "later-start" | "later-start-of-old-copy" | "earlier-start";

/**
 * Which stores have answered under one node id, and how far they had come: per store id the
 * highest incarnation and log position. In memory: it ends with this process.
 */
export class IdentityLedger {
  readonly #stores = new Map<StoreId, Remembered>();

  /** What to make of a session that is not the one that was remembered last. */
  recognise(storeId: StoreId, incarnation: Incarnation, logPosition: number): Recognition {
    const known = this.#stores.get(storeId);
    if (known === undefined) return "new";
    if (incarnation <= known.incarnation) return "earlier-start";
    return logPosition < known.logPosition ? "later-start-of-old-copy" : "later-start";
  }

  remember(storeId: StoreId, incarnation: Incarnation, logPosition: number): void {
    const known = this.#stores.get(storeId);
    const highest = Math.max(logPosition, known?.logPosition ?? 0);
    // Set anew, so that the map's order is that of the last meeting.
    this.#stores.delete(storeId);
    this.#stores.set(storeId, { incarnation, logPosition: highest });
    if (this.#stores.size <= MAX_REMEMBERED) return;
    for (const oldest of this.#stores.keys()) {
      this.#stores.delete(oldest);
      return;
    }
  }

  advance(storeId: StoreId, logPosition: number): void {
    const known = this.#stores.get(storeId);
    if (known !== undefined && logPosition > known.logPosition) known.logPosition = logPosition;
  }
}
