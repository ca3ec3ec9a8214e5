import { expect, test } from "vitest";
import type { MachineCell } from "../../../../src/core/store/machine-cell.ts";
import { clearTimers, MachineTimers } from "../../../../src/core/store/machine-timers.ts";
import { VirtualEnvironment } from "../../../support/virtual-environment.ts";

function open() {
  const environment = new VirtualEnvironment();
  const fired: string[] = [];
  const timers = new MachineTimers(environment, (_cell, timer) => {
    fired.push(`${timer}@${environment.monotonicMs()}`);
  });
  const cell = { timers: new Map() } as unknown as MachineCell;
  return { environment, fired, timers, cell };
}

test("a timer that is set again fires once, at its later time", () => {
  const { environment, fired, timers, cell } = open();
  timers.set(cell, "sweep", 10);
  timers.set(cell, "other", 5);
  timers.set(cell, "sweep", 20);
  environment.advance(100);
  expect(fired).toEqual(["other@5", "sweep@20"]);
  expect(cell.timers.size).toBe(0);
});

test("one that is cancelled does not fire, and may be set again", () => {
  const { environment, fired, timers, cell } = open();
  timers.set(cell, "sweep", 10);
  timers.cancel(cell, "sweep");
  timers.cancel(cell, "sweep");
  environment.advance(50);
  timers.set(cell, "sweep", 10);
  environment.advance(50);
  expect(fired).toEqual(["sweep@60"]);
});

test("of a machine that ends none fires", () => {
  const { environment, fired, timers, cell } = open();
  timers.set(cell, "sweep", 10);
  timers.set(cell, "other", 20);
  clearTimers(cell, environment);
  environment.advance(100);
  expect([fired, cell.timers.size]).toEqual([[], 0]);
});
