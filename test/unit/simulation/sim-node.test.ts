import { describe, expect, test } from "vitest";
import { MachineClock } from "../../../src/simulation/machine-clock.ts";
import { SimEnvironment } from "../../../src/simulation/sim-environment.ts";
import { NodeDownError, newLife } from "../../../src/simulation/sim-node.ts";
import { Trace } from "../../../src/simulation/trace.ts";
import { VirtualTime } from "../../../src/simulation/virtual-time.ts";

function startedLife() {
  const time = new VirtualTime();
  const clock = new MachineClock(time);
  return newLife("n1", new SimEnvironment({ time, clock, trace: new Trace(), seed: 1, number: 0 }));
}

describe("what is asked of a process", () => {
  test("is answered, or rejected, as the process does it", async () => {
    const life = startedLife();
    expect(await life.ask(Promise.resolve("here"))).toBe("here");
    const fault = new Error("refused");
    await expect(life.ask(Promise.reject(fault))).rejects.toBe(fault);
  });

  test("rejects once the process is gone, and keeps what was answered before", async () => {
    const life = startedLife();
    const answered = life.ask(Promise.resolve("before"));
    const unanswered = life.ask(new Promise<string>(() => undefined));
    await answered;
    life.end();
    await expect(unanswered).rejects.toThrow(NodeDownError);
    await expect(unanswered).rejects.toThrow("the process of node n1 is gone");
    expect(await answered).toBe("before");
  });
});
