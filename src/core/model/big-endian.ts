const TWO_POW_32 = 4_294_967_296;

/**
 * Unsigned numbers, big-endian, in any bytes, without a look at bounds or value: a `Buffer`'s own
 * methods look first, which costs more than the writing. Whoever calls has made sure of both.
 *
 * The halves of a number are taken without `%`, which is a call into C for numbers above 2^31:
 * `>>> 0` is the remainder by 2^32, exactly, and a division by a power of two is exact, too.
 */
export function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** A safe integer ≥ 0, below 2^48. */
export function putU48(bytes: Uint8Array, at: number, value: number): void {
  const high = (value / TWO_POW_32) >>> 0;
  bytes[at] = high >>> 8;
  bytes[at + 1] = high;
  putU32(bytes, at + 2, value >>> 0);
}

/** A safe integer ≥ 0. */
export function putU64(bytes: Uint8Array, at: number, value: number): void {
  putU32(bytes, at, (value / TWO_POW_32) >>> 0);
  putU32(bytes, at + 4, value >>> 0);
}

export function u16At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

export function u32At(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}

export function u48At(bytes: Uint8Array, at: number): number {
  return u16At(bytes, at) * TWO_POW_32 + u32At(bytes, at + 2);
}

/** Exact only for what was written as a safe integer. */
export function u64At(bytes: Uint8Array, at: number): number {
  return u32At(bytes, at) * TWO_POW_32 + u32At(bytes, at + 4);
}
