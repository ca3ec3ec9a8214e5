import { setMaxListeners } from "node:events";

/**
 * One signal may end thousands of calls: Node 20 takes more than ten listeners of it for a leak,
 * and warns. Each call takes its listener away when it ends.
 */
export function listenToAbort(signal: AbortSignal, listener: { handleEvent(): void }): void {
  // A polyfill's signal is none of Node's, and has no such bound.
  if (signal instanceof EventTarget) setMaxListeners(0, signal);
  signal.addEventListener("abort", listener);
}
