import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { KeptWrites } from "./kept-writes.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SCRIPT = fileURLToPath(new URL("./writing-process.mjs", import.meta.url));
/** A node that neither opens nor dies within this hangs. */
const PATIENCE_MS = 60_000;

export interface KilledNodeOptions {
  /** Of the data; kept from life to life. */
  readonly path: string;
  readonly writes: KeptWrites;
  readonly seed: number;
  readonly storage?: Readonly<Record<string, unknown>>;
}

export interface Life {
  /** What is wrong with what it held when it had opened; undefined if it was killed before. */
  readonly wrong: readonly string[] | undefined;
  readonly stderr: string;
}

/** One life of a writing process: opens, says what it holds, writes, and is killed by SIGKILL. */
export async function killedAfter(
  delayMs: number,
  from: "start" | "opened",
  { path, writes, seed, storage }: KilledNodeOptions,
): Promise<Life> {
  writes.begin();
  const settings = {
    configuration: {
      cluster: { name: "kills", nodes: ["n1"] },
      storage: { type: "disk", path, ...storage },
      // One shard: what is to be read back at the next start is more than one run of its log.
      keyspaces: { default: { strategy: "tunable", replicas: 1, shards: 1 } },
      limits: { operationsInFlight: 20 },
    },
    clients: 8,
    firstSequence: writes.nextSequence,
    seed,
  };
  const args = [SCRIPT, `${ROOT}dist`, JSON.stringify(settings)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString("utf8");
  });
  const ended = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  const life: { wrong: readonly string[] | undefined } = { wrong: undefined };
  const opened = listen(child, writes, life);
  const hang = setTimeout(() => child.kill("SIGABRT"), PATIENCE_MS);
  if (from === "opened") await Promise.race([opened, ended]);
  await Promise.race([sleep(delayMs), ended]);
  child.kill("SIGKILL");
  const end = await ended;
  clearTimeout(hang);
  await opened;
  if (end !== "SIGKILL") throw new Error(`the node ended by itself with ${end}: ${stderr}`);
  return { wrong: life.wrong, stderr };
}

/** Settles at the node's DUMPED, or when all that it said was heard. */
function listen(
  child: ChildProcess,
  writes: KeptWrites,
  life: { wrong: readonly string[] | undefined },
): Promise<void> {
  return new Promise((resolve) => {
    if (child.stdout === null) throw new Error("the node has no standard output");
    const lines = createInterface({ input: child.stdout });
    lines.on("line", (line) => {
      if (line !== "DUMPED") {
        writes.hear(line);
        return;
      }
      life.wrong = writes.judge();
      resolve();
    });
    lines.once("close", () => resolve());
  });
}
