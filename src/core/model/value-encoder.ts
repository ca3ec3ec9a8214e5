import { CapstanError } from "./errors.ts";
import { isWellFormed } from "./utf8.ts";
import {
  MAX_VALUE_DEPTH,
  TAG_ARRAY,
  TAG_BIGINT,
  TAG_BYTES,
  TAG_DATE,
  TAG_FALSE,
  TAG_FLOAT,
  TAG_INTEGER,
  TAG_NEGATIVE,
  TAG_NEGATIVE_BIGINT,
  TAG_NULL,
  TAG_OBJECT,
  TAG_SMALL,
  TAG_TEXT,
  TAG_TRUE,
  VALUE_VERSION,
} from "./value-format.ts";
import { className, isBytes, isDate, isRootPrototype } from "./value-kinds.ts";
import { formatPath } from "./value-path.ts";

const SLAB_BYTES = 64 * 1024;
/** With less room than this left, the next encoding begins a new slab. */
const MIN_ROOM_BYTES = 1024;
/** Up to here a loop beats a call into native code. */
const SHORT_TEXT = 32;
/** Longest head of an item: a tag, and a varint or a double. */
const MAX_HEAD_BYTES = 10;
const FEW_KEYS = 16;

/**
 * Turns values into their canonical bytes; the format is in `value-format.ts`. Meant to be used
 * again and again, but not while it is `busy`: a getter of the value may ask for another encoding.
 *
 * Encodings stand one behind another in slabs and are handed out as views: memory of their own
 * would cost more than the encoding, and an encoding lives as long as the call that it is for.
 */
export class ValueEncoder {
  #buffer: Buffer = Buffer.allocUnsafeSlow(SLAB_BYTES);
  /** Where the encoding under way begins; before it stand earlier ones. */
  #start = 0;
  #at = 0;
  #maxBytes = 0;
  #depth = 0;
  #busy = false;
  #root: unknown;
  /** Where the encoder stands: `#depth` segments. Names alone, so that no value is kept alive. */
  readonly #path: (string | number)[] = [];

  get busy(): boolean {
    return this.#busy;
  }

  encode(value: unknown, maxBytes: number): Uint8Array {
    this.#busy = true;
    this.#root = value;
    this.#maxBytes = maxBytes;
    this.#depth = 0;
    if (this.#buffer.length - this.#at < MIN_ROOM_BYTES) this.#beginSlab();
    this.#start = this.#at;
    this.#buffer[this.#at++] = VALUE_VERSION;
    try {
      this.#item(value);
      if (this.#at - this.#start > maxBytes) throw this.#tooLarge();
      return this.#buffer.subarray(this.#start, this.#at);
    } catch (error) {
      this.#at = this.#start;
      throw error;
    } finally {
      this.#busy = false;
      this.#root = undefined;
      // One that a big value made larger is let go again.
      if (this.#buffer.length > SLAB_BYTES) this.#beginSlab();
    }
  }

  #item(value: unknown): void {
    switch (typeof value) {
      case "string":
        this.#reserve(1);
        this.#buffer[this.#at++] = TAG_TEXT;
        this.#text(value);
        return;
      case "number":
        this.#number(value);
        return;
      case "boolean":
        this.#reserve(1);
        this.#buffer[this.#at++] = value ? TAG_TRUE : TAG_FALSE;
        return;
      case "bigint":
        this.#bigint(value);
        return;
      case "object":
        if (value !== null) this.#object(value);
        else {
          this.#reserve(1);
          this.#buffer[this.#at++] = TAG_NULL;
        }
        return;
      default:
        throw this.#refusal(typeof value === "undefined" ? "undefined" : `a ${typeof value}`);
    }
  }

  #number(value: number): void {
    this.#reserve(MAX_HEAD_BYTES);
    if (Number.isSafeInteger(value)) {
      if (value >= 0) {
        if (value < TAG_SMALL) this.#buffer[this.#at++] = TAG_SMALL + value;
        else this.#head(TAG_INTEGER, value);
      } else this.#head(TAG_NEGATIVE, -1 - value);
      return;
    }
    if (!Number.isFinite(value)) throw this.#refusal(String(value));
    this.#double(TAG_FLOAT, value);
  }

  #bigint(value: bigint): void {
    const negative = value < 0n;
    let hex = (negative ? -value : value).toString(16);
    if (hex.length % 2 === 1) hex = `0${hex}`;
    const length = value === 0n ? 0 : hex.length / 2;
    this.#reserve(MAX_HEAD_BYTES + length);
    this.#head(negative ? TAG_NEGATIVE_BIGINT : TAG_BIGINT, length);
    this.#buffer.write(hex, this.#at, length, "hex");
    this.#at += length;
  }

