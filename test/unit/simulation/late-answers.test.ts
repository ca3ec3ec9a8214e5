import { expect, test } from "vitest";
import { LateAnswers } from "../../../src/simulation/late-answers.ts";
import { MachineClock } from "../../../src/simulation/machine-clock.ts";
import { SimEnvironment } from "../../../src/simulation/sim-environment.ts";
import { Trace } from "../../../src/simulation/trace.ts";
import { VirtualTime } from "../../../src/simulation/virtual-time.ts";

function makeLate(...delaysMs: readonly number[]) {
  const time = new VirtualTime();
  const clock = new MachineClock(time);
  const environment = new SimEnvironment({ time, clock, trace: new Trace(), seed: 1, number: 0 });
  const left = [...delaysMs];
  let overtaken = 0;
  const late = new LateAnswers(environment, {
    nextMs: () => left.shift() ?? 0,
    onOvertaken: () => {
      overtaken += 1;
    },
  });
  return { late, time, environment, overtaken: () => overtaken };
}

test("an answer that is held is overtaken by those that are not", () => {
  const { late, time, overtaken } = makeLate(50, 0, 20);
  const given: string[] = [];
  for (const name of ["first", "second", "third"]) late.give(() => given.push(name));
  expect(given).toEqual(["second"]);
  time.advance(100);
  expect(given).toEqual(["second", "third", "first"]);
  expect(overtaken()).toBe(2);
});

test("it is settled once none is held, and at once where none was", async () => {
  const { late, time } = makeLate(10);
  await late.settled();
  let isSettled = false;
  late.give(() => undefined);
  const settling = late.settled().then(() => {
    isSettled = true;
  });
  await Promise.resolve();
  expect(isSettled).toBe(false);
  time.advance(100);
  await settling;
  expect(isSettled).toBe(true);
});

test("a process that is gone is given none", () => {
  const { late, time, environment } = makeLate(10);
  const given: number[] = [];
  late.give(() => given.push(1));
  environment.die();
  time.advance(100);
  expect(given).toEqual([]);
});
