import Table from "cli-table3";
import type { Subject } from "../../simulation/verify/subject.ts";
import type { TallyRow } from "../../simulation/verify/tally.ts";
import { renderTimeline } from "../../verification/index.ts";
import { type Paint, paintFor } from "../paint.ts";
import type { Output, Surroundings } from "../surroundings.ts";
import { cautionLines } from "./caution-lines.ts";
import { describeLevel, describeResult, isDefault, isOfKeyspace } from "./describe-rows.ts";
import { countBroken, describeLaws } from "./resolver-laws.ts";
import type { Verification } from "./run-verification.ts";
import { describeTotals } from "./verify-progress.ts";

const GUARANTEE_WIDTH = 44;

/** For a terminal. */
export function textReport(
  verification: Verification,
  stdout: Output,
  env: Surroundings["env"],
): string {
  const paint = paintFor(stdout, env);
  const { tally, cautions } = verification;
  const rows = tally.rows();
  const violated = rows.filter(({ isPromised, broken }) => isPromised && broken > 0);
  const shown = shownAnomalies(verification, rows);
  const parts = [
    promisesTable(verification, rows, paint),
    ...violated.map((row) => instance(verification, row, paint)),
    lawsText(verification, paint),
    notPromised(verification, rows),
    ...shown.map((row) => instance(verification, row, paint)),
    cautions.length === 0
      ? ""
      : `${paint("bold", "What this configuration cannot promise:")}\n\n${cautionLines(cautions)
          .map((line) => wrapped(`- ${line}`, 98, "  "))
          .join("\n")}`,
    summary(verification, paint),
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}

/** Guarantees of one level that came out alike stand in one row. */
function promisesTable(
  verification: Verification,
  rows: readonly TallyRow[],
  paint: Paint,
): string {
  const { subjects, laws } = verification;
  const table = new Table({
    head: ["keyspace", "level", "guarantee", "result"],
    style: { head: [], border: [], compact: true },
  });
  for (const { keyspace } of subjects) {
    const merged = new Map<string, { row: TallyRow; checks: string[] }>();
    for (const row of rows.filter((each) => each.keyspace === keyspace.name && each.isPromised)) {
      const subject = subjects.find((each) => each.keyspace.name === row.keyspace);
      const level = isOfKeyspace(row) ? "" : describeLevel(row, subject);
      const key = JSON.stringify([level, row.broken > 0 ? row.check : describeResult(row)]);
      const there = merged.get(key);
      if (there === undefined) merged.set(key, { row, checks: [row.check] });
      else there.checks.push(row.check);
    }
    for (const [key, { row, checks }] of merged) {
      const [level] = JSON.parse(key) as [string];
      const result = paint(row.broken > 0 ? "red" : "green", describeResult(row));
      const listed = wrapped(checks.join(", "), GUARANTEE_WIDTH, "");
      table.push([row.keyspace, level || "-", listed, result]);
    }
    for (const each of laws.filter((one) => one.keyspace === keyspace.name)) {
      const result = paint(each.report.ok ? "green" : "red", describeLaws(each));
      table.push([each.keyspace, "-", "resolver-laws", result]);
    }
  }
  return `${table.toString()}\n* the levels of calls that name none${answeredLine(verification)}`;
}

function lawsText({ laws }: Verification, paint: Paint): string {
  return laws
    .map(({ keyspace, report }) => {
      const state = paint(report.ok ? "green" : "red", report.ok ? "kept" : "BROKEN");
      return `${paint("bold", `${keyspace}: laws of its resolver`)} ${state}\n${report.text}`;
    })
    .join("\n\n");
}

/** How available each keyspace was, all levels and all faults together. */
function answeredLine({ subjects, tally }: Verification): string {
  const shares = subjects.flatMap(({ keyspace }) => {
    const share = tally.answered(keyspace.name);
    return share === undefined ? [] : [`${keyspace.name} ${Math.round(100 * share)} %`];
  });
  return shares.length === 0 ? "" : `\nanswered under faults: ${shares.join(", ")}`;
}

/** Of levels for which it is not promised: what was broken, and how often. */
function notPromised({ subjects, repeat }: Verification, rows: readonly TallyRow[]): string {
  const broken = rows.filter((row) => !row.isPromised && row.broken > 0);
  if (broken.length === 0) return "";
  const table = new Table({
    head: ["keyspace", "level", "not promised", "result"],
    style: { head: [], border: [], compact: true },
  });
  for (const row of broken) {
    const subject = subjects.find((each) => each.keyspace.name === row.keyspace);
    table.push([row.keyspace, describeLevel(row, subject), row.check, describeResult(row)]);
  }
  const [first] = broken;
  const example =
    first?.first === undefined
      ? ""
      : `\nAny of them again, for instance:\n  ${repeat(first.keyspace, first.first.seed)}`;
  return `Not promised, and not so:\n${table.toString()}${example}`;
}

/** Of what is not promised, the worst of each keyspace's own levels is shown whole. */
function shownAnomalies(
  { subjects }: Verification,
  rows: readonly TallyRow[],
): readonly TallyRow[] {
  return subjects.flatMap((subject) => {
    const own = rows.filter(
      (row) => row.keyspace === subject.keyspace.name && isOwnAnomaly(row, subject),
    );
    const counted = own.filter(({ check }) => check === "every-increment-counts");
    const worst = own.find(({ check }) => check === "regular") ?? own[0];
    return [...new Set([...counted, ...(worst === undefined ? [] : [worst])])];
  });
}

function instance({ repeat, subjects }: Verification, row: TallyRow, paint: Paint): string {
  const { first, keyspace, check, isPromised } = row;
  if (first === undefined) return "";
  const subject = subjects.find((each) => each.keyspace.name === keyspace);
  const level = isOfKeyspace(row) ? "" : ` at ${describeLevel(row, subject)}`;
  const word = isPromised ? paint("red", "violated") : "not promised, and broken";
  const lines = [
    `${paint("bold", `${keyspace}${level}: ${check}`)} is ${word}; seed ${first.seed}:`,
    wrapped(first.sentence, 98, ""),
  ];
  if (first.operations.length > 0) {
    lines.push("", renderTimeline(first.operations, { violated: first.violated }));
  }
  lines.push("", `  ${repeat(keyspace, first.seed)}`);
  return lines.join("\n");
}

function summary(verification: Verification, paint: Paint): string {
  const { tally, wasInterrupted, options, subjects, laws } = verification;
  const totals = tally.totals();
  const asked = options.seeds * subjects.length;
  const lead = wasInterrupted ? `${paint("yellow", "interrupted")}: ` : "";
  const broken = subjects.filter((subject) =>
    tally
      .rows()
      .some((row) => row.keyspace === subject.keyspace.name && isOwnAnomaly(row, subject)),
  );
  const names = broken.map(({ keyspace }) => keyspace.name).join(", ");
  const rest =
    broken.length === 0 ? "" : `\nWhat is not promised was broken at the own levels of: ${names}.`;
  const of = wasInterrupted ? asked : undefined;
  return `${lead}${describeTotals(totals, of, countBroken(laws))}.${rest}`;
}

function isOwnAnomaly(row: TallyRow, subject: Subject): boolean {
  return !row.isPromised && row.first !== undefined && isDefault(row, subject);
}

function wrapped(text: string, width: number, indent: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indent + word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].join("\n");
}
