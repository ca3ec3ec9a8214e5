import { setTimeout as realPause } from "node:timers/promises";
import type { VirtualTime } from "./virtual-environment.ts";

/** Real time that a promise may take. */
const LIMIT_STEPS = 20_000;

/**
 * Lets virtual time pass until `promise` settles, while real files and sockets do their work: each
 * step gives them a real millisecond. Virtual steps grow as those of `runVirtually`, up to a second.
 */
export async function runBeside<T>(time: VirtualTime, promise: Promise<T>): Promise<T> {
  let isSettled = false;
  const settle = (): void => {
    isSettled = true;
  };
  promise.then(settle, settle);
  for (let step = 0; step < LIMIT_STEPS; step += 1) {
    time.settle();
    await realPause(1);
    if (isSettled) return promise;
    time.advance(Math.min(1_000, 10 ** Math.floor(step / 100)));
  }
  throw new Error(`the promise did not settle within ${LIMIT_STEPS} steps`);
}
