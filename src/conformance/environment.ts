import type { Environment, TimerHandle } from "../core/contracts/environment.ts";
import { RANDOM_CASES } from "./environment-random-cases.ts";
import {
  type ConformanceCase,
  type ConformanceSuite,
  check,
  checkEqual,
  pause,
  type SuiteClock,
  until,
} from "./suite.ts";

/** How the suite gets at the environment that it tests. */
export interface EnvironmentHarness {
  /** Waits; not the environment under test, so that one that never fires still fails in time. */
  readonly clock: SuiteClock;
  /** A new environment, over the same time as `clock`; where it is seeded, of one and the same seed. */
  open(): Environment;
  /** Whether all draws follow from a seed. */
  readonly seeded: boolean;
}

export interface EnvironmentCase {
  readonly name: string;
  readonly needs?: (harness: EnvironmentHarness) => boolean;
  readonly run: (environment: Environment, harness: EnvironmentHarness) => Promise<void> | void;
}

const SHORT_MS = 20;
/** Node counts timers in whole milliseconds of a clock that it rounds down. */
const EARLY_MS = 1;
const LONGEST_NATIVE_DELAY_MS = 2_147_483_647;
const YEAR_2020_MS = 1_577_836_800_000;
const YEAR_2100_MS = 4_102_444_800_000;

const CLOCK_CASES: readonly EnvironmentCase[] = [
  {
    name: "the monotonic clock never falls, and goes on while time passes",
    run: async (environment, { clock }) => {
      let last = environment.monotonicMs();
      const first = last;
      for (let round = 0; round < 20; round += 1) {
        for (let reading = 0; reading < 500; reading += 1) {
          const now = environment.monotonicMs();
          check(Number.isFinite(now) && now >= last, `${now} after ${last}`);
          last = now;
        }
        await pause(clock, 1);
      }
      check(environment.monotonicMs() > first, "the clock stands still");
    },
  },
  {
    name: "the wall clock counts milliseconds since 1970",
    run: (environment) => {
      const now = environment.wallMs();
      check(now > YEAR_2020_MS && now < YEAR_2100_MS, `${now} is not a time of this century`);
    },
  },
  {
    name: "the event loop's lag is a time, and not below 0",
    run: async (environment, { clock }) => {
      for (let round = 0; round < 3; round += 1) {
        const lag = environment.eventLoopLagMs();
        check(Number.isFinite(lag) && lag >= 0, `a lag of ${lag}`);
        await pause(clock, 1);
      }
    },
  },
];

const TIMER_CASES: readonly EnvironmentCase[] = [
  {
    name: "a timer fires once, at or after its delay, and never inside the call",
    run: async (environment, { clock }) => {
      for (const delayMs of [-5, 0, 1, 7, SHORT_MS]) {
        const setAtMs = environment.monotonicMs();
        let firedAtMs: number | undefined;
        let count = 0;
        environment.setTimer(delayMs, () => {
          count += 1;
          firedAtMs = environment.monotonicMs();
        });
        checkEqual(count, 0, `a timer of ${delayMs} ms fired inside the call; calls`);
        await until(clock, () => count > 0, `a timer of ${delayMs} ms`);
        await pause(clock, SHORT_MS);
        checkEqual(count, 1, `times that a timer of ${delayMs} ms fired`);
        const elapsedMs = (firedAtMs ?? 0) - setAtMs;
        check(
          elapsedMs > delayMs - EARLY_MS,
          `a timer of ${delayMs} ms fired after ${elapsedMs} ms`,
        );
      }
    },
  },
  {
    name: "timers fire in the order of their due times, ties in the order of setting",
    run: async (environment, { clock }) => {
      const fired: string[] = [];
      const delays = [30, 10, 20, 10, 30, 10, 0];
      delays.forEach((delayMs, at) => {
        environment.setTimer(delayMs, () => fired.push(`${delayMs}#${at}`));
      });
      await until(clock, () => fired.length === delays.length, "all timers");
      checkEqual(fired, ["0#6", "10#1", "10#3", "10#5", "20#2", "30#0", "30#4"], "order");
    },
  },
  {
    name: "a timer that was cleared never fires, and clearing it again does nothing",
    run: async (environment, { clock }) => {
      const fired: string[] = [];
      const early = environment.setTimer(5, () => fired.push("cleared at once"));
      environment.clearTimer(early);
      environment.clearTimer(early);
      const victim: TimerHandle = environment.setTimer(10, () => fired.push("cleared by another"));
      environment.setTimer(5, () => environment.clearTimer(victim));
      const done = environment.setTimer(SHORT_MS, () => fired.push("kept"));
      await until(clock, () => fired.length > 0, "the timer that was kept");
      environment.clearTimer(done);
      await pause(clock, SHORT_MS);
      checkEqual(fired, ["kept"], "timers that fired");
    },
  },
  {
    name: "a delay above 2^31 - 1 does not fire early, and can be cleared",
    run: async (environment, { clock }) => {
      const fired: number[] = [];
      const delays = [1, 2, 10].map((factor) => LONGEST_NATIVE_DELAY_MS * factor + 1);
      const handles = delays.map((delayMs) =>
        environment.setTimer(delayMs, () => fired.push(delayMs)),
      );
      await pause(clock, 3 * SHORT_MS);
      for (const handle of handles) environment.clearTimer(handle);
      checkEqual(fired, [], "timers that fired");
    },
  },
  {
    name: "a timer that is set in a callback fires later, also with no delay",
    run: async (environment, { clock }) => {
      const order: string[] = [];
      environment.setTimer(0, () => {
        environment.setTimer(0, () => order.push("inner"));
        order.push("outer");
      });
      await until(clock, () => order.length === 2, "both timers");
      checkEqual(order, ["outer", "inner"], "order");
    },
  },
];

