import { afterEach, expect, test, vi } from "vitest";
import { closedLoop, pacedLoop } from "../../../benchmarks/support/load-loop.ts";
import { perSecond } from "../../../benchmarks/support/slice.ts";

afterEach(() => {
  vi.useRealTimers();
});

/** A machine on which one operation after the other takes so long. */
function machine(operationMs: number) {
  const state = { nowMs: 1_000, started: 0, underWay: 0, most: 0 };
  const clock = { now: () => state.nowMs };
  const start = (done: () => void) => {
    state.started++;
    state.underWay++;
    state.most = Math.max(state.most, state.underWay);
    setImmediate(() => {
      state.nowMs += operationMs;
      state.underWay--;
      done();
    });
  };
  return { state, clock, start };
}

test("a closed loop keeps as many operations under way as it was told, and ends when all have", async () => {
  const { state, clock, start } = machine(1);
  await closedLoop(4, 100, start, clock);
  expect(state).toMatchObject({ most: 4, underWay: 0 });
});

test("operations of the lead-in do not count, nor does their time", async () => {
  const { state, clock, start } = machine(1);
  const slice = await closedLoop(1, 100, start, clock);
  expect(state.started).toBe(100);
  expect(slice.elapsedMs).toBe(90);
  // The first of them ended as the lead-in did.
  expect(slice.operations).toBe(91);
  expect(slice.latencies.percentileUs(50)).toBeCloseTo(1_000, -1);
});

test("what is under way at the end of the time does not count, but for the first to end", async () => {
  const { clock, start } = machine(1);
  const slice = await closedLoop(8, 100, start, clock);
  expect(slice).toMatchObject({ operations: 91, elapsedMs: 90 });
});

test("an operation that outlasts the slice counts with all of its time", async () => {
  const { clock, start } = machine(500);
  const slice = await closedLoop(1, 100, start, clock);
  expect(slice).toMatchObject({ operations: 1, elapsedMs: 490 });
});

test("operations that end at once let the event loop turn every millisecond, however many there are", async () => {
  let nowMs = 0;
  let turns = 0;
  const count = () => {
    turns++;
    if (nowMs < 100) setImmediate(count);
  };
  const start = (done: () => void) => {
    void Promise.resolve().then(() => {
      nowMs += 0.01;
      done();
    });
  };
  setImmediate(count);
  const slice = await closedLoop(64, 100, start, { now: () => nowMs });
  expect(turns).toBeGreaterThan(50);
  // Little's law: as many as are in flight take that many times as long as one.
  expect(slice.latencies.percentileUs(50)).toBeCloseTo(640, -1);
  expect(perSecond(slice)).toBeCloseTo(100_000, -3);
});

test("an open loop begins its operations at its rate, however long they take", async () => {
  vi.useFakeTimers();
  let started = 0;
  const start = (done: () => void) => {
    started++;
    setTimeout(done, 30);
  };
  const clock = { now: () => Date.now() };
  const running = pacedLoop(2_000, 1_000, start, clock);
  await vi.advanceTimersByTimeAsync(1_100);
  const slice = await running;
  expect(started).toBeGreaterThan(1_980);
  expect(started).toBeLessThanOrEqual(2_000);
  expect(slice.elapsedMs).toBe(900);
  expect(Math.abs(perSecond(slice) - 2_000)).toBeLessThan(20);
  expect(slice.latencies.percentileUs(50)).toBeCloseTo(30_000, -3);
});
