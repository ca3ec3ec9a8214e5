import { isDeepStrictEqual } from "node:util";
import { decodeValue, encodeValue } from "../../core/model/values.ts";
import { parseJson } from "../parse-json.ts";
import { type PlainJson, plainValue } from "../plain-json.ts";

/**
 * The fields of a value in a line that `capstan load` takes: `value`, and where a load of that would
 * write something else (a date, bytes, a bigint, an integer beyond 2^53) `encoded` as well, the value's
 * canonical encoding in base64url. What a load would not even read is left out of `value`.
 */
export function valueFields(value: unknown): PlainJson {
  const plain = plainValue(value);
  const read = parseJson(JSON.stringify(plain));
  if (read.ok && isDeepStrictEqual(read.value, value)) return { value: plain };
  const encoded = Buffer.from(encodeValue(value)).toString("base64url");
  return read.ok ? { value: plain, encoded } : { encoded };
}

export type ReadValue =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: string };

/** The value that `encoded` stands for; `value` beside it has to be what `valueFields` shows of it. */
export function readEncoded(fields: Readonly<Record<string, unknown>>): ReadValue {
  const { encoded } = fields;
  const value = typeof encoded === "string" ? decoded(encoded) : undefined;
  if (value === undefined) {
    return { ok: false, problem: '"encoded" is not what `capstan scan --json` prints' };
  }
  if ("value" in fields && !isDeepStrictEqual(fields.value, plainValue(value))) {
    const problem =
      '"value" and "encoded" do not say the same; leave "encoded" out to write "value"';
    return { ok: false, problem };
  }
  return { ok: true, value };
}

/** Undefined, which no value is, for what is no encoding. */
function decoded(text: string): unknown {
  const bytes = Buffer.from(text, "base64url");
  if (bytes.toString("base64url") !== text) return undefined;
  try {
    return decodeValue(new Uint8Array(bytes));
  } catch {
    return undefined;
  }
}
