import { putU32, putU48, putU64, u16At, u32At, u48At, u64At } from "./big-endian.ts";
import { MalformedBytesError } from "./malformed-bytes-error.ts";
import { decodeUtf8 } from "./utf8.ts";

const CAPACITY = 1024;
const NO_BYTES = Buffer.alloc(0);
const MAX_U48 = 2 ** 48 - 1;

/**
 * Grows as it is written to; big-endian, so that bytes order as the numbers do. One writer is
 * meant to be used again and again: `reset`, write, `view`.
 */
export class ByteWriter {
  #buffer: Buffer;
  #length = 0;

  /** @param capacity at least 1; of what is written, where that is known: then `view` is the whole. */
  constructor(capacity?: number) {
    this.#buffer =
      capacity === undefined ? Buffer.allocUnsafeSlow(CAPACITY) : Buffer.allocUnsafe(capacity);
  }

  get length(): number {
    return this.#length;
  }

  reset(): void {
    this.#length = 0;
  }

  /** Forgets what was written behind `length`. */
  rewind(length: number): void {
    if (length > this.#length) throw new RangeError(`rewind to ${length} beyond ${this.#length}`);
    this.#length = length;
  }

  u8(value: number): void {
    const at = this.#take(1);
    this.#buffer[at] = value;
  }

  u16(value: number): void {
    if (!(value >= 0 && value <= 0xffff)) throw outOfRange(value, "2^16 - 1");
    const at = this.#take(2);
    this.#buffer[at] = value >>> 8;
    this.#buffer[at + 1] = value;
  }

  u32(value: number): void {
    const at = this.#take(4);
    putU32(this.#buffer, at, value);
  }

  /** An integer in six bytes. */
  u48(value: number): void {
    if (!(value >= 0 && value <= MAX_U48)) throw outOfRange(value, "2^48 - 1");
    const at = this.#take(6);
    putU48(this.#buffer, at, value);
  }

  /** A safe integer ≥ 0 in eight bytes. */
  u64(value: number): void {
    if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER)) throw outOfRange(value, "2^53 - 1");
    const at = this.#take(8);
    putU64(this.#buffer, at, value);
  }

  f64(value: number): void {
    const at = this.#take(8);
    this.#buffer.writeDoubleBE(value, at);
  }

  /** The bytes alone; the reader must know how many. */
  raw(bytes: Uint8Array): void {
    const at = this.#take(bytes.length);
    this.#buffer.set(bytes, at);
  }

  /** A u32 length and the bytes. */
  bytes(bytes: Uint8Array): void {
    this.u32(bytes.length);
    this.raw(bytes);
  }

  /** A u16 length and the UTF-8 bytes. */
  string(text: string): void {
    const start = this.#take(2);
    const at = this.#take(text.length * 3);
    const written = this.#buffer.write(text, at, "utf8");
    if (written > 0xffff) {
      this.#length = start;
      throw new RangeError(`a string of ${written} bytes does not fit a u16`);
    }
    this.#buffer.writeUInt16BE(written, start);
    this.#length = at + written;
  }

  /** Overwrites four bytes written before: a length that is known only afterwards. */
  patchU32(at: number, value: number): void {
    putU32(this.#buffer, at, value);
  }

  /** Valid until the next write or reset. */
  view(from = 0): Uint8Array {
    if (from === 0 && this.#length === this.#buffer.length) return this.#buffer;
    return this.#buffer.subarray(from, this.#length);
  }

  /** As text, in URL-safe Base64 without padding. */
  base64url(from = 0): string {
    return this.#buffer.toString("base64url", from, this.#length);
  }

  /** The caller's own. */
  copy(from = 0): Uint8Array {
    const out = new Uint8Array(this.#length - from);
    out.set(this.#buffer.subarray(from, this.#length));
    return out;
  }

  #take(count: number): number {
    const at = this.#length;
    const end = at + count;
    if (end > this.#buffer.length) this.#grow(end);
    this.#length = end;
    return at;
  }

  #grow(needed: number): void {
    let capacity = this.#buffer.length * 2;
    while (capacity < needed) capacity *= 2;
    const grown = Buffer.allocUnsafeSlow(capacity);
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}

/**
 * Reads what a `ByteWriter` wrote. Every read is checked against the end: bytes from a peer or a
 * disk are never trusted, and a read past the end is a `MalformedBytesError`, never `undefined`.
 */
export class ByteReader {
  #buffer: Buffer = NO_BYTES;
  #offset = 0;
  #end = 0;

  constructor(bytes?: Uint8Array) {
    if (bytes !== undefined) this.reset(bytes);
  }

  reset(bytes: Uint8Array, from = 0, to = bytes.length): void {
    if (!(from >= 0 && from <= to && to <= bytes.length)) {
      throw new RangeError(`${from} to ${to} is not within ${bytes.length} bytes`);
    }
    this.#buffer = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#offset = from;
    this.#end = to;
  }

  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.#end - this.#offset;
  }

  u8(): number {
    const at = this.#take(1);
    return this.#buffer[at] as number;
  }

  /** The next byte, which stays to be read. */
  peek(): number {
    const at = this.#take(1);
    this.#offset = at;
    return this.#buffer[at] as number;
  }

  u16(): number {
    return u16At(this.#buffer, this.#take(2));
  }

  u32(): number {
    return u32At(this.#buffer, this.#take(4));
  }

  u48(): number {
    return u48At(this.#buffer, this.#take(6));
  }

  u64(): number {
    const value = u64At(this.#buffer, this.#take(8));
    if (value > Number.MAX_SAFE_INTEGER) {
      throw new MalformedBytesError(`integer ${value} is beyond 2^53 - 1`);
    }
    return value;
  }

  f64(): number {
    return this.#buffer.readDoubleBE(this.#take(8));
  }

  skip(count: number): void {
    this.#take(count);
  }

  /** A view of the source: copy what must outlive it. */
  raw(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#buffer.subarray(at, at + length);
  }

  /** A u32 length, at most `maxLength`, and a view of that many bytes. */
  bytes(maxLength = this.#end): Uint8Array {
    const length = this.u32();
    if (length > maxLength) {
      throw new MalformedBytesError(`length ${length} is above the allowed ${maxLength}`);
    }
    return this.raw(length);
  }

  /** A u16 length, at most `maxLength`, and that many bytes of well-formed UTF-8. */
  string(maxLength = 0xffff): string {
    const length = this.u16();
    if (length > maxLength) {
      throw new MalformedBytesError(`length ${length} is above the allowed ${maxLength}`);
    }
    const at = this.#take(length);
    return decodeUtf8(this.#buffer, at, at + length);
  }

  /** Everything must have been read: trailing bytes are as wrong as missing ones. */
  end(): void {
    if (this.#offset !== this.#end) {
      throw new MalformedBytesError(`${this.#end - this.#offset} bytes too many`);
    }
  }

  #take(count: number): number {
    const at = this.#offset;
    // Not `at + count > end` alone: a length that was computed may be negative, or NaN.
    if (!(count >= 0 && count <= this.#end - at)) {
      throw new MalformedBytesError(`${count} bytes wanted, ${this.#end - at} left`);
    }
    this.#offset = at + count;
    return at;
  }
}

function outOfRange(value: number, most: string): RangeError {
  return new RangeError(`${value} is not from 0 to ${most}`);
}
