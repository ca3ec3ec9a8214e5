import { expect, test } from "vitest";
import { RaftLog } from "../../../../src/strategies/raft/raft-log.ts";
import { SeededRandom } from "../../../support/seeded-random.ts";
import { entry } from "./lone-consensus.ts";

/** The same log as a plain list of terms. */
class DumbLog {
  terms: number[] = [];

  lastIndexWithin(index: number, term: number): number {
    let at = Math.min(index, this.terms.length);
    while (at > 0 && (this.terms[at - 1] as number) > term) at--;
    return at;
  }
}

test("terms and places are those of a plain list, whatever is appended, cut and forgotten", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = new SeededRandom(seed, "raft-log");
    const pick = (below: number): number => Math.floor(random.fraction() * below);
    const log = new RaftLog(100);
    const dumb = new DumbLog();
    let term = 1;
    for (let step = 0; step < 200; step++) {
      if (pick(4) === 0) term += pick(3);
      if (pick(8) === 0) {
        const index = pick(dumb.terms.length + 1);
        log.truncate(index);
        dumb.terms.length = index;
        term = Math.max(term, log.lastTerm);
      } else {
        log.append(entry(`${step}`, term));
        dumb.terms.push(term);
      }
      if (pick(5) === 0) log.evict(40);
      const index = pick(dumb.terms.length + 2);
      const within = pick(term + 2);
      expect(log.lastIndex).toBe(dumb.terms.length);
      expect(log.termOf(index)).toBe(index === 0 ? 0 : dumb.terms[index - 1]);
      expect(log.lastIndexWithin(index, within)).toBe(dumb.lastIndexWithin(index, within));
      const held = log.records(log.memoryFirst, Number.POSITIVE_INFINITY).length;
      expect(held).toBe(log.lastIndex - log.memoryFirst + 1);
    }
  }
});

test("bytes are counted exactly in memory, and up to a mark too many behind it", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = new SeededRandom(seed, "raft-log-bytes");
    const pick = (below: number): number => Math.floor(random.fraction() * below);
    const log = new RaftLog(1_600);
    const MARK_BYTES = 100;
    const sizes: number[] = [];
    let deepCuts = 0;
    for (let step = 0; step < 200; step++) {
      if (pick(8) === 0) {
        sizes.length = pick(sizes.length + 1);
        if (sizes.length + 1 < log.memoryFirst) deepCuts += 1;
        log.truncate(sizes.length);
      } else {
        const record = entry("x".repeat(pick(30)), 1);
        log.append(record);
        sizes.push(record.length);
      }
      if (pick(5) === 0) log.evict(60);
      const from = pick(sizes.length + 1);
      const bytes = sizes.slice(from).reduce((sum, size) => sum + size, 0);
      const told = log.bytesAbove(from);
      if (from + 1 >= log.memoryFirst) expect(told).toBe(bytes);
      // A cut behind memory takes away what lies between two marks: rare, and little of 32 MiB.
      expect(Math.abs(told - bytes)).toBeLessThan((1.5 + deepCuts * 1.5) * MARK_BYTES);
    }
  }
});

test("what was given up is not counted", () => {
  const log = new RaftLog(100);
  for (let i = 0; i < 40; i++) log.append(entry("x", 1));
  const { length } = entry("x", 1);
  log.evict(length);
  expect(log.releasable(35, 100)).toBeDefined();
  expect(log.bytesAbove(35)).toBeLessThanOrEqual(5 * length + 100);
});

test("entries come in runs of so many bytes, at least one", () => {
  const log = new RaftLog(100);
  for (const text of ["a".repeat(50), "b", "c"]) log.append(entry(text, 1));
  expect(log.records(1, 10)).toHaveLength(1);
  expect(log.records(1, 59 + 10)).toHaveLength(2);
  expect(log.records(2, 1_000)).toHaveLength(2);
  expect(log.records(4, 1_000)).toHaveLength(0);
});

test("the oldest entries are forgotten first, and never the last", () => {
  const log = new RaftLog(100);
  for (let i = 0; i < 10; i++) log.append(entry(`${i}`, 1));
  log.evict(35);
  expect(log.memoryFirst).toBe(8);
  log.evict(0);
  expect(log.memoryFirst).toBe(10);
  expect(log.record(9)).toBeUndefined();
  expect(log.termOf(9)).toBe(1);
});

test("what is kept for followers is at least as much as was asked for, and never unapplied", () => {
  const log = new RaftLog(100);
  for (let i = 0; i < 40; i++) log.append(entry("x", 1));
  expect(log.releasable(5, 1_000)).toBeUndefined();
  const below = log.releasable(35, 100) as number;
  expect(log.lastIndex - below + 1).toBeGreaterThanOrEqual(10);
  expect(below).toBeGreaterThan(20);
  expect(log.releasable(35, 100)).toBeUndefined();
});

test("what somebody will ask for is kept longer, and not for ever", () => {
  const log = new RaftLog(100);
  for (let index = 1; index <= 60; index++) log.append(entry("x", 1));
  const wanted = 20;
  expect(log.releasable(60, 100, wanted)).toBeLessThanOrEqual(wanted);
  for (let index = 61; index <= 200; index++) log.append(entry("x", 1));
  expect(log.releasable(200, 100, wanted)).toBeGreaterThan(wanted);
});

test("a term that falls, and a cut below where the log begins, are violations", () => {
  const log = new RaftLog(100);
  log.reset(7, 3);
  expect(log.termOf(7)).toBe(3);
  expect(log.termOf(6)).toBeUndefined();
  expect(() => log.append(entry("x", 2))).toThrow("term(i) ≤ term(i + 1) does not hold: 3, 2");
  expect(() => log.truncate(6)).toThrow("truncated index ≥ base does not hold: 6, 7");
});
