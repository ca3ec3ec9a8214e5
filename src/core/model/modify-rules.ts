import { CapstanError } from "./errors.ts";

/** A key that other writers change more often than this in one `modify` is not fit for it. */
export const MODIFY_ATTEMPTS = 16;

/**
 * Before anything is read: what is wrong with the call is not the key's affair.
 *
 * @throws CapstanError `INVALID_ARGUMENT`.
 */
export function refuseNoFunction(change: unknown): void {
  if (typeof change === "function") return;
  throw new CapstanError(
    "INVALID_ARGUMENT",
    `modify takes a function of the current value; this is ${change === null ? "null" : typeof change}`,
    { allowed: ["a function"] },
  );
}

/**
 * What the function is called with: undefined where the key is not there.
 *
 * @throws CapstanError `NOT_SUPPORTED` where concurrent versions stay apart.
 */
export function valueToModify(
  current: { readonly found: boolean; readonly conflict?: boolean; readonly value?: unknown },
  key: string,
): unknown {
  if (!current.found) return undefined;
  if (current.conflict !== true) return current.value;
  throw new CapstanError(
    "NOT_SUPPORTED",
    `modify of ${JSON.stringify(key)}: concurrent versions stay apart, so there is no one value`,
  );
}

/** Every attempt has met another writer's version. */
export function contended(key: string): CapstanError {
  return new CapstanError(
    "CONTENDED",
    `modify of ${JSON.stringify(key)} lost to other writers ${MODIFY_ATTEMPTS} times; ` +
      "its change was not written",
  );
}
