import { describe, expect, test } from "vitest";
import { versionTokenOf } from "../../../../../src/core/model/version-token.ts";
import {
  checkEvidence,
  type Evidence,
} from "../../../../../src/simulation/scenario/tunable/tunable-checks.ts";
import type { KeyValueOperation } from "../../../../../src/verification/index.ts";

const KEY = "strong/1";

const written = (time: number): string => versionTokenOf({ time, actorHigh: 1, actorLow: 1 });
const floor = (time: number): string => versionTokenOf({ time, actorHigh: 0, actorLow: 0 });

function operation(
  at: number,
  given: Partial<KeyValueOperation> & Pick<KeyValueOperation, "input">,
): KeyValueOperation {
  return {
    ...{ client: "c1", node: "n1", level: "strong", achieved: "strong", outcome: "applied" },
    ...{ calledAt: at, returnedAt: at + 1, calledAtMs: at, returnedAtMs: at + 1 },
    ...given,
  } as KeyValueOperation;
}

const put = (at: number, version: string): KeyValueOperation =>
  operation(at, { input: { type: "put", key: KEY, value: `v${at}` }, output: { version } });
const remove = (at: number, version: string): KeyValueOperation =>
  operation(at, { input: { type: "delete", key: KEY }, output: { version } });
const read = (at: number, version?: string, value?: string): KeyValueOperation =>
  operation(at, {
    input: { type: "get", key: KEY },
    output: { value, ...(version !== undefined && { version }) },
  });

function checksOf(history: readonly KeyValueOperation[], given: Partial<Evidence>): string[] {
  const evidence: Evidence = {
    ...{ history, acknowledged: [], refused: new Set(), superseded: [], finals: new Map() },
    ...{ epochs: new Map(), switchesOf: () => [], isHeldToLocal: () => true },
    ...{ losses: [], copyHasCounted: false, reapAfterMs: Number.POSITIVE_INFINITY },
    ...given,
  };
  return checkEvidence(evidence).violations.map(({ check }) => check);
}

const acknowledged = { key: KEY, version: written(10), atMs: 2, holders: ["n1"] };

describe("a key of which only a floor is left", () => {
  test("was lost if nothing has deleted it", () => {
    const given = { acknowledged: [acknowledged], finals: new Map([[KEY, floor(50)]]) };
    expect(checksOf([put(1, written(10))], given)).toContain("lost-write");
  });

  test("was lost if what deleted it was older than it", () => {
    const given = { acknowledged: [acknowledged], finals: new Map([[KEY, floor(50)]]) };
    const history = [remove(0, written(5)), put(2, written(10))];
    expect(checksOf(history, given)).toContain("lost-write");
  });

  test("was not lost if it was deleted", () => {
    const given = { acknowledged: [acknowledged], finals: new Map([[KEY, floor(50)]]) };
    expect(checksOf([put(1, written(10)), remove(3, written(20))], given)).toEqual([]);
  });

  test("may be said to be gone by a floor, and then by the tombstone that is below it", () => {
    const deleted = [put(1, written(10)), remove(3, written(20)), read(5, floor(50))];
    expect(checksOf([...deleted, read(7, written(20))], {})).toEqual([]);
    expect(checksOf([...deleted, read(7)], {})).toEqual([]);
  });

  test("does not come back", () => {
    const deleted = [put(1, written(10)), remove(3, written(20)), read(5, floor(50))];
    expect(checksOf([...deleted, read(7, written(10), "v1")], {})).toContain("read-went-back");
  });
});

describe("a strong write that is superseded, with no other beside it", () => {
  const history = [put(1, written(10)), put(3, written(20))];

  test("has not learned what it should have", () => {
    expect(checksOf(history, { superseded: [1] })).toEqual(["superseded-alone"]);
  });

  test("may have come to a time that is settled, where tombstones go soon", () => {
    expect(checksOf(history, { superseded: [1], reapAfterMs: 6_000 })).toEqual([]);
    expect(checksOf(history, { superseded: [1], reapAfterMs: 7_000 })).toHaveLength(1);
  });
});
