/** The same memory with the methods of a `Buffer`; costs nothing where it is one already. */
export function asBuffer(bytes: Uint8Array) {
  if (Buffer.isBuffer(bytes)) return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
