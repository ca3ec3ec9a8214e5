import { expect, test } from "vitest";
import {
  SWEEP_TIMER,
  SweepTimer,
  type Swept,
} from "../../../../src/strategies/leaderless/sweep-timer.ts";

function open(count = 1) {
  const swept = Array.from({ length: count }, () => ({ sweepAtMs: Number.POSITIVE_INFINITY }));
  const delays: number[] = [];
  const sweeps = new SweepTimer(swept as readonly Swept[]);
  const effects = {
    setTimer: (timer: string, delayMs: number) => {
      expect(timer).toBe(SWEEP_TIMER);
      delays.push(delayMs);
    },
  };
  return { swept, delays, sweeps, arm: (nowMs: number) => sweeps.arm(nowMs, effects) };
}

test("sets no timer while nothing is to become overdue", () => {
  const { arm, delays } = open(3);
  arm(0);
  arm(1_000);
  expect(delays).toEqual([]);
});

test("sets the timer for what is due first, once", () => {
  const { swept, arm, delays } = open(2);
  Object.assign(swept[0] as object, { sweepAtMs: 900 });
  Object.assign(swept[1] as object, { sweepAtMs: 500 });
  arm(100);
  arm(200);
  expect(delays).toEqual([400]);
});

test("moves the timer forward for what is due before", () => {
  const { swept, arm, delays } = open();
  Object.assign(swept[0] as object, { sweepAtMs: 900 });
  arm(100);
  Object.assign(swept[0] as object, { sweepAtMs: 300 });
  arm(200);
  expect(delays).toEqual([800, 100]);
});

test("looks again at what is overdue after a pause, however often it is asked", () => {
  const { swept, arm, delays, sweeps } = open();
  Object.assign(swept[0] as object, { sweepAtMs: 50 });
  arm(100);
  arm(104);
  expect(delays).toEqual([10]);
  sweeps.fired();
  arm(110);
  expect(delays).toEqual([10, 10]);
});
