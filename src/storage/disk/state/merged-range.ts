import type { StateEntry, StateRange } from "../../../core/contracts/storage.ts";
import type { PictureCursor } from "../../ordered-bytes.ts";
import { DELETED, type SpacePicture } from "./overlay.ts";

/** The entries of one space as they lie in the file, in key order. Stands before the first. */
export interface FileCursor {
  /** Of the key of the user; undefined at the end. */
  readonly text: string | undefined;
  advance(): void;
  /** The key of the user, and what it has there. Throws where that is damaged. */
  read(): StateEntry;
  close(): void;
}

export interface RangeBounds {
  readonly from: Uint8Array | undefined;
  readonly to: Uint8Array | undefined;
  readonly limitBytes: number;
  readonly limitEntries: number;
}

/**
 * The entries of one space in key order: what the pictures say, newest first, and for the rest what
 * lies in the file. That is read only where it is asked for: what was overwritten or deleted since
 * may be as damaged as it likes.
 */
export function mergedRange(
  pictures: readonly SpacePicture[],
  file: FileCursor,
  bounds: RangeBounds,
): StateRange {
  const entries: StateEntry[] = [];
  const cursors = pictures.map((picture) => picture.cursor(bounds.from, bounds.to));
  let bytes = 0;
  file.advance();
  for (const cursor of cursors) cursor.advance();
  for (;;) {
    const first = leastOf(cursors, file.text);
    const text = first < 0 ? file.text : cursors[first]?.text;
    if (text === undefined) return { entries, more: false };
    const value = first < 0 ? undefined : cursors[first]?.value;
    const isHidden = value === DELETED || isCleared(pictures, first, text);
    if (!isHidden) {
      if (entries.length > 0 && entries.length >= bounds.limitEntries) {
        return { entries, more: true };
      }
      const entry =
        value === undefined ? file.read() : { key: (cursors[first] as PictureCursor).key, value };
      bytes += entry.key.length + entry.value.length;
      if (entries.length > 0 && bytes > bounds.limitBytes) return { entries, more: true };
      entries.push(entry);
    }
    for (const cursor of cursors) if (cursor.text === text) cursor.advance();
    if (file.text === text) file.advance();
  }
}

/** The newest of the pictures with the least key; -1 where only the file has it. */
function leastOf(cursors: readonly PictureCursor[], inFile: string | undefined): number {
  let first = -1;
  let least = inFile;
  for (let at = cursors.length - 1; at >= 0; at -= 1) {
    const text = cursors[at]?.text;
    if (text === undefined || (least !== undefined && text > least)) continue;
    first = at;
    least = text;
  }
  return first;
}

/** Whether a picture that is newer than what holds the key has no such key. */
function isCleared(pictures: readonly SpacePicture[], holder: number, text: string): boolean {
  const newer = holder < 0 ? pictures.length : holder;
  for (let at = 0; at < newer; at += 1) if (pictures[at]?.clears(text) === true) return true;
  return false;
}
