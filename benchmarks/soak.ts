/**
 * `npm run soak [-- --minutes N] [--json FILE]`: three nodes on disk under a steady mixed load.
 * Fails unless the memory of each stays level (the median of the last fifth of the time is at most
 * 1.05 × that of the third and fourth tenth), its descriptors stay constant, the log's segments are
 * used again until the end and do not pile up, and all but one in a thousand operations succeed.
 */
import type { ChildProcess } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withFolder } from "./support/bench-folder.ts";
import { startChild, stopChild } from "./support/child-process.ts";
import { freePorts } from "./support/free-ports.ts";
import { scriptOptions } from "./support/script-options.ts";
import { segmentGenerations } from "./support/segment-uses.ts";
import { formatVerdicts, judgeSoak, type Sample, type Verdict } from "./support/soak-verdict.ts";

const NODES: readonly string[] = Object.freeze(["n1", "n2", "n3"]);
const SAMPLE_MS = 5_000;
const LOG = Object.freeze({ segmentBytes: 1024 * 1024 });
/** So that segments are filled and given back many times in a run of less than a minute, too. */
const SHORT_LOG = Object.freeze({ segmentBytes: 128 * 1024, commitInterval: 1_000 });
const SHORT_MS = 60_000;
/** Least of a run, so that there is something in each part of it. */
const FEWEST_SAMPLES = 20;

async function main(): Promise<void> {
  const { minutes, json } = scriptOptions({
    name: "npm run soak",
    options: {
      minutes: { type: "number", least: 0.1, most: 24 * 60, default: 10 },
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
  const log = durationMs < SHORT_MS ? SHORT_LOG : LOG;
  const sampleMs = Math.min(SAMPLE_MS, durationMs / FEWEST_SAMPLES);
  const configuration = {
    cluster: {
      name: "soak",
      nodes: Object.fromEntries(NODES.map((id, at) => [id, `127.0.0.1:${ports[at]}`])),
    },
    transport: { type: "tcp" },
    storage: { type: "disk", path: folder, ...log },
    keyspaces: { default: { strategy: "tunable", replicas: 3 } },
  };
  const script = new URL("./support/soak-process.ts", import.meta.url);
  const text = JSON.stringify(configuration);
  const started = await Promise.all(NODES.map((id) => startChild(script, [id, text])));
  const children = started.map(({ child }) => child);
  const samples: Sample[][] = NODES.map(() => []);
  // By samples and not by the clock: what a machine that stands still lets pass is no soaking.
  for (let atMs = sampleMs; atMs <= durationMs; atMs += sampleMs) {
    await new Promise((resolve) => setTimeout(resolve, sampleMs));
    for (const [at, child] of children.entries()) {
      samples[at]?.push(await sampleOf(child, join(folder, NODES[at] as string), atMs));
    }
    say(samples, atMs, durationMs);
  }
  await Promise.all(children.map((child) => stopChild(child)));
  return samples.map((of, at) => judgeSoak(NODES[at] as string, of, durationMs));
}

async function sampleOf(child: ChildProcess, folder: string, atMs: number): Promise<Sample> {
  if (child.exitCode !== null) throw new Error(`a node ended with ${child.exitCode}`);
  const counted = new Promise<Pick<Sample, "operations" | "faults">>((resolve) => {
    child.once("message", (message) => resolve(message as Pick<Sample, "operations" | "faults">));
  });
  child.send("count");
  const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
  const rssKiB = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN);
  return {
    atMs,
    rssMiB: rssKiB / 1024,
    descriptors: descriptorsOf(child),
    segments: segmentGenerations(join(folder, "log")),
    ...(await counted),
  };
}

/** Those of the log's files are left out: they are counted by themselves, and come and go. */
function descriptorsOf({ pid }: ChildProcess): number {
  const folder = `/proc/${pid}/fd`;
  const targets = readdirSync(folder).map((name) => {
    try {
      return readlinkSync(join(folder, name));
    } catch {
      return undefined;
    }
  });
  return targets.filter((target) => target !== undefined && !/\.segment\b/.test(target)).length;
}

function say(samples: readonly (readonly Sample[])[], atMs: number, durationMs: number): void {
  const words = samples.map((of, at) => {
    const last = of.at(-1);
    return `${NODES[at]} ${last?.rssMiB.toFixed(0)} MiB ${last?.operations} ops`;
  });
  const minutes = (ms: number) => (ms / 60_000).toFixed(1);
  process.stdout.write(`${minutes(atMs)} of ${minutes(durationMs)} min: ${words.join(", ")}\n`);
}

await main();
