import { describe, expect, it } from "vitest";
import { CallTimer } from "../../../../src/core/store/call-timer.ts";
import { VirtualEnvironment } from "../../../support/virtual-environment.ts";

function start(timeoutMs: number) {
  const environment = new VirtualEnvironment();
  const { time } = environment;
  const expired: number[] = [];
  const timer = new CallTimer(environment, timeoutMs, () => expired.push(time.nowMs));
  return { time, timer, expired };
}

describe("the deadline of a call without a request", () => {
  it("passes when it is due", () => {
    const { time, expired } = start(50);
    time.advance(49);
    expect(expired).toEqual([]);
    time.advance(10);
    expect(expired).toEqual([50]);
    expect(time.pendingTimers).toBe(0);
  });

  it.each([
    [55, 0],
    [60, 100],
    [300, 250],
    [5_000, 500],
  ])("seen at %d ms because the loop was held, it passes %d ms later, once", (heldMs, graceMs) => {
    const { time, expired } = start(50);
    time.stall(heldMs);
    time.advance(graceMs);
    time.advance(1_000);
    expect(expired).toEqual([heldMs + graceMs]);
  });

  it("lets what lies ready be read first", () => {
    const { time, timer, expired } = start(50);
    time.stall(60);
    time.runTurn();
    timer.stop();
    time.advance(1_000);
    expect(expired).toEqual([]);
    expect(time.pendingTimers).toBe(0);
  });

  it("is stopped between the timer and the look at it", () => {
    const environment = new VirtualEnvironment();
    const { time } = environment;
    const expired: string[] = [];
    environment.setTimer(50, () => environment.soon(() => timer.stop()));
    const timer = new CallTimer(environment, 50, () => expired.push("expired"));
    time.advance(100);
    expect(expired).toEqual([]);
  });
});
