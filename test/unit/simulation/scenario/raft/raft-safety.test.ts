import { describe, expect, test } from "vitest";
import type { LogPosition } from "../../../../../src/core/model/ids.ts";
import { RaftSafety } from "../../../../../src/simulation/scenario/raft/raft-safety.ts";

const SHARD = 0;
const GROUP = 1_000;
type Step = (safety: RaftSafety) => void;

/** Three nodes with logs of their own, told of in the order of their positions. */
class Cluster {
  readonly safety = new RaftSafety({ groupOf: (term) => Math.floor(term / GROUP) });
  readonly #positions = new Map<string, number>();

  constructor() {
    for (const node of ["n1", "n2", "n3"]) this.safety.opened(node, "first", 0 as LogPosition);
  }

  get checks(): readonly string[] {
    return this.safety.violations.map(({ check }) => check);
  }

  /** Entries of these terms, from an index on; equal ones unless something else is said. */
  append(node: string, from: number, terms: readonly number[], what = "as proposed"): void {
    for (const [at, term] of terms.entries()) {
      const index = from + at;
      const hash = Buffer.from(`${what} ${index} ${term}`).reduce((sum, byte) => sum * 31 + byte);
      this.safety.appended(node, SHARD, { position: this.next(node), index, term, hash });
    }
  }

  cut(node: string, how: "truncated" | "reset", last: number): void {
    this.safety.cut(node, SHARD, how, last, this.next(node));
  }

