import { CapstanError } from "./errors.ts";

/** @throws CapstanError `INVALID_ARGUMENT`. */
export function checkList(list: unknown, what: string): void {
  if (Array.isArray(list)) return;
  throw invalid(`${what} have to be an array, not ${typeNameOf(list)}`);
}

/** @throws CapstanError `INVALID_ARGUMENT`. */
export function checkEntry(entry: unknown): void {
  if (Array.isArray(entry) && entry.length === 2) return;
  throw invalid("an entry has to be [key, value]");
}

/** What was handed over in the place of something else, for the words "has to be …, not …". */
export function typeNameOf(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "an array" : `of type ${typeof value}`;
}

function invalid(message: string): CapstanError {
  return new CapstanError("INVALID_ARGUMENT", message);
}
