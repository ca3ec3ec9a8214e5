import { describe, expect, test } from "vitest";
import type { LogPosition, LogSequence, ShardId, StoreId } from "../../../../src/core/model/ids.ts";
import { APPLIED_KEY, appliedBytes } from "../../../../src/core/store/applied-sequence.ts";
import { LogBeforeState } from "../../../../src/simulation/scenario/log-before-state.ts";

const SHARD = 7 as ShardId;

/** Records 1 to 3 of the shard are appended at positions 11 to 13. */
function watch(): LogBeforeState {
  const logFirst = new LogBeforeState();
  opened(logFirst, 10);
  for (const sequence of [1, 2, 3]) {
    const record = {
      shard: SHARD,
      sequence: sequence as LogSequence,
      payload: new Uint8Array(1),
    };
    const position = (sequence + 10) as LogPosition;
    logFirst.onLog("n1", { type: "appended", record, position });
  }
  return logFirst;
}

function opened(logFirst: LogBeforeState, last: number): void {
  const storeId = "first" as StoreId;
  const lastSequence = () => 0 as LogSequence;
  logFirst.onLog("n1", { type: "opened", storeId, last: last as LogPosition, lastSequence });
}

function commit(logFirst: LogBeforeState, sequence: number, durablePosition: number): void {
  const value = appliedBytes(sequence as LogSequence);
  const mark = { type: "put", shard: SHARD, space: "meta", key: APPLIED_KEY, value } as const;
  const batch = { mutations: [mark], position: durablePosition as LogPosition };
  logFirst.onCommit("n1", batch, durablePosition);
}

describe("a state beside its log", () => {
  test("may have what is durable", () => {
    const logFirst = watch();
    commit(logFirst, 2, 12);
    expect(logFirst.violations).toEqual([]);
  });

  test("may not have what the log can lose", () => {
    const logFirst = watch();
    commit(logFirst, 3, 12);
    expect(logFirst.violations.map(({ check }) => check)).toEqual(["state-beyond-log"]);
  });

  test("may have what was there at the start, wherever that lies", () => {
    const logFirst = watch();
    opened(logFirst, 13);
    commit(logFirst, 3, 0);
    expect(logFirst.violations).toEqual([]);
  });
});
