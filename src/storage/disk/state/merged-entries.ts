import type { StateEntry } from "../../../core/contracts/storage.ts";
import { DELETED, type SpacePicture } from "./overlay.ts";

/**
 * The entries of one space in key order: what the pictures say, newest first, and for the rest
 * what lies in the file.
 */
export function* mergedEntries(
  pictures: readonly SpacePicture[],
  file: Generator<StateEntry>,
  from: Uint8Array | undefined,
  to: Uint8Array | undefined,
): Generator<StateEntry> {
  if (pictures.length === 0) {
    yield* file;
    return;
  }
  const sources = [...pictures.map((picture) => picture.walk(from, to)), file];
  try {
    const heads = sources.map(next);
    for (;;) {
      const first = leastOf(heads);
      const entry = heads[first];
      if (entry === undefined) return;
      const isHidden =
        entry.value === DELETED ||
        pictures.some((each, at) => at < first && each.clears(entry.key));
      for (let at = heads.length - 1; at >= first; at -= 1) {
        const head = heads[at];
        if (head !== undefined && Buffer.compare(head.key, entry.key) === 0) {
          heads[at] = next(sources[at] as Generator<StateEntry>);
        }
      }
      if (!isHidden) yield entry;
    }
  } finally {
    for (const source of sources) source.return(undefined);
  }
}

function next(source: Generator<StateEntry>): StateEntry | undefined {
  const { done, value } = source.next();
  return done === true ? undefined : value;
}

/** The newest of those with the least key. */
function leastOf(heads: readonly (StateEntry | undefined)[]): number {
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
