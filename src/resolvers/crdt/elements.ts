import { encodeValue } from "../../core/model/values.ts";

/**
 * A total order of Capstan values, 0 exactly for those of equal encodings: texts first, by their
 * UTF-16 code units, then everything else by its bytes.
 */
export function compareElements(a: unknown, b: unknown): number {
  if (typeof a === "string") {
    if (typeof b !== "string") return -1;
    return a === b ? 0 : a < b ? -1 : 1;
  }
  if (typeof b === "string") return 1;
  return a === b ? 0 : Buffer.compare(encodeValue(a), encodeValue(b));
}

export function compareTexts(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
