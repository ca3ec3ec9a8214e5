import { EXIT, exitCodeOf } from "../exit-codes.ts";
import { paintFor } from "../paint.ts";
import { faultFields, faultLine } from "../report-fault.ts";
import { printLine, type Surroundings } from "../surroundings.ts";
import type { FailedLine, Loader } from "./loader.ts";
import { grouped } from "./progress.ts";
import type { Verification } from "./verify.ts";

export interface LoadReport {
  readonly loader: Loader;
  readonly verifications: (Verification & { readonly url: string })[];
  readonly secondsWriting: number;
  /** Every line was taken (bad ones passed over, if that was asked for). */
  readonly complete: boolean;
}

interface ReportOptions {
  readonly json?: boolean;
  readonly skipBad?: boolean;
  readonly verify: boolean;
}

/** Prints what a load did, faults first and totals last. Gives the exit code. */
export function reportLoad(
  report: LoadReport,
  options: ReportOptions,
  surroundings: Surroundings,
): number {
  if (options.json) {
    printLine(surroundings.stdout, JSON.stringify(plainReport(report, surroundings)));
  } else {
    for (const line of faultLines(report, options, surroundings)) {
      printLine(surroundings.stderr, line);
    }
    printLine(surroundings.stdout, totalsLine(report, options, surroundings));
  }
  return exitCodeFor(report, surroundings);
}

function exitCodeFor(report: LoadReport, { interruption }: Surroundings): number {
  if (interruption.requested) return EXIT.interrupted;
  const { loader, verifications, complete } = report;
  if (loader.unknown > 0) return EXIT.unknown;
  const [failure] = loader.failed;
  if (failure !== undefined) return exitCodeOf(failure.error);
  if (!complete) return EXIT.usage;
  return verifications.some(({ different }) => different > 0) ? EXIT.notApplied : EXIT.done;
}

function faultLines(
  report: LoadReport,
  options: ReportOptions,
  { stderr, env }: Surroundings,
): string[] {
  const { loader, verifications } = report;
  const paint = paintFor(stderr, env);
  const error = paint("red", "error:");
  const bad = [...loader.bad].sort((a, b) => a.number - b.number);
  const lines = (options.skipBad ? bad : bad.slice(0, 1)).map(({ number, problem }) =>
    options.skipBad
      ? `${paint("yellow", "skipped")} line ${number}: ${problem}`
      : `${error} line ${number}: ${problem} (--skip-bad passes over such lines)`,
  );
  const unshown = options.skipBad ? loader.badLines - bad.length : 0;
  if (unshown > 0) lines.push(`… and ${grouped(unshown)} more bad lines`);
  const failure = firstOf(loader.failed);
  if (failure !== undefined) {
    const { number, key } = failure;
    lines.push(`${error} line ${number} (key ${JSON.stringify(key)}): ${faultLine(failure.error)}`);
  }
  for (const { url, differences } of verifications) {
    for (const { key, line, found } of differences) {
      const where = `read back from ${url}`;
      lines.push(`${error} line ${line} (key ${JSON.stringify(key)}): ${found} ${where}`);
    }
  }
  return lines;
}

function totalsLine(
  { loader, verifications, secondsWriting, complete }: LoadReport,
  options: ReportOptions,
  { interruption, stdout, env }: Surroundings,
): string {
  const { written, badLines, unknown, failed, expected } = loader;
  const refused = failed.length - unknown;
  const parts = [`${grouped(written)} lines written`];
  if (options.skipBad) parts.push(`${grouped(badLines)} bad lines skipped`);
  if (unknown > 0) parts.push(`${grouped(unknown)} of unknown outcome`);
  if (refused > 0) parts.push(`${grouped(refused)} not applied`);
  if (options.verify) {
    const replaced = written - expected.size;
    if (replaced > 0) parts.push(`${grouped(replaced)} replaced by a later line of the same key`);
    for (const { url, verified, different } of verifications) {
      const suffix = verifications.length > 1 ? ` from ${url}` : "";
      const wrong = different > 0 ? `, ${grouped(different)} NOT equal` : "";
      parts.push(`${grouped(verified)} verified at quorum${suffix}${wrong}`);
    }
    if (verifications.length === 0) parts.push("not verified");
  }
  parts.push(
    `${secondsWriting.toFixed(1)} s`,
    `${grouped(rateOf(written, secondsWriting))} lines/s`,
  );
  const paint = paintFor(stdout, env);
  const lead = interruption.requested
    ? paint("yellow", "interrupted:")
    : complete
      ? paint("green", "loaded:")
      : paint("red", "stopped:");
  return `${lead} ${parts.join(", ")}`;
}

function plainReport(
  { loader, verifications, secondsWriting, complete }: LoadReport,
  { interruption }: Surroundings,
): Record<string, unknown> {
  const failure = firstOf(loader.failed);
  return {
    complete: complete && !interruption.requested,
    interrupted: interruption.requested,
    written: loader.written,
    keys: loader.expected.size,
    bad: loader.badLines,
    bad_lines: loader.bad,
    unknown: loader.unknown,
    not_applied: loader.failed.length - loader.unknown,
    verified: verifications.map(({ url, verified, different, differences }) => ({
      url,
      equal: verified,
      different,
      differences,
    })),
    seconds: secondsWriting,
    lines_per_second: rateOf(loader.written, secondsWriting),
    ...(failure === undefined
      ? {}
      : { error: { line: failure.number, key: failure.key, ...faultFields(failure.error) } }),
  };
}

/** Of unknown outcomes first, since they need looking after. */
function firstOf(failed: readonly FailedLine[]): FailedLine | undefined {
  return (
    failed.find(({ error }) => exitCodeOf(error) === EXIT.unknown) ??
    [...failed].sort((a, b) => a.number - b.number)[0]
  );
}

function rateOf(count: number, seconds: number): number {
  return seconds > 0 ? Math.round(count / seconds) : 0;
}
