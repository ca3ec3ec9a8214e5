import { describe, expect, it } from "vitest";
import { VirtualEnvironment, VirtualTime } from "../../support/virtual-environment.ts";

describe("VirtualEnvironment", () => {
  it("fires timers in the order of their due times, ties in the order of setting", () => {
    const environment = new VirtualEnvironment();
    const fired: string[] = [];
    environment.setTimer(20, () => fired.push("late"));
    environment.setTimer(10, () => fired.push("first of two"));
    environment.setTimer(10, () => fired.push("second of two"));
    const cleared = environment.setTimer(5, () => fired.push("cleared"));
    environment.clearTimer(cleared);

    environment.advance(19);
    expect(fired).toEqual(["first of two", "second of two"]);
    environment.advance(1);
    expect(fired).toEqual(["first of two", "second of two", "late"]);
    expect(environment.monotonicMs()).toBe(20);
  });

  it("runs deferred work at the end of the turn, and soon in the turn after", () => {
    const environment = new VirtualEnvironment();
    const ran: string[] = [];
    environment.soon(() => {
      ran.push("soon");
      environment.soon(() => ran.push("next turn"));
    });
    environment.defer(() => {
      ran.push("deferred");
      environment.defer(() => ran.push("deferred by deferred"));
    });

    environment.runTurn();
    expect(ran).toEqual(["deferred", "deferred by deferred", "soon"]);
    environment.runTurn();
    expect(ran.at(-1)).toBe("next turn");
  });

  it("lets stalled timers fire late, all at the time of waking", () => {
    const time = new VirtualTime();
    const environment = new VirtualEnvironment({ time });
    const firedAtMs: number[] = [];
    environment.setTimer(10, () => firedAtMs.push(time.nowMs));
    environment.setTimer(20, () => firedAtMs.push(time.nowMs));
    time.stall(500);
    environment.advance(0);
    expect(firedAtMs).toEqual([500, 500]);
  });

  it("draws the same from equal seeds and streams, and apart from different ones", () => {
    const draw = (seed: number, stream: string) => {
      const random = new VirtualEnvironment({ seed }).random(stream);
      return [random.uint32(), random.uint32(), random.uint32()];
    };
    expect(draw(7, "a")).toEqual(draw(7, "a"));
    expect(draw(7, "a")).not.toEqual(draw(7, "b"));
    expect(draw(7, "a")).not.toEqual(draw(8, "a"));
  });
});
