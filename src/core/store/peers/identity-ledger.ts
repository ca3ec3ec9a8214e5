import { ByteReader, ByteWriter } from "../../model/bytes.ts";
import type { Incarnation, StoreId } from "../../model/ids.ts";
import { MalformedBytesError } from "../../model/malformed-bytes-error.ts";
import { NO_PLANTED_HOST_BUGS, type PlantedHostBugs } from "../planted-bugs.ts";

/** Stores remembered per node: more come only from a node that is emptied over and over. */
const MAX_REMEMBERED = 16;
const MAX_STORE_ID_BYTES = 1_024;
/** A log that has come this much further is worth a record, but one a second is enough. */
const SAVE_AFTER_RECORDS = 8;
const SAVE_AFTER_MS = 1_000;

interface Remembered {
  readonly incarnation: Incarnation;
  logPosition: number;
  /** From an earlier start of this process: that very session may still be alive. */
  readonly isFromRecord: boolean;
}

/**
 * - `new`: a store that was never met.
 * - `later-start`: it has started again since, and has what it had.
 * - `earlier-start`: a later start of the same store was met.
 * - `old-copy`: it has less in its log than was met before.
 * - `followed`: it has what it had, but another store was met under its node id after it.
 */
export type Recognition = "new" | "later-start" | "earlier-start" | "old-copy" | "followed";

/**
 * Which stores have answered under one node id, and how far they had come: per store id the
 * highest incarnation and synced log position, kept over restarts of this node.
 *
 * A position is what the store said to have synced, and is remembered at that or lower: a store
 * that lost what it had not synced is never taken for a copy. Positions are recorded seldom, so
 * that after a restart of all nodes a copy that lacks little may go unnoticed.
 */
export class IdentityLedger {
  /** In the order of the last meeting. */
  readonly #stores = new Map<StoreId, Remembered>();
  /** The one that was met last. */
  #last: StoreId | undefined;
  readonly #save: (bytes: Uint8Array) => void;
  readonly #saveAfterRecords: number;
  readonly #planted: PlantedHostBugs;
  #savedAtMs = Number.NEGATIVE_INFINITY;
  #unsavedRecords = 0;

  /** `stored`: what `save` was given before; bytes that are not understood count as none. */
  constructor(
    stored: Uint8Array | undefined,
    save: (bytes: Uint8Array) => void,
    nodes: number,
    planted: PlantedHostBugs = NO_PLANTED_HOST_BUGS,
  ) {
    this.#planted = planted;
    this.#save = save;
    // A record of one node's position moves the log of the node that writes it, by one for each of
    // its peers: twice as much has to have happened, or idle nodes would go on for ever.
    this.#saveAfterRecords = Math.max(SAVE_AFTER_RECORDS, 2 * nodes);
    for (const [storeId, known] of decode(stored)) {
      this.#stores.set(storeId, known);
      this.#last = storeId;
    }
  }

  /** What to make of a session that is not the one that was remembered last. */
  recognise(storeId: StoreId, incarnation: Incarnation, logPosition: number): Recognition {
    const known = this.#stores.get(storeId);
    if (known === undefined) return "new";
    if (this.#planted.oldCopyAccepted === true) return "later-start";
    const isEarlier = known.isFromRecord
      ? incarnation < known.incarnation
      : incarnation <= known.incarnation;
    if (isEarlier) return "earlier-start";
    if (logPosition < known.logPosition) return "old-copy";
    const isLast = storeId === this.#last || this.#planted.followedStoreTrusted === true;
    return isLast ? "later-start" : "followed";
  }

  remember(storeId: StoreId, incarnation: Incarnation, logPosition: number, nowMs: number): void {
    const known = this.#stores.get(storeId);
    const highest = Math.max(logPosition, known?.logPosition ?? 0);
    this.#stores.delete(storeId);
    this.#last = storeId;
    this.#stores.set(storeId, { incarnation, logPosition: highest, isFromRecord: false });
    if (this.#stores.size > MAX_REMEMBERED) {
      const [oldest] = this.#stores.keys();
      if (oldest !== undefined) this.#stores.delete(oldest);
    }
    this.#write(nowMs);
  }

  advance(storeId: StoreId, logPosition: number, nowMs: number): void {
    const known = this.#stores.get(storeId);
    if (known === undefined) return;
    if (logPosition > known.logPosition) {
      this.#unsavedRecords += logPosition - known.logPosition;
      known.logPosition = logPosition;
    }
    if (this.#unsavedRecords < this.#saveAfterRecords) return;
    if (nowMs - this.#savedAtMs >= SAVE_AFTER_MS) this.#write(nowMs);
  }

  /** Records what is not recorded yet. */
  close(nowMs: number): void {
    if (this.#unsavedRecords > 0) this.#write(nowMs);
  }

  #write(nowMs: number): void {
    this.#savedAtMs = nowMs;
    this.#unsavedRecords = 0;
    this.#save(encode(this.#stores));
  }
}

function encode(stores: ReadonlyMap<StoreId, Remembered>): Uint8Array {
  const writer = new ByteWriter();
  writer.u16(stores.size);
  for (const [storeId, { incarnation, logPosition }] of stores) {
    writer.string(storeId);
    writer.u64(incarnation);
    writer.u64(logPosition);
  }
  return writer.copy();
}

function decode(bytes: Uint8Array | undefined): readonly (readonly [StoreId, Remembered])[] {
  if (bytes === undefined) return [];
  try {
    const reader = new ByteReader(bytes);
    const count = reader.u16();
    const stores: (readonly [StoreId, Remembered])[] = [];
    for (let at = 0; at < count; at += 1) {
      const storeId = reader.string(MAX_STORE_ID_BYTES) as StoreId;
      const incarnation = reader.u64() as Incarnation;
      const logPosition = reader.u64();
      stores.push([storeId, { incarnation, logPosition, isFromRecord: true }]);
    }
    reader.end();
    return stores;
  } catch (error) {
    if (error instanceof MalformedBytesError) return [];
    throw error;
  }
}
