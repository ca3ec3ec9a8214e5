import { CapstanError } from "./errors.ts";
import { NameTable } from "./name-table.ts";
import { ValueDecoder } from "./value-decoder.ts";
import { ValueEncoder } from "./value-encoder.ts";
import { formatPath } from "./value-path.ts";

/** What `JSON.stringify` shows whole. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

export interface ValueLimits {
  /** Of the encoding. Default: no limit but memory's. */
  readonly maxBytes?: number;
}

/** Only a scratch buffer: nothing of one encoding is left for the next. */
const ENCODER = new ValueEncoder();
const NAMES = new NameTable();

/**
 * The canonical bytes of a value: JSON plus `Uint8Array`, `Date` and `bigint`. Equal values give
 * equal bytes, whatever the order of their properties. As in JSON, properties that are
 * `undefined`, not enumerable or named by a symbol are dropped, and -0 is 0; `toJSON` is not
 * called.
 *
 * @throws CapstanError `INVALID_VALUE`, naming the path (`$.items[3].price`), for anything else:
 * `undefined` at the top or in an array, functions, symbols, NaN and infinities, invalid dates,
 * text with half a surrogate pair, instances of other classes, cycles, more than 100 levels.
 * `VALUE_TOO_LARGE` above `limits.maxBytes`.
 */
export function encodeValue(value: unknown, limits?: ValueLimits): Uint8Array {
  const maxBytes = limits?.maxBytes ?? Number.POSITIVE_INFINITY;
  // A getter of a value that is being encoded may encode another.
  const encoder = ENCODER.busy ? new ValueEncoder() : ENCODER;
  return encoder.encode(value, maxBytes);
}

/**
 * The value again, made of fresh objects: `Uint8Array` comes back as a plain one of its own
 * memory, and own properties named `__proto__` as own properties.
 *
 * @throws MalformedBytesError for anything but one whole canonical encoding.
 */
export function decodeValue(bytes: Uint8Array): unknown {
  return new ValueDecoder(bytes, NAMES).decode();
}

/**
 * The same value, if JSON can hold it.
 *
 * @param value as `decodeValue` gives it.
 * @throws CapstanError `NOT_REPRESENTABLE`, naming the path, if it holds bytes, a date or a bigint.
 */
export function jsonOf(value: unknown): JsonValue {
  checkJson(value, []);
  return value as JsonValue;
}

function checkJson(value: unknown, path: (string | number)[]): void {
  if (typeof value === "bigint") throw notRepresentable("a bigint", path);
  if (typeof value !== "object" || value === null) return;
  if (value instanceof Uint8Array) throw notRepresentable("bytes", path);
  if (value instanceof Date) throw notRepresentable("a Date", path);
  const isArray = Array.isArray(value);
  for (const [name, member] of Object.entries(value)) {
    if (typeof member !== "object" && typeof member !== "bigint") continue;
    path.push(isArray ? Number(name) : name);
    checkJson(member, path);
    path.pop();
  }
}

function notRepresentable(what: string, segments: readonly (string | number)[]): CapstanError {
  const path = formatPath(segments);
  return new CapstanError(
    "NOT_REPRESENTABLE",
    `the value at ${path} is ${what}, which JSON cannot hold; ask for the canonical encoding instead`,
    { details: { path } },
  );
}
