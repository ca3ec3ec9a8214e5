import type { AbortListeners } from "./abort-listeners.ts";
import { CallDeadline } from "./call-deadline.ts";

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

/** Longer with each try; ends at once when the signal aborts. Never rejects. */
export async function pause(
  tries: number,
  signal: AbortSignal | undefined,
  listeners: AbortListeners,
): Promise<void> {
  const lengthMs = Math.min(FIRST_PAUSE_MS * 2 ** tries, LONGEST_PAUSE_MS);
  const over = new CallDeadline(lengthMs, signal, listeners, true);
  await new Promise((resolve) => {
    if (over.cause !== undefined) resolve(undefined);
    else over.signal.addEventListener("abort", resolve);
  });
  over.dispose();
}
