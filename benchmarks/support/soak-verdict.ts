/** What a soak demands of each node, and the table that it prints. */
import Table from "cli-table3";
import { type SegmentGenerations, usesAgain } from "./segment-uses.ts";

const MOST_GROWTH = 1.05;
/** Beyond what the files of the log come to: a socket more while another one closes. */
const MOST_MORE_DESCRIPTORS = 1;
const MOST_MORE_SEGMENTS = 2;
/** A machine that stands still for a moment lets deadlines of 50 ms and more pass. */
const MOST_FAULTS_OF_ALL = 0.001;

export interface Sample {
  readonly atMs: number;
  readonly rssMiB: number;
  /** Without those of the log's files, which come and go. */
  readonly descriptors: number;
  readonly segments: SegmentGenerations;
  readonly operations: number;
  /** By code. */
  readonly faults: Readonly<Record<string, number>>;
}

export interface Verdict {
  readonly node: string;
  readonly earlyRssMiB: number;
  readonly lateRssMiB: number;
  readonly growth: number;
  readonly descriptors: readonly [early: number, late: number];
  readonly segments: readonly [least: number, most: number];
  /** How often a file of the log was used again: in all, and in the second half of the time. */
  readonly usedAgain: readonly [inAll: number, late: number];
  readonly operations: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly problems: readonly string[];
}

/** Of ten minutes "early" are the third and the fourth, and "late" the last two. */
export function judgeSoak(node: string, samples: readonly Sample[], durationMs: number): Verdict {
  const stepMs = durationMs / Math.max(1, samples.length);
  const within = (from: number, to: number) =>
    samples.filter(({ atMs }) => atMs >= from * durationMs && atMs <= to * durationMs + stepMs);
  const early = within(0.2, 0.4);
  const late = within(0.8, 1);
  const looks = samples.map(({ segments }) => segments);
  const again = usesAgain(looks);
  const untilHalf = samples.filter(({ atMs }) => atMs <= durationMs / 2).length;
  const files = (some: readonly Sample[]) =>
    some.map(({ segments }) => Object.keys(segments).length);
  const earlyRssMiB = median(early.map(({ rssMiB }) => rssMiB));
  const lateRssMiB = median(late.map(({ rssMiB }) => rssMiB));
  const verdict = {
    node,
    earlyRssMiB,
    lateRssMiB,
    growth: lateRssMiB / earlyRssMiB,
    descriptors: [mostDescriptors(early), mostDescriptors(late)] as const,
    segments: [Math.min(...files(samples)), Math.max(...files(samples))] as const,
    usedAgain: [again, again - usesAgain(looks.slice(0, untilHalf))] as const,
    operations: samples.at(-1)?.operations ?? 0,
    faults: samples.at(-1)?.faults ?? {},
  };
  const most = [Math.max(...files(early)), Math.max(...files(late))] as const;
  return { ...verdict, problems: problemsOf(verdict, most) };
}

function problemsOf(
  verdict: Omit<Verdict, "problems">,
  [filesEarly, filesLate]: readonly [number, number],
): readonly string[] {
  const { growth, descriptors, operations, faults } = verdict;
  const [again, lateAgain] = verdict.usedAgain;
  const problems = [];
  // What is not a number because nothing was measured is no less of a problem.
  if (!(growth <= MOST_GROWTH)) {
    problems.push(`memory grew to ${growth.toFixed(3)} × its early median`);
  }
  if (!(descriptors[1] <= descriptors[0] + MOST_MORE_DESCRIPTORS)) {
    problems.push(`${descriptors[1]} descriptors late, ${descriptors[0]} early`);
  }
  if (!(filesLate <= filesEarly + MOST_MORE_SEGMENTS)) {
    problems.push(`${filesLate} log segments late, ${filesEarly} early`);
  }
  if (lateAgain === 0) {
    problems.push(`no log segment was used again in the second half, ${again} were in the first`);
  }
  for (const [code, count] of Object.entries(faults)) {
    // Of two writes to one key at about the same time one is overtaken: that is its answer.
    const isTooMany = count > MOST_FAULTS_OF_ALL * operations;
    if (code !== "SUPERSEDED" && isTooMany) {
      problems.push(`${count} operations failed with ${code}`);
    }
  }
  return problems;
}

export function formatVerdicts(verdicts: readonly Verdict[]): string {
  const table = new Table({
    head: [
      ...["node", "early MiB", "late MiB", "growth", "descriptors", "segments", "used again"],
      ...["ops", "faults"],
    ],
    style: { head: [], border: [] },
  });
  for (const each of verdicts) {
    table.push([
      each.node,
      each.earlyRssMiB.toFixed(1),
      each.lateRssMiB.toFixed(1),
      each.growth.toFixed(3),
      each.descriptors.join(" → "),
      each.segments.join(" … "),
      `${each.usedAgain[0]}, late ${each.usedAgain[1]}`,
      each.operations,
      Object.entries(each.faults)
        .map(([code, count]) => `${code} × ${count}`)
        .join(", "),
    ]);
  }
  return table.toString();
}

function mostDescriptors(samples: readonly Sample[]): number {
  if (samples.length === 0) return Number.NaN;
  return Math.max(...samples.map(({ descriptors }) => descriptors));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
