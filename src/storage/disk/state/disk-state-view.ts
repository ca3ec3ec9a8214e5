import {
  type Generation,
  SPACES,
  type Space,
  StateDamageError,
  type StateEntry,
  type StateRange,
  type StateView,
} from "../../../core/contracts/storage.ts";
import type { ShardId } from "../../../core/model/ids.ts";
import { keyText } from "../../../core/model/key-text.ts";
import type { OpenViews } from "../../open-views.ts";
import { type FileCursor, mergedRange } from "./merged-range.ts";
import { DELETED, type Overlay, type SpacePicture } from "./overlay.ts";
import { ENTRY_PREFIX_BYTES, endOf, entryPrefix, joined, SPACE_AT } from "./record-format.ts";
import type { FileSnapshot, StateFile } from "./state-file.ts";

/** What a view is taken of. */
export interface ViewedState {
  readonly file: StateFile;
  /** What is not in the file for sure, newest first. */
  readonly overlays: readonly Overlay[];
  readonly shard: ShardId;
  readonly generation: Generation;
  readonly expiresAtMs: number;
}

const NO_PICTURES: readonly SpacePicture[] = Object.freeze([]);

/** A moment of one generation: a snapshot of the file under pictures of what is not in it. */
export class DiskStateView implements StateView {
  expiresAtMs: number;
  readonly #views: OpenViews<DiskStateView>;
  readonly #state: ViewedState;
  readonly #snapshot: FileSnapshot;
  readonly #pictures: { [S in Space]?: SpacePicture[] } = {};
  #isOpen = true;

  constructor(views: OpenViews<DiskStateView>, state: ViewedState) {
    this.#views = views;
    this.#state = state;
    this.expiresAtMs = state.expiresAtMs;
    this.#snapshot = state.file.snapshot();
    for (const overlay of state.overlays) {
      for (const written of overlay.spacesOf(state.shard)) {
        if (written.generation !== state.generation) continue;
        const pictures = this.#pictures[written.space];
        if (pictures === undefined) this.#pictures[written.space] = [written.picture()];
        else pictures.push(written.picture());
      }
    }
  }

  get(space: Space, key: Uint8Array): Uint8Array | undefined {
    this.#checkOpen();
    for (const picture of this.#pictures[space] ?? []) {
      const found = picture.find(key);
      if (found !== undefined) return found === DELETED ? undefined : found;
    }
    const { file, shard } = this.#state;
    return checkedValue(shard, file, joined(this.#prefix(space), key), this.#snapshot);
  }

  range(
    space: Space,
    from: Uint8Array | undefined,
    to: Uint8Array | undefined,
    limitBytes: number,
    limitEntries: number = Number.POSITIVE_INFINITY,
  ): StateRange {
    this.#checkOpen();
    const prefix = this.#prefix(space);
    const low = from === undefined ? prefix : joined(prefix, from);
    const high = to === undefined ? endOf(prefix) : joined(prefix, to);
    if (Buffer.compare(low, high) >= 0) return { entries: [], more: false };
    const file = new EntriesInFile(this.#state, low, high, this.#snapshot);
    try {
      const bounds = { from, to, limitBytes, limitEntries };
      return mergedRange(this.#pictures[space] ?? NO_PICTURES, file, bounds);
    } finally {
      file.close();
    }
  }

  prolong(): void {
    if (this.#isOpen) this.expiresAtMs = this.#views.nextExpiryMs();
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const space of SPACES) {
      for (const picture of this.#pictures[space] ?? []) picture.close();
    }
    this.#snapshot.close();
    this.#views.forget(this);
  }

  #prefix(space: Space): Uint8Array {
    return entryPrefix(this.#state.shard, this.#state.generation, space);
  }

  /** The timer may fire late; the view's end does not wait for it. */
  #checkOpen(): void {
    if (this.#isOpen && this.#views.nowMs() >= this.expiresAtMs) this.close();
    if (!this.#isOpen) throw new Error("the view is closed, or was kept for too long");
  }
}

/** The entries of one space of the file from `low` to below `high`. */
class EntriesInFile implements FileCursor {
  text: string | undefined;
  readonly #state: ViewedState;
  readonly #snapshot: FileSnapshot;
  readonly #keys: Iterator<Uint8Array>;
  #key: Uint8Array | undefined;

  constructor(state: ViewedState, low: Uint8Array, high: Uint8Array, snapshot: FileSnapshot) {
    this.#state = state;
    this.#snapshot = snapshot;
    this.#keys = state.file.keys(low, high, snapshot);
  }

  advance(): void {
    const next = this.#keys.next();
    this.#key = next.done === true ? undefined : next.value;
    this.text = this.#key && keyText(this.#key, ENTRY_PREFIX_BYTES);
  }

  read(): StateEntry {
    const fileKey = this.#key as Uint8Array;
    const { file, shard } = this.#state;
    const value = checkedValue(shard, file, fileKey, this.#snapshot);
    if (value === undefined) throw new Error("a key of the file has no entry");
    return { key: keyOf(fileKey), value };
  }

  close(): void {
    this.#keys.return?.();
  }
}

/** Plain, and without the rest of the file's key behind it. */
function keyOf(fileKey: Uint8Array): Uint8Array {
  const length = fileKey.length - ENTRY_PREFIX_BYTES;
  const key = new Uint8Array(length);
  for (let at = 0; at < length; at += 1) key[at] = fileKey[ENTRY_PREFIX_BYTES + at] as number;
  return key;
}

/** What the file holds under the key; a `StateDamageError` if that fails its check. */
export function checkedValue(
  shard: ShardId,
  file: StateFile,
  fileKey: Uint8Array,
  snapshot?: FileSnapshot,
): Uint8Array | undefined {
  const value = file.value(fileKey, snapshot);
  if (value !== null) return value;
  const space = SPACES[fileKey[SPACE_AT] as number] as Space;
  const key = keyOf(fileKey);
  const text = Buffer.from(key).toString("hex");
  const message = `the entry ${space}/${text} of shard ${shard} fails its check`;
  throw new StateDamageError(shard, message, { space, key });
}