  #object(value: object): void {
    if (Array.isArray(value)) {
      this.#array(value);
      return;
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) {
      this.#record(value as Readonly<Record<string, unknown>>);
    } else if (ArrayBuffer.isView(value)) this.#bytes(value);
    else if (isDate(value)) this.#date(value);
    // The root prototype of another realm: a test runner's, or one of node:vm.
    else if (isRootPrototype(prototype)) this.#record(value as Readonly<Record<string, unknown>>);
    else throw this.#refusal(`an instance of ${className(value)}`);
  }

  #array(values: readonly unknown[]): void {
    this.#enter(values);
    const depth = this.#depth;
    const count = values.length;
    this.#reserve(MAX_HEAD_BYTES);
    this.#head(TAG_ARRAY, count);
    for (let index = 0; index < count; index++) {
      this.#path[depth - 1] = index;
      this.#item(values[index]);
    }
    this.#depth = depth - 1;
  }

  #record(value: Readonly<Record<string, unknown>>): void {
    this.#enter(value);
    const depth = this.#depth;
    const keys = sorted(Object.keys(value));
    this.#reserve(MAX_HEAD_BYTES);
    const start = this.#at;
    this.#head(TAG_OBJECT, keys.length);
    const body = this.#at;
    let count = 0;
    for (const key of keys) {
      const member = value[key];
      if (member === undefined) continue;
      this.#path[depth - 1] = key;
      this.#text(key);
      this.#item(member);
      count++;
    }
    if (count !== keys.length) this.#recount(start, body, count);
    this.#depth = depth - 1;
  }

  /** Members were dropped: writes the lower count, and closes the gap that it may leave. */
  #recount(start: number, body: number, count: number): void {
    const end = this.#at;
    this.#at = start;
    this.#head(TAG_OBJECT, count);
    this.#buffer.copyWithin(this.#at, body, end);
    this.#at += end - body;
  }

  #bytes(value: ArrayBufferView): void {
    if (!isBytes(value)) throw this.#refusal(`an instance of ${className(value)}`);
    const length = value.length;
    if (this.#at - this.#start + length > this.#maxBytes) throw this.#tooLarge();
    this.#reserve(MAX_HEAD_BYTES + length);
    this.#head(TAG_BYTES, length);
    this.#buffer.set(value, this.#at);
    this.#at += length;
  }

  #date(value: Date): void {
    const ms = Date.prototype.getTime.call(value);
    if (Number.isNaN(ms)) throw this.#refusal("an invalid Date");
    this.#reserve(MAX_HEAD_BYTES);
    this.#double(TAG_DATE, ms);
  }

  /** A varint of the length and the UTF-8 bytes. */
  #text(text: string): void {
    const length = text.length;
    if (length > SHORT_TEXT) {
      this.#longText(text);
      return;
    }
    this.#reserve(1 + SHORT_TEXT);
    const buffer = this.#buffer;
    const start = this.#at;
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) {
        this.#longText(text);
        return;
      }
      buffer[start + 1 + index] = code;
    }
    buffer[start] = length;
    this.#at = start + 1 + length;
  }

  #longText(text: string): void {
    if (this.#at - this.#start + text.length > this.#maxBytes) throw this.#tooLarge();
    const length = Buffer.byteLength(text, "utf8");
    const ascii = length === text.length;
    if (!ascii && !isWellFormed(text)) {
      throw this.#refusal("text with half a surrogate pair");
    }
    this.#reserve(MAX_HEAD_BYTES + length);
    this.#varint(length);
    this.#buffer.write(text, this.#at, length, ascii ? "latin1" : "utf8");
    this.#at += length;
  }

  #head(tag: number, count: number): void {
    this.#buffer[this.#at++] = tag;
    this.#varint(count);
  }

  #varint(value: number): void {
    const buffer = this.#buffer;
    let at = this.#at;
    let rest = value;
    while (rest > 0x7fffffff) {
      buffer[at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    while (rest > 0x7f) {
      buffer[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    buffer[at++] = rest;
    this.#at = at;
  }

  #double(tag: number, value: number): void {
    this.#buffer[this.#at] = tag;
    this.#at = this.#buffer.writeDoubleBE(value, this.#at + 1);
  }

  #enter(value: object): void {
    if (this.#depth === MAX_VALUE_DEPTH) throw this.#tooDeep(value);
    this.#depth++;
  }

  #reserve(count: number): void {
    if (this.#at + count > this.#buffer.length) this.#grow(this.#at + count);
  }

  #grow(needed: number): void {
    if (this.#at - this.#start > this.#maxBytes) throw this.#tooLarge();
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#at);
    this.#buffer = grown;
  }

  #beginSlab(): void {
    this.#buffer = Buffer.allocUnsafeSlow(SLAB_BYTES);
    this.#at = 0;
  }

  #refusal(what: string, depth = this.#depth): CapstanError {
    const path = formatPath(this.#path.slice(0, depth));
    return new CapstanError(
      "INVALID_VALUE",
      `the value at ${path} is ${what}, which cannot be stored; a value is JSON, Uint8Array, Date or bigint`,
      { details: { path } },
    );
  }

  #tooLarge(): CapstanError {
    return new CapstanError(
      "VALUE_TOO_LARGE",
      `the encoded value is larger than the ${this.#maxBytes} bytes that are allowed`,
      { details: { maxBytes: this.#maxBytes } },
    );
  }

  /** Says which it is, a cycle or depth, by walking the path once more. */
  #tooDeep(value: object): CapstanError {
    const ancestors: unknown[] = [];
    let current = this.#root;
    for (let depth = 0; depth < this.#depth; depth++) {
      if (ancestors.includes(current)) return this.#refusal("part of itself (a cycle)", depth);
      ancestors.push(current);
      current = (current as Readonly<Record<string | number, unknown>>)[
        this.#path[depth] as string | number
      ];
    }
    if (ancestors.includes(value)) return this.#refusal("part of itself (a cycle)");
    return this.#refusal(`nested deeper than ${MAX_VALUE_DEPTH} levels`);
  }
}

/** By UTF-16 code units, in place. Few keys, and keys in order already, are the common cases. */
function sorted(keys: string[]): string[] {
  if (keys.length > FEW_KEYS) return keys.sort();
  for (let index = 1; index < keys.length; index++) {
    const key = keys[index] as string;
    let gap = index;
    while (gap > 0 && (keys[gap - 1] as string) > key) {
      keys[gap] = keys[gap - 1] as string;
      gap--;
    }
    keys[gap] = key;
  }
  return keys;
}
