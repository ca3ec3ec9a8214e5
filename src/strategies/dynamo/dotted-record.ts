import { u16At, u64At } from "../../core/model/big-endian.ts";
import { ByteReader, ByteWriter } from "../../core/model/bytes.ts";
import { MalformedBytesError } from "../../core/model/malformed-bytes-error.ts";
import { type HybridTime, MAX_HYBRID_TIME } from "../../core/model/stamp.ts";
import { readHybridTime } from "../../core/model/wire-fields.ts";
import type { KeyedRecord } from "../leaderless/record.ts";
import type { Relation } from "../leaderless/record-rules.ts";
import {
  CausalContext,
  CONTEXT_ENTRY_BYTES,
  CONTEXT_HEADER_BYTES,
  compareDots,
  type EventDot,
  readDot,
  writeDot,
} from "./causal-context.ts";
import { relationOfEncoded } from "./context-bytes.ts";
import {
  DELETION,
  EXPIRING_VALUE,
  FLAG_ALIVE,
  FLAG_EXPIRES,
  FLAG_STATES,
  FLAG_SUMMARY,
  FORMAT,
  HEADER_BYTES,
  KNOWN_FLAGS,
  SIBLING_HEAD_BYTES,
  TIME_AT,
  VALUE,
} from "./dotted-layout.ts";
import { isPlainRecord } from "./plain-record.ts";
import type { EncodedState, StatePlan } from "./states/encoded-state.ts";

/** One version that no other known one replaces. */
export interface Sibling {
  readonly dot: EventDot;
  /** Hybrid time of its write; rises along every chain of writes that saw each other. */
  readonly time: HybridTime;
  /** Canonical encoding; undefined for a deletion that competes with versions (last writer wins). */
  readonly value: Uint8Array | undefined;
  /** When the value is gone, in milliseconds of wall time. Undefined: it stays. */
  readonly expiresAtMs?: number;
}

/** What a record is a version of its key by. */
export interface RecordVersion {
  readonly context: CausalContext;
  /** Greatest time of any event in the context. */
  readonly newestTime: HybridTime;
}

/**
 * All that is known of one key. Either versions side by side, or the state of a CRDT. What is
 * there is a function of the events in `context`, and of which of them have expired: equal contexts,
 * equal bytes, as soon as every copy has come to the expiry.
 */
export interface DottedRecord extends RecordVersion {
  /** Sorted by dot, all covered by the context. None: the key is deleted. */
  readonly siblings: readonly Sibling[];
  /**
   * Encoded states, sorted by bytes, of a keyspace of a CRDT; more than one only where its `join`
   * has thrown. Empty otherwise.
   */
  readonly states: readonly Uint8Array[];
}

const NO_VALUE: Readonly<Uint8Array> = new Uint8Array(0);

export const NOTHING: DottedRecord = Object.freeze({
  context: CausalContext.EMPTY,
  newestTime: 0,
  siblings: Object.freeze([]),
  states: Object.freeze([]),
});

/**
 * What is known of a key that is not held, where every event up to `floor` is known. A record that is
 * made of it says so: else whoever has seen what was settled would look for that in vain.
 */
export function nothingUpTo(floor: HybridTime): DottedRecord {
  if (floor === 0) return NOTHING;
  return { ...NOTHING, context: CausalContext.upTo(floor), newestTime: floor };
}

/** When the first of the versions that are alive expires; undefined if none does. */
export function firstExpiryOf({ siblings }: DottedRecord): number | undefined {
  let first: number | undefined;
  for (const { value, expiresAtMs } of siblings) {
    if (value === undefined || expiresAtMs === undefined) continue;
    if (first === undefined || expiresAtMs < first) first = expiresAtMs;
  }
  return first;
}

/** What its header says: whether it has to be looked into. */
export function expires(bytes: Uint8Array): boolean {
  return ((bytes[1] as number) & (FLAG_EXPIRES | FLAG_SUMMARY)) === FLAG_EXPIRES;
}

/** Its context alone, without what is alive. */
export function isSummary(bytes: Uint8Array): boolean {
  return ((bytes[1] as number) & FLAG_SUMMARY) !== 0;
}

export function isAlive({ siblings, states }: DottedRecord): boolean {
  return states.length > 0 || siblings.some(({ value }) => value !== undefined);
}

export function encodeRecord(record: DottedRecord): Uint8Array {
  const writer = new ByteWriter(sizeOf(record));
  writeRecord(writer, record);
  // The writer is given up: its memory is the record's.
  return writer.view();
}

