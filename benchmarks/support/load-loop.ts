import { performance } from "node:perf_hooks";
import { Latencies } from "./latencies.ts";
import type { Slice } from "./slice.ts";

/** Milliseconds that only go forward. */
export interface Clock {
  now(): number;
}

/** Starts one operation; calls `done` when it has ended. */
export type StartOperation = (done: () => void) => void;

const NS_PER_MS = 1_000_000;
/** A program whose promises never let the event loop turn hears from no peer and no timer. */
const LONGEST_TURN_MS = 1;
/** Part of a slice before it counts: processors wake up, caches fill, all that is to be in flight is. */
const LEAD_IN = 0.1;
/** Operations of an open loop are begun in groups, this far apart. */
const GROUP_MS = 4;

/**
 * A closed loop: keeps `inFlight` operations under way for that long, and ends when the last one
 * has. Counted are those that end between the lead-in and the end of the time, from the start of
 * each to its `done`.
 */
export function closedLoop(
  inFlight: number,
  durationMs: number,
  start: StartOperation,
  clock: Clock = performance,
): Promise<Slice> {
  return new Promise((resolve) => {
    const latencies = new Latencies();
    const beganMs = clock.now();
    const countedFromMs = beganMs + durationMs * LEAD_IN;
    const endMs = beganMs + durationMs;
    let lastMs = countedFromMs;
    let operations = 0;
    let running = inFlight;
    let turnedMs = beganMs;
    let waiting = 0;
    const turn = () => {
      turnedMs = clock.now();
      const begin = waiting;
      waiting = 0;
      for (let i = 0; i < begin; i++) issue();
    };
    const issue = () => {
      const startedMs = clock.now();
      start(() => {
        const nowMs = clock.now();
        // The one that ends behind the time ends it: a slow one may be all that there is.
        const counts = nowMs >= countedFromMs && lastMs < endMs;
        if (counts) {
          operations++;
          lastMs = nowMs;
          latencies.record((nowMs - startedMs) * NS_PER_MS);
        }
        if (nowMs < endMs) {
          if (nowMs - turnedMs < LONGEST_TURN_MS) {
            issue();
            return;
          }
          // All of them wait for the same turn: one at a time they would each have one to itself.
          if (waiting === 0) setImmediate(turn);
          waiting++;
          return;
        }
        running--;
        if (running === 0) resolve({ operations, elapsedMs: lastMs - countedFromMs, latencies });
      });
    };
    for (let i = 0; i < inFlight; i++) issue();
  });
}

/**
 * An open loop: begins operations at a rate, whatever becomes of them, and ends when the last one
 * has ended. All count but those that began in the lead-in.
 */
export function pacedLoop(
  opsPerSecond: number,
  durationMs: number,
  start: StartOperation,
  clock: Clock = performance,
): Promise<Slice> {
  return new Promise((resolve) => {
    const latencies = new Latencies();
    const beganMs = clock.now();
    const countedFromMs = beganMs + durationMs * LEAD_IN;
    const endMs = beganMs + durationMs;
    let next = 0;
    let operations = 0;
    let running = 0;
    const issue = () => {
      const startedMs = clock.now();
      running++;
      next++;
      start(() => {
        running--;
        if (startedMs < countedFromMs) return;
        operations++;
        latencies.record((clock.now() - startedMs) * NS_PER_MS);
      });
    };
    const timer = setInterval(() => {
      const nowMs = clock.now();
      if (nowMs < endMs) {
        while (next < ((nowMs - beganMs) / 1_000) * opsPerSecond) issue();
      } else if (running === 0) {
        clearInterval(timer);
        resolve({ operations, elapsedMs: endMs - countedFromMs, latencies });
      }
    }, GROUP_MS);
  });
}
