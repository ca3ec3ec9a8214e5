import type { FaultSpan } from "../../simulation/verify/fault-log.ts";
import type { Instance } from "../../simulation/verify/tally.ts";
import {
  describeClient,
  describeOperation,
  type KeyValueOperation,
} from "../../verification/index.ts";
import { escapeHtml } from "./escape-html.ts";
import { TimeScale } from "./time-scale.ts";

const MARGIN_PX = 84;
const RIGHT_PX = 200;
const TOP_PX = 28;
const BAR_PX = 22;
const ROW_PX = 30;
const LANE_GAP_PX = 14;
const FAULT_PX = 20;
const TEXT_PX = 7.2;
/** Of the faults that were there at the time, so many are drawn: the latest ones. */
const MOST_FAULTS = 10;

interface PlacedBar {
  readonly operation: KeyValueOperation;
  readonly number: number;
  readonly node: string;
  readonly row: number;
}

/**
 * A picture of a counterexample: a lane for each node, its operations from left to right, the faults
 * of that time behind and below, the violating operation marked. Inline SVG, styled by the page.
 */
export function lanesPicture({ operations, violated, nodes, faults }: Instance): string {
  const sorted = [...operations].sort((a, b) => a.calledAt - b.calledAt);
  const moments = sorted.flatMap((operation) => [
    startOf(operation),
    endOf(operation) ?? startOf(operation),
  ]);
  const [from, to] = [Math.min(...moments), Math.max(...moments)];
  const there = faults
    .filter(({ fromMs, toMs }) => toMs >= from && fromMs <= to)
    .slice(-MOST_FAULTS);
  const edges = there
    .flatMap(({ fromMs, toMs }) => [fromMs, toMs])
    .filter((at) => at > from && at < to);
  const scale = new TimeScale([...moments, ...edges], MARGIN_PX + 12);
  const bars = placeBars(sorted, scale);
  const lanes = layLanes(lanesOf(nodes, sorted), bars);
  const width = scale.width + RIGHT_PX;
  const faultsTop = lanes.bottom + 24;
  const height = faultsTop + there.length * FAULT_PX + 8;
  const parts = [
    ...lanes.list.map(({ node, top, heightPx }) => drawLane(node, { top, heightPx, width })),
    ...there.flatMap((fault) => drawBands(fault, scale, lanes.list)),
    ...drawTicks(sorted, scale, lanes.bottom),
    ...bars.map((bar) =>
      drawBar(bar, { scale, lanes: lanes.list, isViolated: bar.operation === violated }),
    ),
    ...there.map((fault, at) => drawFault(fault, scale, faultsTop + at * FAULT_PX)),
  ];
  const title = `Operations on ${nodes.length} nodes; ${there.length} faults at the time.`;
  return (
    `<svg class="lanes" role="img" viewBox="0 0 ${px(width)} ${px(height)}" width="${px(width)}" height="${px(height)}">` +
    `<title>${escapeHtml(title)}</title>${parts.join("")}</svg>`
  );
}

interface Lane {
  readonly node: string;
  readonly top: number;
  readonly heightPx: number;
}

function lanesOf(nodes: readonly string[], operations: readonly KeyValueOperation[]) {
  return [...new Set([...nodes, ...operations.map(nodeOf)])];
}

function layLanes(nodes: readonly string[], bars: readonly PlacedBar[]) {
  let top = TOP_PX;
  const list = nodes.map((node): Lane => {
    const rows = Math.max(1, ...bars.filter((bar) => bar.node === node).map(({ row }) => row + 1));
    const lane = { node, top, heightPx: rows * ROW_PX + 8 };
    top += lane.heightPx + LANE_GAP_PX;
    return lane;
  });
  return { list, bottom: top - LANE_GAP_PX };
}

/** Operations of one node that overlap stand in rows of their own; so do labels that would. */
function placeBars(
  operations: readonly KeyValueOperation[],
  scale: TimeScale,
): readonly PlacedBar[] {
  const taken = new Map<string, number[]>();
  return operations.map((operation, index): PlacedBar => {
    const node = nodeOf(operation);
    const rows = taken.get(node) ?? [];
    taken.set(node, rows);
    const left = scale.placeOf(startOf(operation));
    const right = Math.max(
      rightOf(operation, scale),
      left + textOf(operation, index + 1).length * TEXT_PX + 12,
    );
    const free = rows.findIndex((end) => end < left);
    const row = free < 0 ? rows.length : free;
    rows[row] = right + 8;
    return { operation, number: index + 1, node, row };
  });
}

function drawLane(
  node: string,
  { top, heightPx, width }: { top: number; heightPx: number; width: number },
) {
  return (
    `<rect class="lane" x="${MARGIN_PX}" y="${px(top)}" width="${px(width - MARGIN_PX)}" height="${px(heightPx)}" rx="4"/>` +
    `<text class="node" x="8" y="${px(top + heightPx / 2 + 5)}">${escapeHtml(short(node, 10))}<title>${escapeHtml(node)}</title></text>`
  );
}

