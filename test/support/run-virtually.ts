import { setImmediate as realTurn } from "node:timers/promises";
import type { VirtualTime } from "./virtual-environment.ts";

/** Virtual time that a promise may take; a promise that takes longer never settles. */
const LIMIT_MS = 3_600_000;

/**
 * Lets virtual time pass until `promise` settles: a turn at a time while something happens in the
 * turn, and then in steps that grow from a millisecond to a second, so that long waits are short.
 */
export async function runVirtually<T>(time: VirtualTime, promise: Promise<T>): Promise<T> {
  let isSettled = false;
  const settle = (): void => {
    isSettled = true;
  };
  promise.then(settle, settle);
  const limitMs = time.nowMs + LIMIT_MS;
  for (let step = 0; time.nowMs < limitMs; step += 1) {
    time.settle();
    await realTurn();
    if (isSettled) return promise;
    time.advance(Math.min(1_000, 10 ** Math.floor(step / 100)));
  }
  throw new Error(`the promise did not settle within ${LIMIT_MS} ms of virtual time`);
}
