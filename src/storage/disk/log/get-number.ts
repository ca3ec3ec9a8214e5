const TWO_POW_32 = 4_294_967_296;

/**
 * Unsigned numbers, big-endian, of any bytes: the other way of `put-number.ts`, and like it without a
 * look at the bounds. A caller has seen that the bytes are there.
 */
export function getU32(from: Uint8Array, at: number): number {
  return (
    (((from[at] as number) << 24) |
      ((from[at + 1] as number) << 16) |
      ((from[at + 2] as number) << 8) |
      (from[at + 3] as number)) >>>
    0
  );
}

export function getU48(from: Uint8Array, at: number): number {
  const high = ((from[at] as number) << 8) | (from[at + 1] as number);
  return high * TWO_POW_32 + getU32(from, at + 2);
}

export function getU64(from: Uint8Array, at: number): number {
  return getU32(from, at) * TWO_POW_32 + getU32(from, at + 4);
}
