import { describeMicroseconds, type Measurement } from "../benchmarks/support/measurement.ts";

/** What stands below the heading of a column; a heading that is not here is no table of figures. */
const COLUMNS: Readonly<Record<string, (row: Measurement) => string>> = Object.freeze({
  "per second": (row) => row.opsPerSecond.toLocaleString("en"),
  p50: (row) => describeMicroseconds(row.p50Us),
  p99: (row) => describeMicroseconds(row.p99Us),
  "of its floor's throughput": (row) => describeRatio(row.floorRatio),
  "p50 ÷ its floor's": (row) => describeRatio(row.p50FloorRatio),
});
const LABEL_COLUMNS = 2;

/**
 * The page with its tables of figures filled from a run: tables whose first two columns are a row's
 * label and `in flight`. Labels are the benchmark's names, or what a reader of the README calls them.
 *
 * @throws Error that names a line of which the run has nothing.
 */
export function withFigures(page: string, rows: readonly Measurement[]): string {
  let columns: readonly ((row: Measurement) => string)[] | undefined;
  const lines = page.split("\n").map((line) => {
    const cells = cellsOf(line);
    if (cells === undefined) columns = undefined;
    else if (cells[1] === "in flight") columns = figuresBelow(cells.slice(LABEL_COLUMNS));
    else if (columns !== undefined && !/^-+:?$/u.test(cells[0] ?? "")) {
      const [label = "", inFlight = ""] = cells;
      const row = rows.find((each) => describesRow(each, label, inFlight));
      if (row === undefined)
        throw new Error(`The run has no row "${label}", ${inFlight} in flight.`);
      const figures = columns.map((figure) => figure(row));
      return `| ${[label, inFlight, ...figures].join(" | ")} |`;
    }
    return line;
  });
  return lines.join("\n");
}

function cellsOf(line: string): readonly string[] | undefined {
  if (!line.startsWith("|")) return undefined;
  return line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());
}

function figuresBelow(
  headings: readonly string[],
): readonly ((row: Measurement) => string)[] | undefined {
  const found = headings.map((heading) => COLUMNS[heading]).filter((each) => each !== undefined);
  return found.length === headings.length ? found : undefined;
}

function describesRow(row: Measurement, label: string, inFlight: string): boolean {
  const shown = row.inFlight === 0 ? "paced" : String(row.inFlight);
  return shown === inFlight && row.name === nameBehind(label);
}

/** "tunable `quorum`, disk, NATS" of the README is "put quorum, durable, nats" of the benchmark. */
function nameBehind(label: string): string {
  const storage = label.includes("disk") ? "durable" : "memory";
  const transport = label.includes("NATS") ? "nats" : "tcp";
  const level = /`(?<level>[\w-]+)`/u.exec(label)?.groups?.level;
  if (/^tunable `/u.test(label)) return `put ${level}, ${storage}, ${transport}`;
  if (/^raft, /u.test(label)) return `raft put ${storage} ${transport}`;
  if (/^dynamo `/u.test(label)) return `dynamo put ${level}, ${storage}`;
  return label;
}

function describeRatio(ratio: number | null): string {
  return ratio === null ? "" : String(ratio);
}