/** A key with its record, encoded in place. */
export function keyDottedRecord(key: Uint8Array, record: DottedRecord): KeyedRecord {
  const recordAt = 2 + key.length;
  const writer = new ByteWriter(recordAt + sizeOf(record));
  writer.u16(key.length);
  writer.raw(key);
  writeRecord(writer, record);
  const payload = writer.view();
  return { payload, key, record: payload.subarray(recordAt) };
}

function writeRecord(writer: ByteWriter, record: DottedRecord): void {
  const { context, newestTime, siblings, states } = record;
  const isStates = states.length > 0;
  writer.u8(FORMAT);
  writer.u8(
    (isAlive(record) ? FLAG_ALIVE : 0) |
      (isStates ? FLAG_STATES : 0) |
      (firstExpiryOf(record) === undefined ? 0 : FLAG_EXPIRES),
  );
  writer.u64(newestTime);
  context.write(writer);
  writer.u16(isStates ? states.length : siblings.length);
  for (const state of states) writer.bytes(state);
  for (const { dot, time, value, expiresAtMs } of siblings) {
    writeDot(writer, dot);
    writer.u64(time);
    writer.u8(value === undefined ? DELETION : expiresAtMs === undefined ? VALUE : EXPIRING_VALUE);
    if (value !== undefined && expiresAtMs !== undefined) writer.u64(expiresAtMs);
    if (value !== undefined) writer.bytes(value);
  }
}

/**
 * A key with its record of one state, which `state` writes in place: `u16 key length, key, record`,
 * the record as `encodeRecord` makes it. Copies a large state once, not three times.
 */
export function keyStateRecord(
  key: Uint8Array,
  { context, newestTime }: RecordVersion,
  state: StatePlan,
): { readonly keyed: KeyedRecord; readonly encoded: EncodedState } {
  const writer = new ByteWriter(2 + key.length + HEADER_BYTES + context.byteLength + 2 + 4);
  writer.u16(key.length);
  writer.raw(key);
  writer.u8(FORMAT);
  writer.u8(FLAG_ALIVE | FLAG_STATES);
  writer.u64(newestTime);
  context.write(writer);
  writer.u16(1);
  writer.u32(state.byteLength);
  const payload = Buffer.allocUnsafe(writer.length + state.byteLength);
  payload.set(writer.view());
  const encoded = state.write(payload, writer.length);
  return { keyed: { payload, key, record: payload.subarray(2 + key.length) }, encoded };
}

/** Values and states are views. @throws MalformedBytesError, also for a summary. */
export function decodeRecord(bytes: Uint8Array): DottedRecord {
  return readRecord(bytes, (reader) => reader.bytes());
}

function readRecord(bytes: Uint8Array, readValue: ReadValue): DottedRecord {
  const reader = new ByteReader(bytes);
  const flags = readHeader(reader);
  if ((flags & FLAG_SUMMARY) !== 0) throw new MalformedBytesError("a summary for a record");
  const newestTime = readHybridTime(reader);
  const context = CausalContext.read(reader);
  const count = reader.u16();
  const isStates = (flags & FLAG_STATES) !== 0;
  const record: DottedRecord = {
    context,
    newestTime,
    siblings: isStates ? [] : readSiblings(reader, count, readValue),
    states: isStates ? readStates(reader, count) : [],
  };
  reader.end();
  checkConsistent(record, flags);
  return record;
}

/** Accepts summaries too. @throws MalformedBytesError. */
export function checkRecord(bytes: Uint8Array): void {
  if (isPlainRecord(bytes)) return;
  const reader = new ByteReader(bytes);
  const flags = readHeader(reader);
  if ((flags & FLAG_SUMMARY) === 0) {
    readRecord(bytes, passOver);
    return;
  }
  readHybridTime(reader);
  CausalContext.read(reader);
  reader.end();
}

/** A view of the header is not enough: the summary says that it is one. */
export function summaryOf(bytes: Uint8Array): Uint8Array {
  const context = contextOf(bytes);
  // A copy, which `slice` of a Buffer is not.
  const summary = Uint8Array.from(bytes.subarray(0, HEADER_BYTES + context.byteLength));
  summary[1] = (summary[1] as number) | FLAG_SUMMARY;
  return summary;
}

/** How the contexts of records that were checked stand to each other; of summaries, too. */
export function relationOf(held: Uint8Array, incoming: Uint8Array): Relation {
  return relationOfEncoded(held, incoming, HEADER_BYTES);
}

/** Of records and summaries. */
export function contextOf(bytes: Uint8Array): CausalContext {
  const reader = new ByteReader(bytes);
  reader.skip(HEADER_BYTES);
  return CausalContext.read(reader);
}

