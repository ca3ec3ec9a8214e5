import { describe, expect, test } from "vitest";
import { judgeLinearizability } from "../../../../../src/simulation/scenario/raft/raft-judge.ts";
import type {
  RaftInput,
  RaftOperation,
  RaftOutput,
} from "../../../../../src/simulation/scenario/raft/raft-model.ts";

/** One operation after the other: called at `atMs`, answered a millisecond later. */
function history(
  ...operations: readonly [atMs: number, input: RaftInput, output?: RaftOutput][]
): readonly RaftOperation[] {
  return operations.map(([atMs, input, output], place) => {
    const common = { client: "c", level: "strong", input, calledAt: 2 * place, calledAtMs: atMs };
    if (output === undefined) {
      return { ...common, outcome: "unknown", returnedAt: Number.POSITIVE_INFINITY };
    }
    const returned = { returnedAt: 2 * place + 1, returnedAtMs: atMs + 1 };
    return { ...common, ...returned, output, outcome: "applied" };
  });
}

function put(key: string, value: string | undefined, ttlMs?: number): RaftInput {
  return { type: "write", writes: [{ key, value }], ttlMs };
}

function putIf(key: string, expected: string | undefined, value: string): RaftInput {
  return { type: "write", writes: [{ key, value }], condition: { value: expected } };
}

function get(key: string): RaftInput {
  return { type: "get", key };
}

const BOTH: RaftInput = {
  type: "write",
  writes: [
    { key: "a", value: "both" },
    { key: "b", value: "both" },
  ],
};

function isLegal(operations: readonly RaftOperation[], clockSpreadMs = 0): boolean {
  const { violations, unknown } = judgeLinearizability(operations, clockSpreadMs);
  expect(unknown).toBe(0);
  return violations.length === 0;
}

describe("the judge of a raft keyspace's history", () => {
  test("accepts a batch that is seen whole, and none that is seen in parts", () => {
    const whole = history(
      [0, BOTH, {}],
      [5, get("a"), { value: "both" }],
      [9, get("b"), { value: "both" }],
    );
    const parts = history([0, BOTH, {}], [5, get("a"), { value: "both" }], [9, get("b"), {}]);
    expect(isLegal(whole)).toBe(true);
    expect(isLegal(parts)).toBe(false);
  });

  test("ties the keys of an unknown batch together", () => {
    const open: [number, RaftInput] = [0, BOTH];
    expect(isLegal(history(open, [5, get("a"), { value: "both" }], [9, get("b"), {}]))).toBe(false);
    expect(isLegal(history(open, [5, get("a"), {}], [9, get("b"), { value: "both" }]))).toBe(true);
    expect(isLegal(history(open, [5, get("a"), {}], [9, get("b"), {}]))).toBe(true);
  });

  test("lets a value go from its time on, and not before", () => {
    const write: [number, RaftInput, RaftOutput] = [0, put("a", "x", 100), {}];
    expect(isLegal(history(write, [50, get("a"), { value: "x" }]))).toBe(true);
    expect(isLegal(history(write, [50, get("a"), {}]))).toBe(false);
    expect(isLegal(history(write, [120, get("a"), {}]))).toBe(true);
    // By the leader's clock, which may be ahead of the one that gave it its time.
    expect(isLegal(history(write, [50, get("a"), {}]), 60)).toBe(true);
  });

  test("does not let a value come back once it was seen to be gone", () => {
    const write: [number, RaftInput, RaftOutput] = [0, put("a", "x", 100), {}];
    const gone: [number, RaftInput, RaftOutput] = [120, get("a"), {}];
    expect(isLegal(history(write, gone, [130, get("a"), { value: "x" }]))).toBe(false);
    const refused: [number, RaftInput, RaftOutput] = [120, putIf("a", "x", "y"), { isDone: false }];
    expect(isLegal(history(write, refused, [130, get("a"), { value: "x" }]))).toBe(false);
    expect(isLegal(history(write, refused, [130, get("a"), {}]))).toBe(true);
  });

  test("lets a value be replaced where nothing is wanted, from its time on", () => {
    const write: [number, RaftInput, RaftOutput] = [0, put("a", "x", 100), {}];
    const replace = (atMs: number): [number, RaftInput, RaftOutput] => [
      atMs,
      putIf("a", undefined, "y"),
      { isDone: true },
    ];
    expect(isLegal(history(write, replace(120)))).toBe(true);
    expect(isLegal(history(write, replace(50)))).toBe(false);
  });

  test("refuses a conditional write that was done though its condition did not hold", () => {
    const write: [number, RaftInput, RaftOutput] = [0, put("a", "x"), {}];
    const done: [number, RaftInput, RaftOutput] = [5, putIf("a", "z", "y"), { isDone: true }];
    const refused: [number, RaftInput, RaftOutput] = [5, putIf("a", "x", "y"), { isDone: false }];
    expect(isLegal(history(write, done))).toBe(false);
    expect(isLegal(history(write, refused))).toBe(false);
    expect(isLegal(history(write, [5, putIf("a", "x", "y"), { isDone: true }]))).toBe(true);
  });

  test("tells of a stale read behind conditional writes with what these were due to", () => {
    const operations = history(
      [0, put("a", "x"), {}],
      [5, putIf("a", "x", "y"), { isDone: true }],
      [10, putIf("a", undefined, "z"), { isDone: false }],
      [15, put("a", "w"), {}],
      [20, putIf("a", "y", "v"), { isDone: false }],
      [25, get("a"), { value: "y" }],
    );
    expect(judgeLinearizability(operations, 0).violations[0]?.message).toBe(
      "a: [0–1] c write a=x applied; [2–3] c write a=y if x true applied; " +
        "[6–7] c write a=w applied; [10–11] c get strong a=y applied",
    );
  });

  test("tells of a conditional write that was refused with all that may have refused it", () => {
    const operations = history(
      [0, put("a", "w"), {}],
      [5, put("a", "x"), {}],
      [10, putIf("a", "x", "y"), { isDone: false }],
      [15, get("a"), { value: "x" }],
    );
    // It may have met `w`: without `w` its refusal may be another's fault.
    expect(judgeLinearizability(operations, 0).violations[0]?.message).toBe(
      "a: [0–1] c write a=w applied; [2–3] c write a=x applied; " +
        "[4–5] c write a=y if x false applied",
    );
  });

  test("leaves reads out that promise no one history", () => {
    const [write, read] = history([0, put("a", "x"), {}], [5, get("a"), {}]);
    const stale = { ...(read as RaftOperation), level: "stale" };
    expect(isLegal([write as RaftOperation, stale])).toBe(true);
    expect(isLegal([write as RaftOperation, read as RaftOperation])).toBe(false);
  });
});
