import { isCapstanError } from "../core/model/errors.ts";
import { CallDeadline, stopwatch } from "./call-deadline.ts";
import { pause } from "./pause.ts";
import type { CallLimits, ServerConnection } from "./server-connection.ts";

/** Of a call; no server takes a shorter one. */
const LEAST_MS = 1;

/**
 * One of many calls made together: where the server has too much to do and has done nothing, it is
 * called again, for as long as one call may take, as the embedded store keeps to its bounds by itself.
 *
 * @param call is handed what is left of `timeoutMs`, if the caller gave one.
 */
export async function untilTaken<Result>(
  call: (left: { readonly timeoutMs?: number }) => Promise<Result>,
  connection: ServerConnection,
  { signal, timeoutMs }: CallLimits,
): Promise<Result> {
  const passedMs = stopwatch();
  const leftMs = (): number => (timeoutMs ?? connection.patienceMs) - passedMs();
  let patience: CallDeadline | undefined;
  try {
    for (let tries = 0; ; tries++) {
      try {
        if (tries === 0 || timeoutMs === undefined) return await call({});
        return await call({ timeoutMs: Math.max(LEAST_MS, leftMs()) });
      } catch (error) {
        const isOver = patience?.cause === "timeout" || leftMs() < LEAST_MS;
        if (isOver || !isRefusedForNow(error)) throw error;
      }
      const { abortListeners } = connection;
      patience ??= new CallDeadline(leftMs(), signal, abortListeners, true);
      await pause(tries, patience.signal, abortListeners);
    }
  } finally {
    patience?.dispose();
  }
}

function isRefusedForNow(error: unknown): boolean {
  return isCapstanError(error) && error.code === "OVERLOADED" && error.outcome === "not-applied";
}
