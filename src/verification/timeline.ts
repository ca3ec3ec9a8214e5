import { describeClient, describeOperation } from "./describe-operation.ts";
import { type KeyValueOperation, OPEN_ENDED } from "./operation.ts";

export interface TimelineOptions {
  /** Marked with `<==` in the lanes and in the list. */
  readonly violated?: KeyValueOperation | undefined;
  /** Lanes that would be wider show numbers only. Default 120 characters. */
  readonly maxWidth?: number;
}

const DEFAULT_MAX_WIDTH = 120;
const MARK = " <==";

/**
 * Operations as a picture in text: a lane for each client from left to right, then a list with
 * places and times. Distances say nothing; the order of calls and returns is true.
 *
 *     c1@n1  |1 put "k" = "a"|
 *     c2@n2                   |2 get "k" -> nothing| <==
 *
 * What ends with `...` has not returned.
 */
export function renderTimeline(
  operations: readonly KeyValueOperation[],
  options: TimelineOptions = {},
): string {
  const { violated, maxWidth = DEFAULT_MAX_WIDTH } = options;
  const sorted = [...operations].sort((a, b) => a.calledAt - b.calledAt);
  const named = sorted.map((operation, index) => ({
    operation,
    label: `${index + 1} ${describeOperation(operation)}`,
    mark: operation === violated ? MARK : "",
  }));
  const lanes = renderLanes(named);
  const fits = lanes.every((line) => line.length <= maxWidth);
  const numbered = named.map((each, index) => ({ ...each, label: `${index + 1}` }));
  return [...(fits ? lanes : renderLanes(numbered)), "", ...renderList(named)].join("\n");
}

interface Labelled {
  readonly operation: KeyValueOperation;
  readonly label: string;
  readonly mark: string;
}

/** From one column to another. */
interface Bar extends Labelled {
  readonly from: number;
  readonly to: number;
}

interface Lane {
  readonly name: string;
  readonly bars: Bar[];
}

function renderLanes(labelled: readonly Labelled[]): readonly string[] {
  const bars = placeBars(labelled);
  const lanes: Lane[] = [];
  for (const bar of bars) {
    const name = describeClient(bar.operation);
    const free = lanes.find((lane) => lane.name === name && isFree(lane, bar));
    if (free === undefined) lanes.push({ name, bars: [bar] });
    else free.bars.push(bar);
  }
  const margin = Math.max(0, ...lanes.map(({ name }) => name.length)) + 2;
  return lanes.map(({ name, bars: drawn }) => {
    let line = name.padEnd(margin);
    for (const bar of drawn) line = line.padEnd(margin + bar.from) + drawBar(bar);
    return line;
  });
}

function isFree({ bars }: Lane, { from }: Bar): boolean {
  return bars.every((bar) => bar.to + bar.mark.length < from);
}

function drawBar({ label, mark, from, to, operation }: Bar): string {
  const isOpen = operation.returnedAt === OPEN_ENDED;
  const end = isOpen ? "..." : "|";
  return `|${label.padEnd(to - from - end.length, isOpen ? "." : "-")}${end}${mark}`;
}

/** Each call and each return has a column, as far right as the labels that end there need. */
function placeBars(labelled: readonly Labelled[]): readonly Bar[] {
  const events = labelled.flatMap(({ operation }, index) => [
    { index, isCall: true, at: operation.calledAt },
    { index, isCall: false, at: operation.returnedAt },
  ]);
  events.sort((a, b) => compare(a.at, b.at) || Number(b.isCall) - Number(a.isCall));
  const from: number[] = [];
  const to: number[] = [];
  let column = -2;
  for (const { index, isCall } of events) {
    const { label, operation } = labelled[index] as Labelled;
    if (isCall) {
      column += 2;
      from[index] = column;
    } else {
      const needed = (from[index] as number) + label.length + 1;
      const dots = operation.returnedAt === OPEN_ENDED ? 3 : 0;
      column = Math.max(column + 2, needed + dots);
      to[index] = column;
    }
  }
  return labelled.map((each, index) => ({
    ...each,
    from: from[index] as number,
    to: to[index] as number,
  }));
}

/** The difference of two open ends is no number. */
function compare(a: number, b: number): number {
  return a === b ? 0 : a - b;
}

function renderList(labelled: readonly Labelled[]): readonly string[] {
  const clients = labelled.map(({ operation }) => describeClient(operation));
  const clientWidth = Math.max(0, ...clients.map(({ length }) => length));
  const labelWidth = Math.max(0, ...labelled.map(({ label }) => label.length));
  return labelled.map(({ operation, label, mark }, index) => {
    const client = (clients[index] as string).padEnd(clientWidth);
    const level = operation.level === undefined ? "" : ` at ${operation.level}`;
    return `${client}  ${label.padEnd(labelWidth)}  ${describeSpan(operation)}${level}${mark}`;
  });
}

function describeSpan(operation: KeyValueOperation): string {
  const { calledAt, returnedAt, calledAtMs, returnedAtMs } = operation;
  const called = `called ${calledAt}${milliseconds(calledAtMs)}`;
  if (returnedAt === OPEN_ENDED) return `${called}, never returned`;
  return `${called}, returned ${returnedAt}${milliseconds(returnedAtMs)}`;
}

function milliseconds(timeMs: number | undefined): string {
  return timeMs === undefined ? "" : ` (${Math.round(timeMs * 1_000) / 1_000} ms)`;
}
