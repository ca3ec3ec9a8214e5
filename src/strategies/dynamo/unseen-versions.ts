import { u16At, u32At } from "../../core/model/big-endian.ts";
import {
  type CausalContext,
  CONTEXT_ENTRY_BYTES,
  CONTEXT_HEADER_BYTES,
  compareDots,
  type TimedDot,
} from "./causal-context.ts";
import {
  DELETION,
  EXPIRING_VALUE,
  FLAG_STATES,
  HEADER_BYTES,
  SIBLING_HEAD_BYTES,
} from "./dotted-layout.ts";
import { decodeRecord, type Sibling } from "./dotted-record.ts";

/** What a client has seen: what the context covers, but for some versions. */
export interface Seen {
  readonly context: CausalContext;
  readonly unseen: readonly TimedDot[];
}

/** Whether the version was seen. */
export function hasSeen({ context, unseen }: Seen, { dot, time }: Sibling): boolean {
  return context.covers(dot, time) && !unseen.some((each) => compareDots(each, dot) === 0);
}

/**
 * Whether a node that knows so much has heard of all that was not seen. If not, it cannot tell what of a
 * context was seen: some of it was replaced by versions that were not, and may be alive here.
 */
export function knowsUnseen(known: CausalContext, unseen: readonly TimedDot[]): boolean {
  return unseen.every((each) => known.covers(each, each.time));
}

/** In the head of a version: behind its dot and its time. */
const KIND_AT = CONTEXT_ENTRY_BYTES;
const NONE: readonly TimedDot[] = Object.freeze([]);

/**
 * Versions in the record that a write was answered with, which its client has not seen: they stand
 * beside the write, or have taken its place. Its context covers them, but what the client hands on as
 * seen must not: what it writes next would replace what nobody has read.
 *
 * The write itself is known by its value: a record that is asked for again holds what came later, too.
 * Of several with that value the newest event is taken for it, or none.
 *
 * @param record that was checked.
 * @param value of the write; undefined for a deletion.
 * @param seen what the client had said that it saw.
 */
export function unseenIn(
  record: Uint8Array,
  value: Uint8Array | undefined,
  seen: Seen | undefined,
): readonly TimedDot[] {
  if (isAlone(record, value)) return NONE;
  const { siblings, newestTime, context } = decodeRecord(record);
  const isTold = seen !== undefined && knowsUnseen(context, seen.unseen);
  const others = siblings.filter((each) => !isTold || !hasSeen(seen, each));
  const equal = others.filter((each) => isSameValue(each.value, value));
  const own =
    equal.find(({ time }) => time === newestTime) ?? (equal.length === 1 ? equal[0] : undefined);
  return others.filter((each) => each !== own).map(timedDotOf);
}

/** Nearly every record: a state, no version, or that of the write, without reading it into objects. */
function isAlone(record: Uint8Array, value: Uint8Array | undefined): boolean {
  if (((record[1] as number) & FLAG_STATES) !== 0) return true;
  const entries = u16At(record, HEADER_BYTES + CONTEXT_HEADER_BYTES - 2);
  const at = HEADER_BYTES + CONTEXT_HEADER_BYTES + entries * CONTEXT_ENTRY_BYTES;
  const count = u16At(record, at);
  if (count !== 1) return count === 0;
  const head = at + 2;
  const kind = record[head + KIND_AT];
  if (kind === DELETION) return value === undefined;
  const lengthAt = head + SIBLING_HEAD_BYTES + (kind === EXPIRING_VALUE ? 8 : 0);
  const start = lengthAt + 4;
  return isSameValue(record.subarray(start, start + u32At(record, lengthAt)), value);
}

function isSameValue(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

function timedDotOf({ dot, time }: Sibling): TimedDot {
  return { actor: dot.actor, counter: dot.counter, time };
}
