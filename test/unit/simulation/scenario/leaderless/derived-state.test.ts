import { expect, test } from "vitest";
import { type LogPosition, shardIdOf } from "../../../../../src/core/model/ids.ts";
import {
  type DescribedCopy,
  problemsOf,
  type RowsOfCopy,
} from "../../../../../src/simulation/scenario/leaderless/derived-state.ts";
import { HintCrossings } from "../../../../../src/simulation/scenario/leaderless/hint-crossings.ts";
import { Summary } from "../../../../../src/strategies/leaderless/anti-entropy/fingerprint.ts";

const bytes = (text: string) => Buffer.from(text, "utf8");
const data = [
  { key: bytes("a"), value: bytes("1") },
  { key: bytes("b"), value: bytes("2") },
];
const hint = (key: string, copyBytes: number) => {
  const value = Buffer.alloc(12);
  value.writeUInt32BE(copyBytes, 8);
  return { key: Buffer.concat([bytes("hint"), Buffer.of(2), bytes("n2"), bytes(key)]), value };
};
const rows: RowsOfCopy = {
  data,
  side: [{ key: bytes("floor"), value: bytes("x") }, hint("a", 7), hint("b", 5)],
};

function fingerprintOf(entries: RowsOfCopy["data"]): string {
  const sum = new Summary();
  for (const { key, value } of entries) sum.addEntry(key, value);
  return sum.describe();
}

const described: DescribedCopy = {
  shard: 0,
  antiEntropy: { fingerprint: fingerprintOf(data) },
  hints: { held: 2, copyBytes: 12 },
};

test("a copy whose sums and counts come to what its rows are has no problem", () => {
  expect(problemsOf(described, rows)).toEqual([]);
  expect(problemsOf({ shard: 0 }, { data, side: [] })).toEqual([]);
});

test.each([
  ["an entry changed", { ...rows, data: [data[0], { key: bytes("b"), value: bytes("3") }] }],
  ["an entry came", { ...rows, data: [...data, { key: bytes("c"), value: bytes("3") }] }],
] as const)("a fingerprint that has not heard that %s is found", (_what, changed) => {
  const [problem, ...more] = problemsOf(described, changed as RowsOfCopy);
  expect(problem?.check).toBe("fingerprint");
  expect(more).toEqual([]);
});

test("a count of hints, or of their bytes, that the rows do not come to is found", () => {
  const counts = (held: number, copyBytes: number) =>
    problemsOf({ ...described, hints: { held, copyBytes } }, rows).map(({ message }) => message);
  expect(counts(3, 12)).toEqual(["it counts 3 hints, and has 2"]);
  expect(counts(2, 13)).toEqual(["it counts 13 bytes of copies, and has 12"]);
});

test("a hint that names what is not there is found", () => {
  const side = [hint("gone", 0)];
  const problems = problemsOf({ shard: 0, hints: { held: 1 } }, { data, side });
  expect(problems.map(({ message }) => message)).toEqual([
    "it has a hint of gone for n2, and nothing to hand over",
  ]);
});

test("a deletion crosses a hint that waited before it began, and no other", () => {
  const shard = shardIdOf(7, 0);
  const crossings = new HintCrossings(7);
  const { key, value } = hint("a", 0);
  const commit = (type: "put" | "delete", atMs: number) => {
    const mutation =
      type === "put"
        ? ({ type, shard, space: "side", key, value } as const)
        : ({ type, shard, space: "side", key } as const);
    crossings.onCommit("n1", { position: 1 as LogPosition, mutations: [mutation] }, atMs);
  };
  const crossed = () => crossings.sometimes()["a hint and a deletion crossed"];
  commit("put", 10);
  crossings.onDeleted("a", 5);
  crossings.onDeleted("b", 20);
  expect(crossed()).toBe(0);
  crossings.onDeleted("a", 20);
  expect(crossed()).toBe(1);
  commit("delete", 30);
  crossings.onDeleted("a", 40);
  expect(crossed()).toBe(1);
});
