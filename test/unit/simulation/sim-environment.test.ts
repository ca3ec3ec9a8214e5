import { describe, expect, test } from "vitest";
import { MachineClock } from "../../../src/simulation/machine-clock.ts";
import { SimEnvironment } from "../../../src/simulation/sim-environment.ts";
import { Trace } from "../../../src/simulation/trace.ts";
import { VirtualTime } from "../../../src/simulation/virtual-time.ts";

function make() {
  const time = new VirtualTime();
  const clock = new MachineClock(time);
  const environment = new SimEnvironment({ time, clock, trace: new Trace(), seed: 1, number: 0 });
  const fired: string[] = [];
  const set = (name: string, delayMs: number) =>
    environment.setTimer(delayMs, () => fired.push(`${name}@${time.nowMs}`));
  return { time, clock, environment, fired, set };
}

describe("SimEnvironment", () => {
  test("what was due while the process stood still runs late, in its order, with the lag known", () => {
    const { time, environment, fired, set } = make();
    set("b", 20);
    set("a", 10);
    environment.pause();
    time.advance(100);
    expect(fired).toEqual([]);
    environment.resume();
    time.settle();
    expect(fired).toEqual(["a@100", "b@100"]);
    expect(environment.eventLoopLagMs()).toBe(100);
    time.advance(1_000);
    expect(environment.eventLoopLagMs()).toBe(0);
  });

  test("or after all that came from outside meanwhile", () => {
    const { time, environment, fired, set } = make();
    set("timer", 10);
    environment.pause();
    time.advance(100);
    for (const name of ["first", "second"]) environment.input(() => fired.push(name));
    environment.resume("inputs-first");
    time.settle();
    expect(fired).toEqual(["first", "second", "timer@100"]);
  });

  test("a timer that an earlier one clears after the pause does not fire", () => {
    const { time, environment, fired, set } = make();
    const handles: ReturnType<typeof set>[] = [];
    environment.setTimer(1, () => {
      for (const handle of handles) environment.clearTimer(handle);
    });
    handles.push(set("cleared", 2));
    environment.pause();
    time.advance(10);
    environment.resume();
    time.settle();
    expect(fired).toEqual([]);
  });

  test("nothing of a process that is gone runs, and no timer of it is left", () => {
    const { time, environment, fired, set } = make();
    set("timer", 1);
    environment.defer(() => fired.push("deferred"));
    environment.soon(() => fired.push("soon"));
    environment.die();
    environment.input(() => fired.push("input"));
    set("after", 1);
    time.advance(10);
    expect(fired).toEqual([]);
    expect(environment.liveTimers).toBe(0);
  });

  test("timers run by the machine's own clock", () => {
    const { time, clock, fired, set } = make();
    clock.setRate(2);
    set("fast", 100);
    time.advance(49);
    expect(fired).toEqual([]);
    time.advance(2);
    expect(fired).toHaveLength(1);
  });

  test("counts timers that neither fired nor were cleared", () => {
    const { time, environment, set } = make();
    const cleared = set("cleared", 5);
    set("fired", 1);
    set("left", 100);
    environment.clearTimer(cleared);
    environment.clearTimer(cleared);
    time.advance(2);
    expect(environment.liveTimers).toBe(1);
  });
});

describe("MachineClock", () => {
  test("steps move the wall clock alone, rates both", () => {
    const { time, clock } = make();
    const wallMs = clock.wallMs();
    clock.step(-500);
    expect(clock.wallMs()).toBe(wallMs - 500);
    expect(clock.monotonicMs()).toBe(0);
    clock.setAhead(250);
    expect(clock.aheadMs).toBe(250);
    clock.setRate(1.5);
    time.advance(100);
    expect(clock.monotonicMs()).toBe(150);
    expect(clock.aheadMs).toBe(300);
    clock.setRate(1);
    time.advance(100);
    expect(clock.monotonicMs()).toBe(250);
  });
});
