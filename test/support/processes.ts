import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

// The command line as its users run it: the built file, in processes of its own, in a folder of its
// own, on ports that nobody else has.

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
export const MAIN = join(ROOT, "dist/cli/main.js");

/** Generous: two cores may be shared with another file of tests, and with much else. */
const PATIENCE_MS = 120_000;
const POLL_MS = 20;

/** Builds if there is no build, or a source is younger than it. */
export function ensureBuilt(): void {
  const builtAtMs = existsSync(MAIN) ? statSync(MAIN).mtimeMs : 0;
  const youngestMs = Math.max(
    ...readdirSync(join(ROOT, "src"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs),
  );
  if (youngestMs <= builtAtMs) return;
  const { status } = spawnSync(process.execPath, [join(ROOT, "scripts/build.mjs")], {
    stdio: "inherit",
  });
  if (status !== 0) throw new Error("the build failed");
}

export interface Ran {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly directory: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Written to standard input, which is then closed. */
  readonly input?: string;
}

/** A process with its output, to be waited for. */
export class Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ran>;
  stdout = "";
  stderr = "";
  #isOver = false;

  constructor(file: string, args: readonly string[], { directory, env, input }: RunOptions) {
    this.child = spawn(file, args, {
      cwd: directory,
      env: { ...process.env, NO_COLOR: "1", CAPSTAN_URL: "", ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.child.stdout?.on("data", (chunk: Buffer) => {
      this.stdout += chunk.toString("utf8");
    });
    this.child.stderr?.on("data", (chunk: Buffer) => {
      this.stderr += chunk.toString("utf8");
    });
    this.child.stdin?.on("error", () => undefined);
    this.child.stdin?.end(input ?? "");
    this.ended = new Promise((resolve) => {
      this.child.once("close", (exitCode) => {
        this.#isOver = true;
        resolve({ exitCode, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  get output(): string {
    return this.stdout + this.stderr;
  }

  /** Settles with the match once the output has it; fails if the process ends without. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    const giveUpAtMs = Date.now() + PATIENCE_MS;
    for (;;) {
      const match = pattern.exec(this.stdout) ?? pattern.exec(this.stderr);
      if (match !== null) return match;
      if (this.#isOver || Date.now() > giveUpAtMs) {
        const why = this.#isOver ? "ended without saying" : "did not say in time";
        throw new Error(`the process ${why} ${pattern}; it said:\n${this.output}`);
      }
      await sleep(POLL_MS);
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** For the end of a test: whatever it did, nothing of it stays. */
  async end(): Promise<void> {
    if (!this.#isOver) this.child.kill("SIGINT");
    const giveUpAtMs = Date.now() + 20_000;
    while (!this.#isOver && Date.now() < giveUpAtMs) await sleep(POLL_MS);
    if (!this.#isOver) this.child.kill("SIGKILL");
    await this.ended;
  }
}

export function startCapstan(words: readonly string[], options: RunOptions): Running {
  return new Running(process.execPath, [MAIN, ...words], options);
}

export function capstan(words: readonly string[], options: RunOptions): Promise<Ran> {
  return startCapstan(words, options).ended;
}

/** A folder that `remove` takes away again. */
export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "capstan-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

const FIRST_PORT = 10_000;
const PORTS_OF_A_WORKER = 5_000;

/**
 * The first of `count` ports in a row that are free, below those that the system hands out. Each
 * worker of Vitest has a range of its own: some are listened on only later.
 */
export async function freePorts(count: number): Promise<number> {
  const worker = Number(process.env.VITEST_POOL_ID ?? 0) % 4;
  const least = FIRST_PORT + worker * PORTS_OF_A_WORKER;
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const first = least + Math.floor(Math.random() * (PORTS_OF_A_WORKER - count));
    const ports = Array.from({ length: count }, (_, index) => first + index);
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return first;
  }
  throw new Error(`no ${count} free ports in a row`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () => {
      server.close(() => resolve(true));
    });
  });
}

/** Settles once the condition holds. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const giveUpAtMs = Date.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (Date.now() > giveUpAtMs) throw new Error(`did not come true in time: ${what}`);
    await sleep(POLL_MS);
  }
}

/** Whether a process lives; one that has ended and was not waited for counts as dead. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
