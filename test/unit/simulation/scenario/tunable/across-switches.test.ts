import { describe, expect, test } from "vitest";
import { regularAcrossSwitches } from "../../../../../src/simulation/scenario/tunable/across-switches.ts";
import type { KeyValueOperation } from "../../../../../src/verification/index.ts";

const KEY = "all-one/1";
/** Pending is 2, switching 3, settled 4; and once more 5, 6 and 7. */
const SWITCHES = [3, 6];

interface Answered {
  readonly operation: KeyValueOperation;
  readonly epoch: number;
}

function put(at: number, value: string, epoch: number): Answered {
  const input = { type: "put", key: KEY, value } as const;
  return { operation: operation(at, input), epoch };
}

function read(at: number, value: string, epoch: number): Answered {
  const input = { type: "get", key: KEY } as const;
  return { operation: { ...operation(at, input), output: { value } }, epoch };
}

function operation(at: number, input: KeyValueOperation["input"]): KeyValueOperation {
  return { client: "c", input, outcome: "applied", calledAt: at, returnedAt: at + 1 };
}

function reasonsOf(...answered: readonly Answered[]): readonly string[] {
  const epochs = new Map(answered.map((each) => [each.operation, each.epoch]));
  const maps = {
    epochOf: (each: KeyValueOperation) => epochs.get(each),
    switchesOf: () => SWITCHES,
  };
  const history = answered.map((each) => each.operation);
  return regularAcrossSwitches(history, maps).map(({ reason }) => reason);
}

describe("a read below the keyspace's own level", () => {
  test("by a map from before the switch may miss what was written after it", () => {
    expect(reasonsOf(put(1, "a", 1), put(3, "b", 4), read(5, "a", 1))).toEqual([]);
    expect(reasonsOf(put(1, "a", 1), put(3, "b", 4), read(5, "a", 2))).toEqual([]);
    expect(reasonsOf(put(1, "a", 4), put(3, "b", 7), read(5, "a", 4))).toEqual([]);
  });

  test("may find what was written after it, too", () => {
    expect(reasonsOf(put(1, "a", 1), put(3, "b", 4), read(5, "b", 1))).toEqual([]);
  });

  test.each([1, 2, 3])("may not miss what was written up to the switch, at epoch %i", (epoch) => {
    const history = [put(1, "a", 1), put(3, "b", epoch)];
    expect(reasonsOf(...history, read(5, "a", 1))).toEqual(["overwritten"]);
    // Nor does a later write excuse it.
    expect(reasonsOf(...history, put(5, "c", 4), read(7, "a", 1))).toEqual(["overwritten"]);
  });

  test.each([3, 4, 5])("may miss nothing once it has the switch, at epoch %i", (epoch) => {
    expect(reasonsOf(put(1, "a", 1), put(3, "b", 4), read(5, "a", epoch))).toEqual(["overwritten"]);
  });

  test("has to find something that was written", () => {
    expect(reasonsOf(put(1, "a", 1), read(5, "z", 1))).toEqual(["never-written"]);
  });
});
