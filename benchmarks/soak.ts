/**
 * `npm run soak [-- --minutes N] [--json FILE]`: three nodes on disk under a steady mixed load.
 * Fails unless the memory of each stays level (the median of the last fifth of the time is at most
 * 1.05 × that of the third and fourth tenth), its descriptors stay constant, and the log's
 * segments are used again and do not pile up, and unless all but one in a thousand operations succeed.
 */
import type { ChildProcess } from "node:child_process";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Table from "cli-table3";
import { withFolder } from "./support/bench-folder.ts";
import { startChild, stopChild } from "./support/child-process.ts";
import { freePorts } from "./support/free-ports.ts";
import { scriptOptions } from "./support/script-options.ts";

const NODES: readonly string[] = Object.freeze(["n1", "n2", "n3"]);
const SAMPLE_MS = 5_000;
const SEGMENT_BYTES = 1024 * 1024;
const MOST_GROWTH = 1.05;
/** Sockets come and go with reconnects and file handles with segments, a few at a time. */
const MOST_MORE_DESCRIPTORS = 4;
/** A machine that stands still for a moment lets deadlines of 50 ms and more pass. */
const MOST_FAULTS_OF_ALL = 0.001;

interface Sample {
  readonly atMs: number;
  readonly rssMiB: number;
  readonly descriptors: number;
  readonly segments: number;
  readonly newestWriteMs: number;
  readonly operations: number;
  /** By code. */
  readonly faults: Readonly<Record<string, number>>;
}

interface Verdict {
  readonly node: string;
  readonly earlyRssMiB: number;
  readonly lateRssMiB: number;
  readonly growth: number;
  readonly descriptors: readonly [early: number, late: number];
  readonly segments: readonly [least: number, most: number];
  readonly operations: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly problems: readonly string[];
}

async function main(): Promise<void> {
  const { minutes, json } = scriptOptions({
    name: "npm run soak",
    options: {
      minutes: { type: "number", least: 0.5, most: 24 * 60, default: 10 },
      json: { type: "file" },
    },
  });
  const verdicts = await withFolder((folder) => soak(folder, minutes * 60_000));
  process.stdout.write(`${formatVerdicts(verdicts)}\n`);
  for (const { node, problems } of verdicts) {
    for (const problem of problems) process.stdout.write(`✗ ${node}: ${problem}\n`);
    if (problems.length > 0) process.exitCode = 1;
  }
  if (json !== undefined) writeFileSync(json, JSON.stringify(verdicts, undefined, 2));
}

async function soak(folder: string, durationMs: number): Promise<readonly Verdict[]> {
  const ports = await freePorts(NODES.length);
  const configuration = {
    cluster: {
      name: "soak",
      nodes: Object.fromEntries(NODES.map((id, at) => [id, `127.0.0.1:${ports[at]}`])),
    },
    transport: { type: "tcp" },
    storage: { type: "disk", path: folder, segmentBytes: SEGMENT_BYTES },
    keyspaces: { default: { strategy: "tunable", replicas: 3 } },
  };
  const script = new URL("./support/soak-process.ts", import.meta.url);
  const text = JSON.stringify(configuration);
  const started = await Promise.all(NODES.map((id) => startChild(script, [id, text])));
  const children = started.map(({ child }) => child);
  const samples: Sample[][] = NODES.map(() => []);
  const startedMs = performance.now();
  while (performance.now() - startedMs < durationMs) {
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
    const atMs = performance.now() - startedMs;
    for (const [at, child] of children.entries()) {
      samples[at]?.push(await sampleOf(child, join(folder, NODES[at] as string), atMs));
    }
    say(samples, atMs, durationMs);
  }
  await Promise.all(children.map((child) => stopChild(child)));
  return samples.map((of, at) => judge(NODES[at] as string, of, durationMs));
}

async function sampleOf(child: ChildProcess, folder: string, atMs: number): Promise<Sample> {
  if (child.exitCode !== null) throw new Error(`a node ended with ${child.exitCode}`);
  const counted = new Promise<Pick<Sample, "operations" | "faults">>((resolve) => {
    child.once("message", (message) => resolve(message as Pick<Sample, "operations" | "faults">));
  });
  child.send("count");
  const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
  const rssKiB = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN);
  const log = join(folder, "log");
  const files = readdirSync(log).map((name) => statSync(join(log, name)));
  return {
    atMs,
    rssMiB: rssKiB / 1024,
    descriptors: readdirSync(`/proc/${child.pid}/fd`).length,
    segments: files.length,
    newestWriteMs: Math.max(...files.map(({ mtimeMs }) => mtimeMs)),
    ...(await counted),
  };
}

function judge(node: string, samples: readonly Sample[], durationMs: number): Verdict {
  const within = (from: number, to: number) =>
    samples.filter(({ atMs }) => atMs >= from * durationMs && atMs <= to * durationMs + SAMPLE_MS);
  const early = within(0.2, 0.4);
  const late = within(0.8, 1);
  const earlyRssMiB = median(early.map(({ rssMiB }) => rssMiB));
  const lateRssMiB = median(late.map(({ rssMiB }) => rssMiB));
  const descriptors = [
    Math.max(...early.map((each) => each.descriptors)),
    Math.max(...late.map((each) => each.descriptors)),
  ] as const;
  const counts = samples.map(({ segments }) => segments);
  const last = samples.at(-1);
  const growth = lateRssMiB / earlyRssMiB;
  const problems = [];
  if (!(growth <= MOST_GROWTH))
    problems.push(`memory grew to ${growth.toFixed(3)} × its early median`);
  if (descriptors[1] > descriptors[0] + MOST_MORE_DESCRIPTORS) {
    problems.push(`${descriptors[1]} descriptors late, ${descriptors[0]} early`);
  }
  const mostEarly = Math.max(...early.map(({ segments }) => segments));
  const mostLate = Math.max(...late.map(({ segments }) => segments));
  if (mostLate > mostEarly + 2) problems.push(`${mostLate} log segments late, ${mostEarly} early`);
  const faults = last?.faults ?? {};
  for (const [code, count] of Object.entries(faults)) {
    // Of two writes to one key at about the same time one is overtaken: that is its answer.
    const isTooMany = count > MOST_FAULTS_OF_ALL * (last?.operations ?? 0);
    if (code !== "SUPERSEDED" && isTooMany)
      problems.push(`${count} operations failed with ${code}`);
  }
  return {
    node,
    earlyRssMiB,
    lateRssMiB,
    growth,
    descriptors,
    segments: [Math.min(...counts), Math.max(...counts)],
    operations: last?.operations ?? 0,
    faults,
    problems,
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function say(samples: readonly (readonly Sample[])[], atMs: number, durationMs: number): void {
  const words = samples.map((of, at) => {
    const last = of.at(-1);
    return `${NODES[at]} ${last?.rssMiB.toFixed(0)} MiB ${last?.operations} ops`;
  });
  const minutes = (ms: number) => (ms / 60_000).toFixed(1);
  process.stdout.write(`${minutes(atMs)} of ${minutes(durationMs)} min: ${words.join(", ")}\n`);
}

function formatVerdicts(verdicts: readonly Verdict[]): string {
  const table = new Table({
    head: ["node", "early MiB", "late MiB", "growth", "descriptors", "segments", "ops", "faults"],
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
      each.operations,
      Object.entries(each.faults)
        .map(([code, count]) => `${code} × ${count}`)
        .join(", "),
    ]);
  }
  return table.toString();
}

await main();
