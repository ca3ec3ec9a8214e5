import { performance } from "node:perf_hooks";
import { Interruption } from "../src/cli/interruption.ts";

/** As a shell counts a process that SIGINT has ended. */
export const INTERRUPTED = 130;

/**
 * The wish to stop, of a script with workers. At the first SIGINT or SIGTERM it ends with what it has; a
 * second one ends it at once. A terminal sends them to the workers too, and one of those may be gone
 * before this process hears of it: that is the same wish.
 */
export function interruptible(): Interruption {
  const interruption = new Interruption(() => performance.now());
  for (const cause of ["SIGINT", "SIGTERM"] as const) {
    process.on(cause, () => interruption.request(cause));
  }
  interruption.immediate.addEventListener("abort", () => process.exit(INTERRUPTED));
  return interruption;
}

/** Of a script that ends now: what it has found stands above that it was stopped. */
export function exitCodeOf(hasFailed: boolean, { requested }: Interruption): number {
  if (hasFailed) return 1;
  return requested ? INTERRUPTED : 0;
}
