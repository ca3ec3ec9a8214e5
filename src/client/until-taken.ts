import { isCapstanError } from "../core/model/errors.ts";
import { CallDeadline } from "./call-deadline.ts";
import { pause } from "./pause.ts";
import type { CallLimits, ServerConnection } from "./server-connection.ts";

/**
 * One of many calls made together: where the server has too much to do and has done nothing, it is
 * called again, for as long as one call may take, as the embedded store keeps to its bounds by itself.
 */
export async function untilTaken<Result>(
  call: () => Promise<Result>,
  connection: ServerConnection,
  { signal, timeoutMs = connection.patienceMs }: CallLimits,
): Promise<Result> {
  let patience: CallDeadline | undefined;
  try {
    for (let tries = 0; ; tries++) {
      try {
        return await call();
      } catch (error) {
        if (patience?.cause === "timeout" || !isRefusedForNow(error)) throw error;
      }
      const { abortListeners } = connection;
      patience ??= new CallDeadline(timeoutMs, signal, abortListeners, true);
      await pause(tries, patience.signal, abortListeners);
    }
  } finally {
    patience?.dispose();
  }
}

function isRefusedForNow(error: unknown): boolean {
  return isCapstanError(error) && error.code === "OVERLOADED" && error.outcome === "not-applied";
}
