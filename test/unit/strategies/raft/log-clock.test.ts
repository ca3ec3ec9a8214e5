import { expect, test } from "vitest";
import { LogClock } from "../../../../src/strategies/raft/log-clock.ts";

test("it is the wall clock where that is not behind the log's", () => {
  const clock = new LogClock();
  expect(clock.read({ nowMs: 5, wallMs: 1_000 })).toBe(1_000);
  clock.note(900, { nowMs: 5, wallMs: 1_000 });
  expect(clock.read({ nowMs: 6, wallMs: 1_001 })).toBe(1_001);
});

test("the log's clock goes on where the wall clock is behind it", () => {
  const clock = new LogClock();
  clock.note(9_000, { nowMs: 5, wallMs: 1_000 });
  expect(clock.read({ nowMs: 5, wallMs: 1_000 })).toBe(9_000);
  expect(clock.read({ nowMs: 105, wallMs: 1_100 })).toBe(9_100);
  expect(clock.read({ nowMs: 205, wallMs: 500 })).toBe(9_200);
  expect(clock.read({ nowMs: 305, wallMs: 9_301 })).toBe(9_301);
});

test("an entry that does not move it says nothing of how far it has gone", () => {
  const clock = new LogClock();
  clock.note(9_000, { nowMs: 5, wallMs: 0 });
  clock.note(9_050, { nowMs: 105, wallMs: 0 });
  expect(clock.read({ nowMs: 105, wallMs: 0 })).toBe(9_100);
  clock.note(9_300, { nowMs: 115, wallMs: 0 });
  expect(clock.read({ nowMs: 125, wallMs: 0 })).toBe(9_310);
});

test("it does not stand before 1970", () => {
  expect(new LogClock().read({ nowMs: 5, wallMs: -1 })).toBe(0);
});
