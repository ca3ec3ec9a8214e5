/**
 * Bytes that do not decode. Internal: whoever reads foreign bytes catches it and drops the frame,
 * or reports the damage; it never reaches a caller of the store as it is.
 */
export class MalformedBytesError extends Error {
  override readonly name = "MalformedBytesError";
}
