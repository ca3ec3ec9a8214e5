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
import type { OpenViews } from "../../open-views.ts";
import { mergedEntries, type UncheckedEntry } from "./merged-entries.ts";
import { DELETED, type Overlay, type SpacePicture } from "./overlay.ts";
import {
  ENTRY_PREFIX_BYTES,
  endOf,
  entryPrefix,
  joined,
  SPACE_AT,
  unsealed,
} from "./record-format.ts";
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

/** A moment of one generation: a snapshot of the file under pictures of what is not in it. */
export class DiskStateView implements StateView {
  readonly expiresAtMs: number;
  readonly #views: OpenViews<DiskStateView>;
  readonly #state: ViewedState;
  readonly #snapshot: FileSnapshot;
  readonly #pictures: { [S in Space]?: readonly SpacePicture[] } = {};
  #isOpen = true;

  constructor(views: OpenViews<DiskStateView>, state: ViewedState) {
    this.#views = views;
    this.#state = state;
    this.expiresAtMs = state.expiresAtMs;
    this.#snapshot = state.file.snapshot();
    for (const space of SPACES) {
      const pictures = state.overlays.flatMap(
        (overlay) => overlay.spaceOf(state.shard, state.generation, space)?.picture() ?? [],
      );
      if (pictures.length > 0) this.#pictures[space] = pictures;
    }
  }

  get(space: Space, key: Uint8Array): Uint8Array | undefined {
    this.#checkOpen();
    for (const picture of this.#pictures[space] ?? []) {
      const found = picture.find(key);
      if (found !== undefined) return found === DELETED ? undefined : found;
    }
    const fileKey = joined(this.#prefix(space), key);
    const record = this.#state.file.get(fileKey, this.#snapshot);
    return record && checkedValue(this.#state.shard, fileKey, record);
  }

  range(
    space: Space,
    from: Uint8Array | undefined,
    to: Uint8Array | undefined,
    limitBytes: number,
    limitEntries: number = Number.POSITIVE_INFINITY,
  ): StateRange {
    this.#checkOpen();
    const entries: StateEntry[] = [];
    let bytes = 0;
    const file = this.#fileEntries(space, from, to);
    for (const found of mergedEntries(this.#pictures[space] ?? [], file, from, to)) {
      if (entries.length > 0 && entries.length >= limitEntries) return { entries, more: true };
      // Only now: what was overwritten or deleted since may be as damaged as it likes.
      const entry = "record" in found ? this.#checked(found) : found;
      bytes += entry.key.length + entry.value.length;
      if (entries.length > 0 && bytes > limitBytes) return { entries, more: true };
      entries.push(entry);
    }
    return { entries, more: false };
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

  *#fileEntries(
    space: Space,
    from: Uint8Array | undefined,
    to: Uint8Array | undefined,
  ): Generator<UncheckedEntry> {
    const { file } = this.#state;
    const prefix = this.#prefix(space);
    const low = from === undefined ? prefix : joined(prefix, from);
    const high = to === undefined ? endOf(prefix) : joined(prefix, to);
    if (Buffer.compare(low, high) >= 0) return;
    for (const { key, record } of file.entries(low, high, this.#snapshot)) {
      yield { key: key.subarray(ENTRY_PREFIX_BYTES), fileKey: key, record };
    }
  }

  #checked({ key, fileKey, record }: UncheckedEntry): StateEntry {
    return { key, value: checkedValue(this.#state.shard, fileKey, record) };
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

/** The value of a record of the file; a `StateDamageError` if it fails its check. */
export function checkedValue(shard: ShardId, fileKey: Uint8Array, record: Uint8Array): Uint8Array {
  const value = unsealed(fileKey, record);
  if (value !== undefined) return value;
  const space = SPACES[fileKey[SPACE_AT] as number] as Space;
  const key = Uint8Array.from(fileKey.subarray(ENTRY_PREFIX_BYTES));
  const text = Buffer.from(key).toString("hex");
  const message = `the entry ${space}/${text} of shard ${shard} fails its check`;
  throw new StateDamageError(shard, message, { space, key });
}
