import { describe, expect, test } from "vitest";
import {
  type EnvironmentHarness,
  environmentConformance,
} from "../../src/conformance/environment.ts";
import type { Environment, RandomSource } from "../../src/core/contracts/environment.ts";
import { SystemEnvironment } from "../../src/core/store/system-environment.ts";
import { bindSuite, failureOf } from "../support/bind-suite.ts";
import { withMembers } from "../support/broken-storage.ts";
import { VirtualEnvironment, VirtualTime } from "../support/virtual-environment.ts";

const REAL_CLOCK: EnvironmentHarness["clock"] = {
  monotonicMs: () => performance.now(),
  setTimer: (delayMs, callback) => ({ timer: setTimeout(callback, delayMs) }),
};

function virtualHarness(time: VirtualTime): EnvironmentHarness {
  return {
    clock: new VirtualEnvironment({ time }),
    seeded: true,
    open: () => new VirtualEnvironment({ time, seed: 7 }),
  };
}

bindSuite(
  "the system's environment",
  environmentConformance({
    clock: REAL_CLOCK,
    seeded: false,
    open: () => new SystemEnvironment(),
  }),
);

const virtual = new VirtualTime();
bindSuite("virtual time", environmentConformance(virtualHarness(virtual)), virtual);

type Members = (good: Environment) => Partial<Environment>;

const source =
  (members: (good: RandomSource) => Partial<RandomSource>): Members =>
  (good) => ({
    random: (stream) => {
      const random = good.random(stream);
      return withMembers(random, members(random));
    },
  });

/** What is wrong → how, and the case that notices. */
const DEFECTS: Readonly<Record<string, readonly [Members, string]>> = {
  "has a clock that falls": [
    (good) => {
      let reading = 0;
      return {
        monotonicMs: () => {
          reading += 1;
          return good.monotonicMs() - (reading % 100);
        },
      };
    },
    "the monotonic clock never falls, and goes on while time passes",
  ],
  "counts the wall clock in seconds": [
    (good) => ({ wallMs: () => good.wallMs() / 1_000 }),
    "the wall clock counts milliseconds since 1970",
  ],
  "measures a lag below 0": [
    () => ({ eventLoopLagMs: () => -0.1 }),
    "the event loop's lag is a time, and not below 0",
  ],
  "fires early": [
    (good) => ({ setTimer: (delayMs, callback) => good.setTimer(delayMs * 0.7, callback) }),
    "a timer fires once, at or after its delay, and never inside the call",
  ],
  "fires inside the call without a delay": [
    (good) => ({
      setTimer: (delayMs, callback) => {
        if (delayMs <= 0) callback();
        return good.setTimer(delayMs, callback);
      },
    }),
    "a timer fires once, at or after its delay, and never inside the call",
  ],
  "fires the newest of equal timers first": [
    (good) => {
      let order = 0;
      return {
        setTimer: (delayMs, callback) => {
          order += 1;
          return good.setTimer(delayMs + 1 - order / 1_000, callback);
        },
      };
    },
    "timers fire in the order of their due times, ties in the order of setting",
  ],
  "does not clear": [
    () => ({ clearTimer: () => undefined }),
    "a timer that was cleared never fires, and clearing it again does nothing",
  ],
  "keeps delays in 32 bits": [
    (good) => ({ setTimer: (delayMs, callback) => good.setTimer(delayMs | 0, callback) }),
    "a delay above 2^31 - 1 does not fire early, and can be cleared",
  ],
  "fires inside of other callbacks": [
    (good) => ({
      setTimer: (delayMs, callback) => {
        if (good.monotonicMs() > 0 && delayMs === 0) callback();
        return good.setTimer(delayMs, () => {
          if (delayMs !== 0) callback();
        });
      },
    }),
    "a timer that is set in a callback fires later, also with no delay",
  ],
  "defers to the next turn": [
    (good) => ({ defer: (callback) => void good.setTimer(0, callback) }),
    "what is deferred runs behind the callback and before timers, in order",
  ],
  "defers to the end of the microtasks that there are": [
    () => ({ defer: (callback) => void Promise.resolve().then(callback) }),
    "what is deferred from a microtask runs behind the microtasks as well",
  ],
  "takes the end of this turn for the next one": [
    (good) => ({ soon: (callback) => good.defer(callback) }),
    "`soon` is the next turn: behind what is deferred, in order, never inside the call",
  ],
  "runs what comes soon at once within a turn": [
    (good) => {
      let isTurn = false;
      return {
        soon: (callback) => {
          if (isTurn) return callback();
          good.soon(() => {
            isTurn = true;
            callback();
            isTurn = false;
          });
        },
      };
    },
    "`soon` within `soon` is the turn after",
  ],
  "draws words of 31 bits": [
    source((good) => ({ uint32: () => good.uint32() >>> 1 })),
    "uint32 is a whole number of 32 bits, uniform",
  ],
  "draws fractions up to 1": [
    source((good) => ({ fraction: () => Math.min(1, good.fraction() * 1.001) })),
    "fraction lies in [0, 1), uniform",
  ],
  "draws text for bytes": [
    source((good) => ({ bytes: (length) => good.bytes(length).map((byte) => byte & 0x7f) })),
    "bytes gives as many as were asked for, uniform, and each time others",
  ],
  "has one stream for all": [
    (good) => ({ random: () => good.random("the only one") }),
    "two streams differ",
  ],
  "lets streams disturb one another": [
    (good) => {
      const only = good.random("the only one");
      return { random: () => only };
    },
    "a stream follows from its seed, whatever other streams draw",
  ],
};

describe("the Environment suite notices an environment that", () => {
  test.each(Object.entries(DEFECTS))("%s", async (_what, [members, caseName]) => {
    const time = new VirtualTime();
    const good = virtualHarness(time);
    const open = (): Environment => {
      const environment = good.open();
      return withMembers(environment, members(environment));
    };
    await failureOf(environmentConformance({ ...good, open }), caseName, time);
  });
});

test("every case of the suite is proven by a defect", () => {
  const { cases } = environmentConformance(virtualHarness(new VirtualTime()));
  const proven = new Set(Object.values(DEFECTS).map(([, caseName]) => caseName));
  expect(cases.map(({ name }) => name).filter((name) => !proven.has(name))).toEqual([]);
});