export function isTombstone(bytes: Uint8Array): boolean {
  return ((bytes[1] as number) & FLAG_ALIVE) === 0;
}

export function newestTimeOf(bytes: Uint8Array): HybridTime {
  if (bytes.length < HEADER_BYTES)
    throw new MalformedBytesError(`a record of ${bytes.length} bytes`);
  const time = u64At(bytes, TIME_AT);
  if (time > MAX_HYBRID_TIME) throw new MalformedBytesError(`a time of ${time}`);
  return time;
}

/** Of a record that was checked: nothing that it knows of is newer. */
export function timeAbove(bytes: Uint8Array): HybridTime {
  return Math.max(u64At(bytes, TIME_AT), u64At(bytes, HEADER_BYTES));
}

/** A view: the context of a record that was checked, as it is encoded. */
export function encodedContextOf(bytes: Uint8Array): Uint8Array {
  const count = u16At(bytes, HEADER_BYTES + CONTEXT_HEADER_BYTES - 2);
  const length = CONTEXT_HEADER_BYTES + count * CONTEXT_ENTRY_BYTES;
  return bytes.subarray(HEADER_BYTES, HEADER_BYTES + length);
}

function readHeader(reader: ByteReader): number {
  const format = reader.u8();
  if (format !== FORMAT) throw new MalformedBytesError(`record format ${format}`);
  const flags = reader.u8();
  if ((flags & ~KNOWN_FLAGS) !== 0) throw new MalformedBytesError(`record flags ${flags}`);
  return flags;
}

/** To check a record takes no views of its values. */
type ReadValue = (reader: ByteReader) => Uint8Array;

function passOver(reader: ByteReader): Uint8Array {
  reader.skip(reader.u32());
  return NO_VALUE;
}

function readSiblings(reader: ByteReader, count: number, readValue: ReadValue): Sibling[] {
  // Of the length that it has: one that grows by `push` begins with room for seventeen.
  const siblings: Sibling[] = new Array(Math.min(count, reader.remaining));
  for (let i = 0; i < count; i++) {
    const dot = readDot(reader);
    const time = readHybridTime(reader);
    const kind = reader.u8();
    if (kind > EXPIRING_VALUE) throw new MalformedBytesError(`sibling kind ${kind}`);
    if (kind === EXPIRING_VALUE) {
      const expiresAtMs = readExpiry(reader);
      siblings[i] = { dot, time, value: readValue(reader), expiresAtMs };
    } else siblings[i] = { dot, time, value: kind === VALUE ? readValue(reader) : undefined };
  }
  return siblings;
}

function readExpiry(reader: ByteReader): number {
  const expiresAtMs = reader.u64();
  if (Number.isSafeInteger(expiresAtMs)) return expiresAtMs;
  throw new MalformedBytesError(`an expiry of ${expiresAtMs}`);
}

function readStates(reader: ByteReader, count: number): Uint8Array[] {
  const states: Uint8Array[] = [];
  for (let i = 0; i < count; i++) states.push(reader.bytes());
  return states;
}

function checkConsistent(record: DottedRecord, flags: number): void {
  const { context, siblings, states } = record;
  if (((flags & FLAG_ALIVE) !== 0) !== isAlive(record)) {
    throw new MalformedBytesError("a record that is not as alive as it says");
  }
  if (((flags & FLAG_EXPIRES) !== 0) !== (firstExpiryOf(record) !== undefined)) {
    throw new MalformedBytesError("a record that expires otherwise than it says");
  }
  if (((flags & FLAG_STATES) !== 0) !== states.length > 0) {
    throw new MalformedBytesError("a record of states without one");
  }
  let previous: Sibling | undefined;
  for (const sibling of siblings) {
    const { dot, time } = sibling;
    if (previous !== undefined && compareDots(previous.dot, dot) >= 0) {
      throw new MalformedBytesError("siblings that are not in the order of their dots");
    }
    if (!context.covers(dot, time)) throw new MalformedBytesError("a sibling beyond its context");
    previous = sibling;
  }
  for (let i = 1; i < states.length; i++) {
    if (Buffer.compare(states[i - 1] as Uint8Array, states[i] as Uint8Array) >= 0) {
      throw new MalformedBytesError("states that are not in their order");
    }
  }
}

function sizeOf({ context, siblings, states }: DottedRecord): number {
  let size = HEADER_BYTES + context.byteLength + 2;
  for (const { value, expiresAtMs } of siblings) {
    size += SIBLING_HEAD_BYTES;
    if (value === undefined) continue;
    size += (expiresAtMs === undefined ? 0 : 8) + 4 + value.length;
  }
  for (const state of states) size += 4 + state.length;
  return size;
}
