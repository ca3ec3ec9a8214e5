import { CapstanError } from "./errors.ts";

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
