import { expect, test } from "vitest";
import { CommandHead } from "../../../../src/strategies/raft/command-head.ts";
import { decodeCommand } from "../../../../src/strategies/raft/commands.ts";
import { ENTRY_HEADER_BYTES } from "../../../../src/strategies/raft/entry.ts";
import { LogClock } from "../../../../src/strategies/raft/log-clock.ts";
import { Sweeper } from "../../../../src/strategies/raft/sweeper.ts";

function headerAt(wallMs: number) {
  const head = new CommandHead(new LogClock(), 9, 60_000);
  const record = head.recordOf(Sweeper.nothing(), { nowMs: 1, wallMs });
  return decodeCommand(record, ENTRY_HEADER_BYTES).header;
}

test("a command says its leader's time in whole milliseconds, its salt and how long sessions last", () => {
  expect(headerAt(1_900_000_000_000.9)).toEqual({
    clockMs: 1_900_000_000_000,
    salt: 9,
    sessionLifetimeMs: 60_000,
  });
});

test("a clock that stands before 1970 is one that stands at its begin", () => {
  expect(headerAt(-5).clockMs).toBe(0);
});
