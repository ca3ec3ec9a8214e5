import { encodeValue } from "../core/model/values.ts";
import type { RegisterValue } from "./operation.ts";

/** Equal for equal values alone: the canonical encoding, spared where text says the same. */
export function nameOfValue(value: RegisterValue): string {
  if (value === undefined) return "";
  if (typeof value === "string") return `=${value}`;
  return `#${Buffer.from(encodeValue(value)).toString("latin1")}`;
}

export function sameValue(a: RegisterValue, b: RegisterValue): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  return nameOfValue(a) === nameOfValue(b);
}
