import type { Storage } from "../contracts/storage.ts";
import { type LogSequence, NO_SEQUENCE, type ShardId } from "../model/ids.ts";
import { keyText } from "../model/key-text.ts";

/** Under `meta` of a shard: the sequence up to which its log is in the state. */
export const APPLIED_KEY: Uint8Array = Buffer.from("applied", "utf8");

export const APPLIED_TEXT = keyText(APPLIED_KEY);

export function appliedBytes(sequence: LogSequence): Uint8Array {
  const value = new Uint8Array(8);
  // One is made for every shard at every sync, and a view of it costs more than the bytes.
  writeDouble.call(value, sequence, 0);
  return value;
}

export function appliedSequenceOf(storage: Storage, shard: ShardId): LogSequence {
  const value = storage.state.get(shard, "meta", APPLIED_KEY);
  return value === undefined ? NO_SEQUENCE : appliedSequenceIn(value);
}

const writeDouble: (this: Uint8Array, value: number, at: number) => void =
  Buffer.prototype.writeDoubleBE;

const readDouble: (this: Uint8Array, at: number) => number = Buffer.prototype.readDoubleBE;

/** What `appliedBytes` has made of a sequence. */
export function appliedSequenceIn(value: Uint8Array): LogSequence {
  return readDouble.call(value, 0) as LogSequence;
}
