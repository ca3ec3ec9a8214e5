import { nameOfPair } from "../../simulation/verify/promised-checks.ts";
import type { TallyRow } from "../../simulation/verify/tally.ts";
import { renderTimeline } from "../../verification/index.ts";
import { cautionLines } from "./caution-lines.ts";
import { CHECK_SENTENCES, describeLevel, describeResult, isOfKeyspace } from "./describe-rows.ts";
import { escapeHtml } from "./escape-html.ts";
import { describeFault, lanesPicture } from "./lanes-picture.ts";
import { REPORT_STYLE } from "./report-style.ts";
import { countBroken } from "./resolver-laws.ts";
import { isViolated, type Verification } from "./run-verification.ts";
import { describeTotals } from "./verify-progress.ts";

/** One page with everything in it: no script, nothing that is fetched. */
export function htmlReport(verification: Verification): string {
  const { tally, options, cautions, laws, wasInterrupted } = verification;
  const rows = tally.rows();
  const totals = tally.totals();
  const title = `capstan verify: ${options.config}`;
  const verdict = isViolated(verification) ? "violated" : "held";
  const shown = rows.filter(({ first }) => first !== undefined);
  const ordered = [...shown.filter(isPromised), ...shown.filter((row) => !isPromised(row))];
  const body = [
    `<h1>${escapeHtml(title)}</h1>`,
    `<p class="${verdict}">${wasInterrupted ? "Interrupted: " : ""}${escapeHtml(describeTotals(totals, undefined, countBroken(laws)))}.</p>`,
    "<h2>What is promised</h2>",
    tableOf(verification, rows.filter(isPromised)),
    "<p class=note>* the levels of calls that name none. What was not tried may be broken all the same.</p>",
    laws.length === 0 ? "" : "<h2>Laws of resolvers</h2>",
    ...laws.map(
      ({ keyspace, report }) =>
        `<p class="${report.ok ? "held" : "violated"}">${escapeHtml(keyspace)}</p><pre>${escapeHtml(report.text)}</pre>`,
    ),
    "<h2>What is not promised</h2>",
    tableOf(
      verification,
      rows.filter((row) => !isPromised(row)),
    ),
    cautions.length === 0 ? "" : "<h2>What this configuration cannot promise</h2>",
    listOf(cautionLines(cautions)),
    ordered.length === 0 ? "" : "<h2>Histories</h2>",
    ...ordered.map((row) => sectionOf(verification, row)),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${REPORT_STYLE}</style>
</head>
<body>
<main>
${body.filter((part) => part !== "").join("\n")}
</main>
</body>
</html>
`;
}

function isPromised(row: TallyRow): boolean {
  return row.isPromised;
}

function tableOf({ subjects }: Verification, rows: readonly TallyRow[]): string {
  if (rows.length === 0) return "<p>Nothing.</p>";
  const lines = rows.map((row) => {
    const subject = subjects.find((each) => each.keyspace.name === row.keyspace);
    const level = isOfKeyspace(row) ? "-" : describeLevel(row, subject);
    const state = row.broken === 0 ? "held" : row.isPromised ? "violated" : "broken";
    const result = escapeHtml(describeResult(row));
    const linked = row.first === undefined ? result : `<a href="#${anchorOf(row)}">${result}</a>`;
    return (
      `<tr><td>${escapeHtml(row.keyspace)}</td><td>${escapeHtml(level)}</td>` +
      `<td>${escapeHtml(row.check)}<br><small>${escapeHtml(CHECK_SENTENCES[row.check])}</small></td>` +
      `<td class="${state}">${linked}</td></tr>`
    );
  });
  return (
    "<table><thead><tr><th>keyspace</th><th>level</th><th>guarantee</th><th>result</th></tr></thead>" +
    `<tbody>${lines.join("\n")}</tbody></table>`
  );
}

function sectionOf({ repeat, subjects }: Verification, row: TallyRow): string {
  const { first, keyspace, check } = row;
  if (first === undefined) return "";
  const subject = subjects.find((each) => each.keyspace.name === keyspace);
  const level = isOfKeyspace(row) ? "" : ` at ${describeLevel(row, subject)}`;
  const state = row.isPromised ? "violated" : "broken";
  const word = row.isPromised ? "promised, and violated" : "not promised, and broken";
  const parts = [
    `<section id="${anchorOf(row)}">`,
    `<h3>${escapeHtml(`${keyspace}${level}: ${check}`)} <span class="${state}">${word}</span></h3>`,
    `<p>${escapeHtml(first.sentence)}</p>`,
  ];
  if (first.operations.length > 0) {
    const timeline = renderTimeline(first.operations, { violated: first.violated });
    parts.push(`<div class="picture">${lanesPicture(first)}</div>`);
    parts.push(`<details><summary>as text</summary><pre>${escapeHtml(timeline)}</pre></details>`);
  }
  parts.push(
    `<details><summary>the ${first.faults.length} faults of seed ${first.seed}</summary>`,
    listOf(
      first.faults.map(
        (fault) =>
          `${(fault.fromMs / 1_000).toFixed(2)} s to ${(fault.toMs / 1_000).toFixed(2)} s: ${describeFault(fault)}`,
      ),
    ),
    "</details>",
    `<p>Again: <code>${escapeHtml(repeat(keyspace, first.seed))}</code></p>`,
    "</section>",
  );
  return parts.join("\n");
}

function listOf(texts: readonly string[]): string {
  if (texts.length === 0) return "";
  return `<ul>${texts.map((text) => `<li>${escapeHtml(text)}</li>`).join("\n")}</ul>`;
}

/** Names of keyspaces are letters, digits and hyphens; those of pairs have a slash. */
function anchorOf({ keyspace, pair, check }: TallyRow): string {
  return escapeHtml(`${keyspace}-${nameOfPair(pair).replace("/", "-")}-${check}`);
}
