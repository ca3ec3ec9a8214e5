import { isUtf8 } from "node:buffer";
import { MalformedBytesError } from "./malformed-bytes-error.ts";

const REPLACEMENT = "\ufffd";

/** In every Node that the package runs on; the compiler's library for ES2023 lacks it. */
interface WellFormedTest {
  isWellFormed(): boolean;
}

/** Whether the text has a UTF-8 form: no half of a surrogate pair stands alone. */
export function isWellFormed(text: string): boolean {
  return (text as unknown as WellFormedTest).isWellFormed();
}

/**
 * The text of well-formed UTF-8; a byte order mark is a character like any other. Bytes that are
 * no UTF-8 decode to text with U+FFFD in it, which two different damages would share, so that
 * only such text has to be looked at again.
 *
 * @throws MalformedBytesError
 */
export function decodeUtf8(bytes: Uint8Array, from: number, to: number): string {
  const text = utf8Slice.call(bytes, from, to);
  if (text.includes(REPLACEMENT) && !isUtf8(bytes.subarray(from, to))) {
    throw new MalformedBytesError("text is not well-formed UTF-8");
  }
  return text;
}

type Utf8Slice = (this: Uint8Array, start: number, end: number) => string;

/**
 * Node's own conversion, which takes any Uint8Array, without the way through `toString` and a
 * Buffer of its own: see `keyText`. Where it is missing, the documented way serves.
 */
const utf8Slice: Utf8Slice =
  (Buffer.prototype as { utf8Slice?: Utf8Slice }).utf8Slice ??
  function slice(this: Uint8Array, start: number, end: number): string {
    return Buffer.from(this.buffer, this.byteOffset, this.length).toString("utf8", start, end);
  };
