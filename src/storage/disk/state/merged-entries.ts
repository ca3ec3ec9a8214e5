import type { StateEntry } from "../../../core/contracts/storage.ts";
import { DELETED, type SpacePicture } from "./overlay.ts";

/** As it lies in the file. */
export interface UncheckedEntry {
  readonly key: Uint8Array;
  readonly fileKey: Uint8Array;
  readonly record: Uint8Array;
}

type Found = StateEntry | UncheckedEntry;

/**
 * The entries of one space in key order: what the pictures say, newest first, and for the rest
 * what lies in the file.
 */
export function* mergedEntries(
  pictures: readonly SpacePicture[],
  file: Generator<UncheckedEntry>,
  from: Uint8Array | undefined,
  to: Uint8Array | undefined,
): Generator<Found> {
  if (pictures.length === 0) {
    yield* file;
    return;
  }
  const sources: Generator<Found>[] = [...pictures.map((picture) => picture.walk(from, to)), file];
  try {
    const heads = sources.map(next);
    for (;;) {
      const first = leastOf(heads);
      const entry = heads[first];
      if (entry === undefined) return;
      const isHidden =
        isDeleted(entry) || pictures.some((each, at) => at < first && each.clears(entry.key));
      for (let at = heads.length - 1; at >= first; at -= 1) {
        const head = heads[at];
        if (head !== undefined && Buffer.compare(head.key, entry.key) === 0) {
          heads[at] = next(sources[at] as Generator<Found>);
        }
      }
      if (!isHidden) yield entry;
    }
  } finally {
    for (const source of sources) source.return(undefined);
  }
}

function isDeleted(entry: Found): boolean {
  return "value" in entry && entry.value === DELETED;
}

function next(source: Generator<Found>): Found | undefined {
  const { done, value } = source.next();
  return done === true ? undefined : value;
}

/** The newest of those with the least key. */
function leastOf(heads: readonly (Found | undefined)[]): number {
  let least = 0;
  for (let at = 1; at < heads.length; at += 1) {
    const head = heads[at];
    const best = heads[least];
    if (head !== undefined && (best === undefined || Buffer.compare(head.key, best.key) < 0)) {
      least = at;
    }
  }
  return least;
}
