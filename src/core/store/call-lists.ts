import { CapstanError } from "../model/errors.ts";

export type Entry = readonly [key: string, value: unknown];

export type BatchWrite =
  | { readonly put: string; readonly value: unknown }
  | { readonly delete: string };

const PUT_FIELDS = "put,value";
const DELETE_FIELDS = "delete";

export function checkList(list: unknown, what: string): void {
  if (!Array.isArray(list)) throw invalid(`${what} have to be an array, not ${kindOf(list)}`);
}

function kindOf(value: unknown): string {
  return value === null ? "null" : `of type ${typeof value}`;
}

export function checkEntry(entry: unknown): void {
  if (Array.isArray(entry) && entry.length === 2) return;
  throw invalid("an entry has to be [key, value]");
}

/** Unknown fields are refused: a misspelt one may have meant the opposite. */
export function checkBatch(writes: unknown): asserts writes is readonly BatchWrite[] {
  checkList(writes, "writes");
  for (const write of writes as readonly unknown[]) {
    const isObject = typeof write === "object" && write !== null;
    const fields = isObject ? Object.keys(write).sort().join() : "";
    if (fields === PUT_FIELDS || fields === DELETE_FIELDS) continue;
    throw invalid("a write of a batch has to be { put: key, value } or { delete: key }");
  }
}

export function keyOfWrite(write: BatchWrite): string {
  return "put" in write ? write.put : write.delete;
}

export function keyOfEntry(entry: Entry): string {
  return Array.isArray(entry) ? (entry as Entry)[0] : "";
}

export function keyItself(key: string): string {
  return key;
}

function invalid(message: string): CapstanError {
  return new CapstanError("INVALID_ARGUMENT", message);
}
