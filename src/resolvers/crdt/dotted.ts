import {
  type CausalContext,
  type Cover,
  coverOf,
  joinContexts,
  sharedDots,
} from "./causal-context.ts";

/** What one dot wrote, behind its dot: the same in every state that holds the dot. */
export type Dotted = readonly [actor: string, counter: number, ...payload: unknown[]];

/** Sorted by actor, then counter. */
export type DottedList<D extends Dotted = Dotted> = readonly D[];

/** A map of this part of another's entries, or fewer, is joined to it entry by entry. */
const SMALL_PART = 8;
const NONE: readonly never[] = Object.freeze([]);

/**
 * What is left of two lists: a dot that both hold, or that one holds and the other has not seen. A
 * dot that the other has seen and does not hold was removed there (Bieniusa et al. 2012, §3).
 * Answers `a` itself if that is what is left.
 */
export function joinDotted<D extends Dotted>(
  a: DottedList<D>,
  b: DottedList<D>,
  seenByA: Cover,
  seenByB: Cover,
): DottedList<D> {
  if (a === b) return a;
  const joined: D[] = [];
  let isA = true;
  let [atA, atB] = [0, 0];
  while (atA < a.length || atB < b.length) {
    const [dotA, dotB] = [a[atA], b[atB]];
    const order = dotA === undefined ? 1 : dotB === undefined ? -1 : compareDots(dotA, dotB);
    if (order <= 0) {
      const each = dotA as D;
      if (order === 0 || !seenByB(each[0], each[1])) joined.push(each);
      else isA = false;
      atA += 1;
      if (order === 0) atB += 1;
    } else {
      const each = dotB as D;
      if (!seenByA(each[0], each[1])) {
        joined.push(each);
        isA = false;
      }
      atB += 1;
    }
  }
  return isA ? a : joined;
}

function compareDots(a: Dotted, b: Dotted): number {
  if (a[0] !== b[0]) return a[0] < b[0] ? -1 : 1;
  return a[1] - b[1];
}

/** Dotted lists by key. Sorted by key; no list is empty. */
export type DottedEntry<Key, D extends Dotted = Dotted> = readonly [key: Key, list: DottedList<D>];

export interface DottedMap<Key, D extends Dotted = Dotted> {
  readonly context: CausalContext;
  readonly entries: readonly DottedEntry<Key, D>[];
}

/** The join of two maps under `compare`, the order of their keys; `a` itself if `b` adds nothing. */
export function joinDottedMaps<Key, D extends Dotted>(
  a: DottedMap<Key, D>,
  b: DottedMap<Key, D>,
  compare: (a: Key, b: Key) => number,
): DottedMap<Key, D> {
  if (a === b) return a;
  const context = joinContexts(a.context, b.context);
  const isSmall = b.entries.length * SMALL_PART <= a.entries.length;
  const entries = isSmall ? joinFew(a, b, compare) : joinEntries(a, b, compare);
  return context === a.context && entries === a.entries ? a : { context, entries };
}

function joinEntries<Key, D extends Dotted>(
  { context: contextA, entries: a }: DottedMap<Key, D>,
  { context: contextB, entries: b }: DottedMap<Key, D>,
  compare: (a: Key, b: Key) => number,
): readonly DottedEntry<Key, D>[] {
  if (a === b) return a;
  const [seenByA, seenByB] = [coverOf(contextA), coverOf(contextB)];
  const joined: DottedEntry<Key, D>[] = [];
  let isA = true;
  let [atA, atB] = [0, 0];
  while (atA < a.length || atB < b.length) {
    const [entryA, entryB] = [a[atA], b[atB]];
    const order =
      entryA === undefined ? 1 : entryB === undefined ? -1 : compare(entryA[0], entryB[0]);
    if (order <= 0) atA += 1;
    if (order >= 0) atB += 1;
    const mine = order <= 0 ? (entryA as DottedEntry<Key, D>)[1] : NONE;
    const theirs = order >= 0 ? (entryB as DottedEntry<Key, D>)[1] : NONE;
    const list = joinDotted(mine, theirs, seenByA, seenByB);
    if (list !== mine) isA = false;
    if (list.length === 0) continue;
    if (list === mine) joined.push(entryA as DottedEntry<Key, D>);
    else joined.push([(order <= 0 ? entryA : entryB)?.[0] as Key, list]);
  }
  return isA ? a : joined;
}

/**
 * As `joinEntries`, for a delta beside a large state: `b`'s few entries are looked up. The others of
 * `a` are gone through only if `b` has seen dots of `a` that are not at those entries: they may have
 * been removed.
 */
function joinFew<Key, D extends Dotted>(
  { context: contextA, entries: a }: DottedMap<Key, D>,
  { context: contextB, entries: b }: DottedMap<Key, D>,
  compare: (a: Key, b: Key) => number,
): readonly DottedEntry<Key, D>[] {
  const [seenByA, seenByB] = [coverOf(contextA), coverOf(contextB)];
  let joined = a;
  let found = 0;
  for (const [key, theirs] of b) {
    const at = findEntry(joined, key, compare);
    const entry = joined[at];
    const mine = entry === undefined ? NONE : entry[1];
    for (const [actor, counter] of mine) if (seenByB(actor, counter)) found++;
    const list = joinDotted<D>(mine, theirs, seenByA, seenByB);
    if (list === mine) continue;
    if (entry === undefined) joined = joined.toSpliced(-1 - at, 0, [key, list]);
    else if (list.length > 0) joined = joined.with(at, [entry[0], list]);
    else joined = joined.toSpliced(at, 1);
  }
  return sharedDots(contextA, contextB) > found
    ? withoutRemoved(joined, b, seenByB, compare)
    : joined;
}

/** Without the dots that `b` has seen and does not hold, at keys that `b` does not have. */
function withoutRemoved<Key, D extends Dotted>(
  entries: readonly DottedEntry<Key, D>[],
  b: readonly DottedEntry<Key, D>[],
  seenByB: Cover,
  compare: (a: Key, b: Key) => number,
): readonly DottedEntry<Key, D>[] {
  const isRemoved = ([actor, counter]: D): boolean => seenByB(actor, counter);
  const kept: DottedEntry<Key, D>[] = [];
  let isAll = true;
  for (const entry of entries) {
    const [key, list] = entry;
    if (!list.some(isRemoved) || findEntry(b, key, compare) >= 0) {
      kept.push(entry);
      continue;
    }
    isAll = false;
    const left = list.filter((each) => !isRemoved(each));
    if (left.length > 0) kept.push([key, left]);
  }
  return isAll ? entries : kept;
}

/** Where the key stands, or, as −1 − index, where it would. */
export function findEntry<Key>(
  entries: readonly (readonly [key: Key, ...unknown[]])[],
  key: Key,
  compare: (a: Key, b: Key) => number,
): number {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = compare((entries[middle] as readonly [Key])[0], key);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return -1 - low;
}
