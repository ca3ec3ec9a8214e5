/**
 * Keys as strings of one code unit per byte: JavaScript compares strings by code unit, so that
 * their order is the order of the bytes, and a `Map` hashes and compares them natively. What stands
 * before `from` is left out.
 */
export function keyText(key: Uint8Array, from = 0): string {
  return latin1Slice.call(key, from, key.length);
}

type Latin1Slice = (this: Uint8Array, start: number, end: number) => string;

/**
 * Node's own conversion, which takes any Uint8Array: making a Buffer of each key first costs as
 * much again. It is not in the documentation; where it is missing, the documented way serves.
 */
const latin1Slice: Latin1Slice =
  (Buffer.prototype as { latin1Slice?: Latin1Slice }).latin1Slice ??
  function slice(this: Uint8Array, start: number, end: number): string {
    return Buffer.from(this.buffer, this.byteOffset, this.length).toString("latin1", start, end);
  };