  next(node: string): LogPosition {
    const position = (this.#positions.get(node) ?? 0) + 1;
    this.#positions.set(node, position);
    return position as LogPosition;
  }
}

function checksAfter(...steps: readonly ((cluster: Cluster) => void)[]): readonly string[] {
  const cluster = new Cluster();
  for (const step of steps) step(cluster);
  return cluster.checks;
}

/** n1 leads in term 1, and entries 1 and 2 are committed with n2. */
function twoCommitted(cluster: Cluster): void {
  for (const node of ["n1", "n2"]) cluster.append(node, 1, [1, 1]);
  cluster.safety.committedUpTo("n1", SHARD, 2);
}

describe("Election Safety", () => {
  const leads =
    (node: string, life: number, shard: number, term: number): Step =>
    (safety) =>
      safety.leads(node, life, shard, term);

  test.each<[string, readonly Step[], readonly string[]]>([
    ["one leader, seen twice", [leads("n1", 1, 0, 4), leads("n1", 1, 0, 4)], []],
    ["leaders of two terms", [leads("n1", 1, 0, 4), leads("n2", 1, 0, 5)], []],
    ["leaders of two shards", [leads("n1", 1, 0, 4), leads("n2", 1, 1, 4)], []],
    ["two nodes in one term", [leads("n1", 1, 0, 4), leads("n2", 1, 0, 4)], ["election-safety"]],
    ["two lives of one node", [leads("n1", 1, 0, 4), leads("n1", 2, 0, 4)], ["election-safety"]],
  ])("%s", (_name, steps, checks) => {
    const { safety } = new Cluster();
    for (const step of steps) step(safety);
    expect(safety.violations.map(({ check }) => check)).toEqual(checks);
  });
});

describe("Log Matching", () => {
  test("holds where a log is cut and takes the leader's entries", () => {
    const checks = checksAfter(
      (c) => c.append("n1", 1, [1, 1, 2]),
      (c) => c.append("n2", 1, [1, 1, 1]),
      (c) => c.cut("n2", "truncated", 2),
      (c) => c.append("n2", 3, [2]),
    );
    expect(checks).toEqual([]);
  });

  test("is violated by two entries under one index and term", () => {
    const checks = checksAfter(
      (c) => c.append("n1", 1, [1, 1]),
      (c) => c.append("n2", 1, [1]),
      (c) => c.append("n2", 2, [1], "another"),
    );
    expect(checks).toEqual(["log-matching"]);
  });

  test("is violated where the same entry follows another one", () => {
    const checks = checksAfter(
      (c) => c.append("n1", 1, [1, 3]),
      (c) => c.append("n2", 1, [2, 3]),
    );
    expect(checks).toEqual(["log-matching"]);
  });

  test("does not know what a snapshot ends with", () => {
    const checks = checksAfter(
      (c) => c.append("n1", 1, [1, 3]),
      (c) => c.cut("n2", "reset", 1),
      (c) => c.append("n2", 2, [3]),
    );
    expect(checks).toEqual([]);
  });

  test("is violated by what a log holds in the end and nobody appended, or as another one", () => {
    const { safety } = new Cluster();
    safety.appended("n1", 0, { position: 1 as LogPosition, index: 1, term: 1, hash: 7 });
    safety.found("n1", 0, { index: 1, term: 1, hash: 7 });
    expect(safety.violations).toEqual([]);
    safety.found("n1", 0, { index: 1, term: 1, hash: 8 });
    safety.found("n1", 0, { index: 2, term: 1, hash: 7 });
    expect(safety.violations.map(({ check }) => check)).toEqual(["log-matching", "log-matching"]);
  });
});

describe("Leader Completeness", () => {
  test("holds where the next leader has what is committed", () => {
    expect(checksAfter(twoCommitted, (c) => c.append("n2", 3, [2]))).toEqual([]);
  });

  test("is violated where it has less", () => {
    const checks = checksAfter(
      twoCommitted,
      (c) => c.append("n3", 1, [1]),
      (c) => c.append("n3", 2, [2]),
    );
    expect(checks).toEqual(["leader-completeness"]);
  });

  test("asks nothing of leaders before the one that has committed it, and all of those after", () => {
    // n1's entry of term 1 outlives the leaders of terms 2 and 3, and the one of term 4 commits it.
    const steps = [
      (c: Cluster) => c.append("n1", 1, [1, 1]),
      (c: Cluster) => c.append("n3", 1, [1, 2, 3]),
      (c: Cluster) => c.append("n1", 3, [4]),
      (c: Cluster) => c.safety.committedUpTo("n1", SHARD, 2, 4),
    ];
    expect(checksAfter(...steps)).toEqual([]);
    const without = (c: Cluster) => {
      c.cut("n3", "truncated", 1);
      c.append("n3", 2, [5]);
    };
    expect(checksAfter(...steps, without)).toEqual(["leader-completeness"]);
    // Another node knew of it in term 2.
    const earlier = (c: Cluster) => c.safety.committed("n2", SHARD, 2, 1, 2);
    expect(checksAfter(...steps, earlier)).toEqual(["leader-completeness"]);
  });

  test("asks nothing of leaders as long as nobody can say in which term it was committed", () => {
    const steps = [
      (c: Cluster) => c.append("n1", 1, [1, 1]),
      (c: Cluster) => c.safety.committed("n1", SHARD, 2, 1, Number.POSITIVE_INFINITY),
      (c: Cluster) => c.append("n3", 1, [1, 3]),
    ];
    expect(checksAfter(...steps)).toEqual([]);
    const look = (c: Cluster) => c.safety.committedUpTo("n1", SHARD, 2, 2);
    expect(checksAfter(...steps, look)).toEqual(["leader-completeness"]);
  });

  test("is violated where that comes to be known only later", () => {
    const checks = checksAfter(
      (c) => c.append("n1", 1, [1, 1]),
      (c) => c.append("n3", 1, [1, 2]),
      (c) => c.safety.committed("n1", SHARD, 2, 1),
    );
    expect(checks).toEqual(["leader-completeness"]);
  });

  test("is violated by a leader that lost its tail in a crash, and not by one that has it", () => {
    const restart = (last: number) => (c: Cluster) =>
      c.safety.opened("n2", "first", last as LogPosition);
    expect(checksAfter(twoCommitted, restart(2), (c) => c.append("n2", 3, [2]))).toEqual([]);
    const checks = checksAfter(twoCommitted, restart(1), (c) => c.append("n2", 2, [2]));
    expect(checks).toEqual(["leader-completeness"]);
  });

  test("goes by what a log ends with, where positions say that more is left", () => {
    const checks = checksAfter(
      (c) => c.append("n1", 1, [1, 2]),
      (c) => c.append("n2", 1, [1, 2]),
      // The state came to the disk, and the newest entry did not.
      (c) => c.safety.opened("n2", "first", 2 as LogPosition, () => 1),
      (c) => c.append("n2", 2, [2]),
    );
    expect(checks).toEqual([]);
  });

  test("sees that a crash takes a cut back", () => {
    const checks = checksAfter(
      twoCommitted,
      (c) => c.cut("n2", "truncated", 1),
      (c) => c.safety.opened("n2", "first", 2 as LogPosition),
      (c) => c.append("n2", 3, [2]),
    );
    expect(checks).toEqual([]);
  });

  test("takes a snapshot for all that is below its end, and a new store for nothing", () => {
    const isNew = (c: Cluster) => c.safety.opened("n3", "second", 0 as LogPosition);
    const snapshot = (c: Cluster) => c.cut("n3", "reset", 2);
    expect(checksAfter(twoCommitted, isNew, snapshot, (c) => c.append("n3", 3, [2]))).toEqual([]);
    const lead = (c: Cluster) => c.append("n3", 1, [2]);
    expect(checksAfter(twoCommitted, isNew, lead)).toEqual(["leader-completeness"]);
  });

  test("is violated by two entries that are committed in one place", () => {
    const commit = (term: number) => (c: Cluster) => c.safety.committed("n1", SHARD, 1, term);
    expect(checksAfter(commit(1), commit(1))).toEqual([]);
    expect(checksAfter(commit(1), commit(2))).toEqual(["leader-completeness"]);
  });

  test("asks nothing of another group's leader", () => {
    expect(checksAfter(twoCommitted, (c) => c.append("n3", 1, [GROUP + 1]))).toEqual([]);
  });
});
