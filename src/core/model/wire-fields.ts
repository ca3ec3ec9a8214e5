import type { ByteReader } from "./bytes.ts";
import { MalformedBytesError } from "./malformed-bytes-error.ts";
import { type HybridTime, MAX_HYBRID_TIME } from "./stamp.ts";

// Fields that codecs have in common. What is read has come from a peer or a disk, and is checked:
// one value has one encoding, and everything else throws `MalformedBytesError`.

/** One byte, 0 or 1. */
export function readFlag(reader: ByteReader): boolean {
  const flag = reader.u8();
  if (flag > 1) throw new MalformedBytesError(`flag ${flag}`);
  return flag === 1;
}

export function readHybridTime(reader: ByteReader): HybridTime {
  const time = reader.u64();
  if (time > MAX_HYBRID_TIME) throw new MalformedBytesError(`a time of ${time}`);
  return time;
}

/** The option that was written as its place among them; `what` names the field. */
export function optionAt<T>(options: readonly T[], place: number, what: string): T {
  const option = options[place];
  if (option === undefined) throw new MalformedBytesError(`${what} ${place}`);
  return option;
}

/** Frames are borrowed; what a machine keeps must be its own. Small copies share a slab. */
export function ownCopy(view: Uint8Array): Uint8Array {
  const copy = Buffer.allocUnsafe(view.length);
  copy.set(view);
  return copy;
}
