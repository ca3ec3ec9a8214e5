import { isRootPrototype } from "./value-kinds.ts";

/** An object literal, of whichever realm: no list, no instance of a class. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || isRootPrototype(prototype);
}

/** Deeper than any option; ends cycles. */
const MAX_COPY_DEPTH = 20;

/**
 * A frozen copy of plain objects and lists, all the way down. Anything else (functions, instances
 * of classes) belongs to somebody, and stays the very same.
 */
function frozenCopy(value: unknown, depth = 0): unknown {
  if (depth > MAX_COPY_DEPTH) return value;
  if (Array.isArray(value)) {
    return Object.freeze(value.map((each) => frozenCopy(each, depth + 1)));
  }
  return isPlainObject(value) ? frozenRecord(Object.entries(value), depth) : value;
}

export function frozenRecord(
  entries: readonly (readonly [string, unknown])[],
  depth = 0,
): Readonly<Record<string, unknown>> {
  return Object.freeze(
    Object.fromEntries(entries.map(([name, each]) => [name, frozenCopy(each, depth + 1)])),
  );
}