function drawBar(
  { operation, number, node, row }: PlacedBar,
  { scale, lanes, isViolated }: { scale: TimeScale; lanes: readonly Lane[]; isViolated: boolean },
): string {
  const lane = lanes.find((each) => each.node === node) as Lane;
  const y = lane.top + 4 + row * ROW_PX;
  const left = scale.placeOf(startOf(operation));
  const right = rightOf(operation, scale);
  const isOpen = endOf(operation) === undefined;
  const classes = ["bar", operation.input.type === "get" ? "read" : "write"];
  if (isOpen) classes.push("open");
  if (isViolated) classes.push("violated");
  const text = textOf(operation, number);
  const full = `${text} by ${describeClient(operation)}${operation.level === undefined ? "" : ` at ${operation.level}`}`;
  const mark = isViolated
    ? `<path class="mark" d="M${px(left - 3)} ${px(y + BAR_PX / 2)} l-9 -6 v12 z"/>`
    : "";
  return (
    `<g class="${classes.join(" ")}"><title>${escapeHtml(full)}</title>` +
    `<rect x="${px(left)}" y="${px(y)}" width="${px(Math.max(6, right - left))}" height="${BAR_PX}" rx="3"/>${mark}` +
    `<text x="${px(left + 6)}" y="${px(y + 15)}">${escapeHtml(text)}</text></g>`
  );
}

/** Behind the operations of the nodes that the fault has changed. */
function drawBands(
  { fromMs, toMs, nodes, kind }: FaultSpan,
  scale: TimeScale,
  lanes: readonly Lane[],
) {
  const [left, right] = spanOf({ fromMs, toMs }, scale);
  return lanes
    .filter(({ node }) => nodes.includes(node))
    .map(
      ({ top, heightPx }) =>
        `<rect class="band" x="${px(left)}" y="${px(top)}" width="${px(right - left)}" height="${px(heightPx)}"><title>${escapeHtml(kind)}</title></rect>`,
    );
}

function drawFault(fault: FaultSpan, scale: TimeScale, y: number): string {
  const [left, right] = spanOf(fault, scale);
  const text = escapeHtml(describeFault(fault));
  return (
    `<g class="fault"><title>${text}</title>` +
    `<rect x="${px(left)}" y="${px(y)}" width="${px(right - left)}" height="14" rx="2"/>` +
    `<text x="${px(left + 5)}" y="${px(y + 11)}">${text}</text></g>`
  );
}

/** `partition n1 | n2, n1 | n3`, `kill n2`. */
export function describeFault({ kind, nodes, cuts }: FaultSpan): string {
  const met = cuts.length > 0 ? cuts : nodes;
  return met.length === 0 ? kind : `${kind} ${met.join(", ")}`;
}

function drawTicks(operations: readonly KeyValueOperation[], scale: TimeScale, bottom: number) {
  let last = Number.NEGATIVE_INFINITY;
  return [...new Set(operations.map(startOf))].map((atMs) => {
    const x = scale.placeOf(atMs);
    const line = `<line class="tick" x1="${px(x)}" y1="${TOP_PX - 6}" x2="${px(x)}" y2="${px(bottom)}"/>`;
    if (x - last < 90) return line;
    last = x;
    return `${line}<text class="time" x="${px(x)}" y="14">${escapeHtml(`${atMs.toFixed(1)} ms`)}</text>`;
  });
}

function spanOf({ fromMs, toMs }: Pick<FaultSpan, "fromMs" | "toMs">, scale: TimeScale) {
  const left = fromMs <= scale.firstMs ? MARGIN_PX : scale.placeOf(fromMs);
  const right = toMs >= scale.lastMs ? scale.width + RIGHT_PX : scale.placeOf(toMs);
  return [left, Math.max(right, left + 3)] as const;
}

function rightOf(operation: KeyValueOperation, scale: TimeScale): number {
  const endMs = endOf(operation);
  return endMs === undefined ? scale.width + RIGHT_PX - 8 : scale.placeOf(endMs);
}

function textOf(operation: KeyValueOperation, number: number): string {
  return `${number} ${describeOperation(operation)}`;
}

function nodeOf({ node }: KeyValueOperation): string {
  return node ?? "?";
}

/** A history of another recorder may have no times: then its places stand for them. */
function startOf({ calledAtMs, calledAt }: KeyValueOperation): number {
  return calledAtMs ?? calledAt;
}

/** Undefined: it has not returned. */
function endOf({ returnedAtMs, returnedAt }: KeyValueOperation): number | undefined {
  return Number.isFinite(returnedAt) ? (returnedAtMs ?? returnedAt) : undefined;
}

function short(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}