const TURN_CASES: readonly EnvironmentCase[] = [
  {
    name: "what is deferred runs behind the callback and before timers, in order",
    run: async (environment, { clock }) => {
      const order: string[] = [];
      environment.setTimer(0, () => {
        environment.setTimer(0, () => order.push("timer"));
        environment.defer(() => order.push("deferred 1"));
        environment.defer(() => order.push("deferred 2"));
        order.push("callback");
      });
      await until(clock, () => order.length === 4, "all callbacks");
      checkEqual(order, ["callback", "deferred 1", "deferred 2", "timer"], "order");
    },
  },
  {
    name: "what is deferred from a microtask runs behind the microtasks as well",
    run: async (environment, { clock }) => {
      const order: string[] = [];
      void Promise.resolve().then(() => {
        environment.defer(() => order.push("deferred"));
        void Promise.resolve().then(() => order.push("microtask"));
      });
      await until(clock, () => order.length === 2, "both callbacks");
      checkEqual(order, ["microtask", "deferred"], "order");
    },
  },
  {
    name: "`soon` is the next turn: behind what is deferred, in order, never inside the call",
    run: async (environment, { clock }) => {
      const order: string[] = [];
      environment.setTimer(0, () => {
        environment.soon(() => order.push("soon 1"));
        environment.soon(() => order.push("soon 2"));
        environment.defer(() => order.push("deferred"));
        order.push("callback");
      });
      await until(clock, () => order.length === 4, "all callbacks");
      checkEqual(order, ["callback", "deferred", "soon 1", "soon 2"], "order");
    },
  },
  {
    name: "`soon` within `soon` is the turn after",
    run: async (environment, { clock }) => {
      const order: string[] = [];
      environment.soon(() => {
        environment.soon(() => order.push("the turn after"));
        order.push("the next turn");
      });
      environment.soon(() => order.push("also the next turn"));
      await until(clock, () => order.length === 3, "all callbacks");
      checkEqual(order, ["the next turn", "also the next turn", "the turn after"], "order");
    },
  },
];

const CASES: readonly EnvironmentCase[] = [
  ...CLOCK_CASES,
  ...TIMER_CASES,
  ...TURN_CASES,
  ...RANDOM_CASES,
];

/** One case for each obligation of the `Environment` contract. */
export function environmentConformance(harness: EnvironmentHarness): ConformanceSuite {
  const cases = CASES.filter(({ needs }) => needs === undefined || needs(harness)).map(
    ({ name, run }): ConformanceCase => ({
      name,
      run: async () => run(harness.open(), harness),
    }),
  );
  return { name: "Environment", cases };
}
