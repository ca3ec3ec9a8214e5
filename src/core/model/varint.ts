import type { ByteReader, ByteWriter } from "./bytes.ts";
import { MalformedBytesError } from "./malformed-bytes-error.ts";

/** Seven bits at a time, the lowest first: a safe integer ≥ 0 in one to eight bytes. */
export function writeVarint(writer: ByteWriter, value: number): void {
  if (!(Number.isSafeInteger(value) && value >= 0)) {
    throw new RangeError(`${value} is not from 0 to 2^53 - 1`);
  }
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) writer.u8((rest % 0x80) | 0x80);
  writer.u8(rest);
}

export function readVarint(reader: ByteReader): number {
  let value = 0;
  let factor = 1;
  for (let byte = reader.u8(); ; byte = reader.u8()) {
    value += (byte & 0x7f) * factor;
    if (!Number.isSafeInteger(value)) throw new MalformedBytesError("a number beyond 2^53 - 1");
    if (byte < 0x80) return value;
    factor *= 0x80;
  }
}
