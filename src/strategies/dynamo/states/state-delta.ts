import type { ByteReader, ByteWriter } from "../../../core/model/bytes.ts";
import { MalformedBytesError } from "../../../core/model/malformed-bytes-error.ts";
import type { HybridTime } from "../../../core/model/stamp.ts";
import { decodeValue } from "../../../core/model/values.ts";
import { readHybridTime } from "../../../core/model/wire-fields.ts";
import { CausalContext, readDot, type TimedDot, writeDot } from "../causal-context.ts";

const MAX_KEY_BYTES = 1_024;

/**
 * What one operation has added to the state of a CRDT: a delta-interval of one delta (Almeida,
 * Shoker, Baquero, "Delta State Replicated Data Types", 2018, Definitions 4 and 6).
 *
 * The causal delta-merging condition: it may be joined only to a copy that holds all of `base`,
 * which is what its maker's copy held. The copy's events are then its own and `dot`, and its state
 * is what joining the maker's whole state would have made of it.
 */
export interface StateDelta {
  readonly key: Uint8Array;
  readonly base: CausalContext;
  /** Newer than all that it follows. */
  readonly dot: TimedDot;
  /** The base of its maker's context then: all events up to it are known. */
  readonly settledTo: HybridTime;
  /** Canonical encoding of what `CrdtResolver.delta` answered. */
  readonly state: Uint8Array;
}

/** Events of the record that the operation has made. */
export function contextAfter({ base, dot, settledTo }: StateDelta): CausalContext {
  return base.with(dot).raisedTo(settledTo);
}

export function deltaBytes({ key, base, state }: StateDelta): number {
  return 4 + key.length + base.byteLength + 14 + 8 + 8 + state.length;
}

export function writeDelta(writer: ByteWriter, { key, base, dot, settledTo, state }: StateDelta) {
  writer.bytes(key);
  base.write(writer);
  writeDot(writer, dot);
  writer.u64(dot.time);
  writer.u64(settledTo);
  writer.raw(state);
}

/** Up to the end; what it answers is the caller's own. @throws MalformedBytesError. */
export function readDelta(reader: ByteReader): StateDelta {
  const key = Uint8Array.from(reader.bytes(MAX_KEY_BYTES));
  if (key.length === 0) throw new MalformedBytesError("a delta without a key");
  const base = CausalContext.read(reader);
  const dot = { ...readDot(reader), time: readHybridTime(reader) };
  if (base.covers(dot, dot.time)) throw new MalformedBytesError("a delta that its base covers");
  const settledTo = readHybridTime(reader);
  const state = Uint8Array.from(reader.raw(reader.remaining));
  decodeValue(state);
  return { key, base, dot, settledTo, state };
}
