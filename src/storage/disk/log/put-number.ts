const TWO_POW_32 = 4_294_967_296;

/**
 * Unsigned numbers, big-endian, into any bytes. A `Buffer`'s own methods look at value and bounds
 * first, which costs more than the writing; here nobody looks: the caller's numbers fit.
 */
export function putU32(into: Uint8Array, value: number, at: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}

/** At most 2^48 - 1. */
export function putU48(into: Uint8Array, value: number, at: number): void {
  const high = Math.floor(value / TWO_POW_32);
  into[at] = high >>> 8;
  into[at + 1] = high;
  putU32(into, value, at + 2);
}

/** A safe integer. */
export function putU64(into: Uint8Array, value: number, at: number): void {
  putU32(into, Math.floor(value / TWO_POW_32), at);
  putU32(into, value, at + 4);
}
