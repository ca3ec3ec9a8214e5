import { expect, test } from "vitest";
import {
  formatVerdicts,
  judgeSoak,
  type Sample,
} from "../../../benchmarks/support/soak-verdict.ts";

const DURATION_MS = 100_000;

/** A level run of twenty samples, in which three files are used in turn. */
function samples(change: (at: number) => Partial<Sample>): readonly Sample[] {
  return Array.from({ length: 20 }, (_, index) => {
    const at = index + 1;
    return {
      atMs: (at * DURATION_MS) / 20,
      rssMiB: 100 + (at % 3),
      descriptors: 30,
      segments: turns(at),
      operations: 10_000 * at,
      faults: {},
      ...change(at),
    };
  });
}

function turns(uses: number): Readonly<Record<string, number>> {
  const files = [0, 1, 2].map((file) => [file, uses - ((uses - file) % 3)] as const);
  return Object.fromEntries(files.map(([file, use]) => [`000000000${file}.segment`, use]));
}

function problems(change: (at: number) => Partial<Sample>): readonly string[] {
  return judgeSoak("n1", samples(change), DURATION_MS).problems;
}

test("a node that stays level has no problem, and the table says how often segments were used again", () => {
  const verdict = judgeSoak(
    "n1",
    samples(() => ({})),
    DURATION_MS,
  );
  expect(verdict).toMatchObject({ problems: [], segments: [3, 3], usedAgain: [17, 10] });
  expect(formatVerdicts([verdict])).toContain("17, late 10");
});

test("memory may grow by a twentieth, and no more", () => {
  expect(problems((at) => ({ rssMiB: at > 15 ? 104.9 : 100 }))).toEqual([]);
  expect(problems((at) => ({ rssMiB: at > 15 ? 105.1 : 100 }))).toEqual([
    "memory grew to 1.051 × its early median",
  ]);
});

test("descriptors that become more are a problem", () => {
  expect(problems((at) => ({ descriptors: 30 + at }))).toEqual(["50 descriptors late, 39 early"]);
});

test("a log that makes new files and removes the old ones is a problem, though it does not grow", () => {
  const made = (at: number) => ({ segments: { [`${at}.segment`]: at, [`${at + 1}.segment`]: 0 } });
  expect(problems(made)).toEqual([
    "no log segment was used again in the second half, 0 were in the first",
  ]);
});

test("so is one whose files are no longer used again in the second half", () => {
  expect(problems((at) => ({ segments: turns(Math.min(at, 10)) }))).toEqual([
    "no log segment was used again in the second half, 7 were in the first",
  ]);
});

test("a log whose files pile up is a problem", () => {
  const more = (at: number) =>
    Object.fromEntries(Array.from({ length: at }, (_, file) => [`more-${file}`, 0]));
  expect(problems((at) => ({ segments: { ...turns(at), ...more(at) } }))).toEqual([
    "23 log segments late, 12 early",
  ]);
});

test("more than one fault in a thousand operations is a problem, but not to be overtaken", () => {
  const faults = { OUTCOME_UNKNOWN: 200, SUPERSEDED: 9_000, QUORUM_NOT_MET: 201 };
  expect(problems(() => ({ faults }))).toEqual(["201 operations failed with QUORUM_NOT_MET"]);
});

test("a run without samples has problems", () => {
  expect(judgeSoak("n1", [], DURATION_MS).problems).not.toEqual([]);
});
