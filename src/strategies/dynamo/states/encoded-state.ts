import { isPlainObject } from "../../../core/model/plain-object.ts";
import { TAG_ARRAY, TAG_OBJECT, VALUE_VERSION } from "../../../core/model/value-format.ts";
import { encodeValue } from "../../../core/model/values.ts";

/** Shorter lists are encoded anew: that takes a few microseconds. */
const LEAST_ITEMS = 32;
const NOTHING = new Uint8Array(0);

/** A state beside its canonical encoding. */
export interface EncodedState {
  readonly state: unknown;
  /** The caller's own, and not to be changed. */
  readonly bytes: Uint8Array;
  readonly list: EncodedList | undefined;
}

/** The state's one long list, as it stands within `bytes`. */
interface EncodedList {
  readonly items: readonly unknown[];
  /** Of each item's encoding; undefined where they were not needed yet. */
  readonly lengths: Uint32Array | undefined;
  /** Where the first item begins. */
  readonly at: number;
}

/** An encoding in parts, to be written out in one go. */
export interface StatePlan {
  readonly byteLength: number;
  /** Writes the encoding to `target` from `at` on. `target` stays the plan's from then on. */
  write(target: Uint8Array, at: number): EncodedState;
}

/**
 * The canonical encoding of `state`, by what `previous` has of it already: of a long list, only the
 * items between the first and the last that is another object. States share what did not change
 * (nothing is changed in place: `CrdtResolver`), so that an operation on a set of 10,000 elements
 * encodes one of them, and copies the rest.
 *
 * The bytes are those of `encodeValue(state)`.
 *
 * @throws CapstanError as `encodeValue` does.
 */
export function planState(state: unknown, previous?: EncodedState): StatePlan {
  if (previous !== undefined && previous.state === state)
    return wholePlan(state, previous.bytes, previous.list);
  const form = formOf(state);
  if (form === undefined) return wholePlan(state, encodeValue(state));
  if (previous?.list === undefined) return wholePlan(state, encodeValue(state), listOf(form));
  try {
    return partsPlan(state, form, previous.bytes, previous.list);
  } catch {
    // It says where in the state the trouble is.
    return wholePlan(state, encodeValue(state), listOf(form));
  }
}

function wholePlan(state: unknown, bytes: Uint8Array, list?: EncodedList): StatePlan {
  return {
    byteLength: bytes.length,
    write: (target, at) => {
      target.set(bytes, at);
      return { state, bytes: target.subarray(at, at + bytes.length), list };
    },
  };
}

/** How a state with a long list is made: a list, or a record with one as a member. */
interface Form {
  readonly items: readonly unknown[];
  /** Up to the first item. */
  readonly head: Uint8Array;
  /** Behind the last item. */
  readonly tail: Uint8Array;
  /** How deep an item lies: depth is bounded, and counts. */
  readonly depth: 1 | 2;
}

function formOf(state: unknown): Form | undefined {
  if (Array.isArray(state)) {
    if (state.length < LEAST_ITEMS) return undefined;
    const head = Uint8Array.of(VALUE_VERSION, TAG_ARRAY, ...varint(state.length));
    return { items: state, head, tail: NOTHING, depth: 1 };
  }
  if (!isPlainObject(state)) return undefined;
  const names = Object.keys(state).sort();
  if (names.some((name) => state[name] === undefined)) return undefined;
  const lengths = names.map((name) => lengthOf(state[name]));
  const longest = Math.max(0, ...lengths);
  if (longest < LEAST_ITEMS) return undefined;
  const at = lengths.indexOf(longest);
  const name = names[at] as string;
  const items = state[name] as readonly unknown[];
  const member = (each: string) => [nameBytes(each), itemBytes(state[each], 1)];
  const head = Buffer.concat([
    Uint8Array.of(VALUE_VERSION, TAG_OBJECT, ...varint(names.length)),
    ...names.slice(0, at).flatMap(member),
    nameBytes(name),
    Uint8Array.of(TAG_ARRAY, ...varint(items.length)),
  ]);
  const tail = Buffer.concat(names.slice(at + 1).flatMap(member));
  return { items, head, tail, depth: 2 };
}

function lengthOf(value: unknown): number {
  return Array.isArray(value) ? value.length : 0;
}

function listOf({ items, head }: Form): EncodedList {
  return { items, lengths: undefined, at: head.length };
}

function partsPlan(state: unknown, form: Form, before: Uint8Array, list: EncodedList): StatePlan {
  const { items, head, tail, depth } = form;
  const lengths = list.lengths ?? lengthsOf(list.items, depth);
  const first = sameAtStart(list.items, items);
  const last = sameAtEnd(list.items, items, first);
  const fresh = items.slice(first, items.length - last).map((item) => itemBytes(item, depth));
  const freshLengths = fresh.map(({ length }) => length);
  const end = lengths.length - last;
  const startBytes = before.subarray(list.at, list.at + sumOf(lengths, 0, first));
  const endAt = list.at + startBytes.length + sumOf(lengths, first, end);
  const endBytes = before.subarray(endAt, endAt + sumOf(lengths, end, lengths.length));
  const parts = [head, startBytes, ...fresh, endBytes, tail];
  const byteLength = parts.reduce((sum, { length }) => sum + length, 0);
  const newLengths = new Uint32Array(items.length);
  newLengths.set(lengths.subarray(0, first));
  newLengths.set(freshLengths, first);
  newLengths.set(lengths.subarray(end), first + fresh.length);
  return {
    byteLength,
    write: (target, at) => {
      let to = at;
      for (const part of parts) {
        target.set(part, to);
        to += part.length;
      }
      const bytes = target.subarray(at, at + byteLength);
      return { state, bytes, list: { items, lengths: newLengths, at: head.length } };
    },
  };
}

function sameAtStart(a: readonly unknown[], b: readonly unknown[]): number {
  const most = Math.min(a.length, b.length);
  let same = 0;
  while (same < most && a[same] === b[same]) same++;
  return same;
}

/** Besides the `first` at the start. */
function sameAtEnd(a: readonly unknown[], b: readonly unknown[], first: number): number {
  const most = Math.min(a.length, b.length) - first;
  let same = 0;
  while (same < most && a[a.length - 1 - same] === b[b.length - 1 - same]) same++;
  return same;
}

function lengthsOf(items: readonly unknown[], depth: 1 | 2): Uint32Array {
  return Uint32Array.from(items, (item) => itemBytes(item, depth).length);
}

function sumOf(lengths: Uint32Array, from: number, to: number): number {
  let sum = 0;
  for (let at = from; at < to; at++) sum += lengths[at] as number;
  return sum;
}

/** As it stands within `depth` lists or records: behind the format's version, a tag and a 1 each. */
function itemBytes(value: unknown, depth: 1 | 2): Uint8Array {
  const wrapped = encodeValue(depth === 1 ? [value] : [[value]]);
  return wrapped.subarray(1 + 2 * depth);
}

/** Behind the version and the tag of a text. */
function nameBytes(name: string): Uint8Array {
  return encodeValue(name).subarray(2);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest % 128) | 0x80);
    rest = Math.floor(rest / 128);
  }
  return [...bytes, rest];
}
