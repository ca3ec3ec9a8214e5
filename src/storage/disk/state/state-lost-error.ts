/** The file does not hold together: nothing in it may be believed. */
export class StateLostError extends Error {
  override readonly name = "StateLostError";
}
