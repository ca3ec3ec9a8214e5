import { ConformanceFailure, shown } from "./suite.ts";

const HEADER_BYTES = 8;

/**
 * A frame that shows whether it is whole: `u32 sequence | u32 length | bytes that follow from both`.
 * At least 8 bytes.
 */
export function patternedFrame(sequence: number, length: number): Uint8Array {
  const frame = new Uint8Array(length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, sequence);
  view.setUint32(4, length);
  let byte = seedOf(sequence, length);
  for (let at = HEADER_BYTES; at < length; at += 1) {
    frame[at] = byte;
    byte = nextByte(byte, at);
  }
  return frame;
}

/** Throws a `ConformanceFailure` unless the frame is exactly one that `patternedFrame` made. */
export function readPatternedFrame(frame: Uint8Array): { readonly sequence: number } {
  if (frame.length < HEADER_BYTES) throw new ConformanceFailure(`a torn frame: ${shown(frame)}`);
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const sequence = view.getUint32(0);
  const length = view.getUint32(4);
  if (length !== frame.length) {
    throw new ConformanceFailure(
      `a torn frame: ${frame.length} bytes came of frame ${sequence} with ${length} (${shown(frame)})`,
    );
  }
  let byte = seedOf(sequence, length);
  for (let at = HEADER_BYTES; at < length; at += 1) {
    if (frame[at] !== byte) {
      throw new ConformanceFailure(`frame ${sequence} of ${length} bytes is changed at byte ${at}`);
    }
    byte = nextByte(byte, at);
  }
  return { sequence };
}

function seedOf(sequence: number, length: number): number {
  return (sequence * 31 + length * 7) & 0xff;
}

/** Not periodic in 256: a block that is repeated or left out shows. */
function nextByte(byte: number, at: number): number {
  return (byte + 1 + (at >>> 8)) & 0xff;
}
