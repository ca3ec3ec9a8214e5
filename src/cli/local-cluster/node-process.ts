import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

export interface NodeCommand {
  readonly script: string;
  readonly configurationFile: string;
  readonly directory: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** How a process ended: by itself with a code, or by a signal. */
export interface NodeExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * One node in a process of its own. It is the leader of its own process group, so that a Ctrl-C in
 * the terminal reaches this process alone, which ends the nodes in an orderly way; and it has a
 * channel to this process, through which it notices its death and ends itself.
 */
export class NodeProcess {
  readonly id: string;
  readonly exited: Promise<NodeExit>;
  readonly #child: ChildProcess;
  #exit: NodeExit | undefined;

  constructor(id: string, command: NodeCommand, onLine: (line: string) => void) {
    this.id = id;
    const { script, configurationFile, directory, env } = command;
    const args = [script, "start", "--config", configurationFile, "--node", id];
    this.#child = spawn(process.execPath, [...process.execArgv, ...args], {
      cwd: directory,
      env: { ...env },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      detached: process.platform !== "win32",
    });
    const outputs = [this.#child.stdout, this.#child.stderr].map((output) =>
      forward(output, onLine),
    );
    this.exited = this.#ended().then(async (exit) => {
      this.#exit = exit;
      // The last words of a node that failed must not come after the conclusion drawn from it.
      await Promise.all(outputs);
      return exit;
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** How it ended; undefined while it runs. */
  get exit(): NodeExit | undefined {
    return this.#exit;
  }

  /** Asks for an orderly end. */
  stop(): void {
    if (this.#exit === undefined) this.#child.kill("SIGTERM");
  }

  kill(): void {
    if (this.#exit === undefined) this.#child.kill("SIGKILL");
  }

  #ended(): Promise<NodeExit> {
    return new Promise((resolve) => {
      this.#child.once("exit", (code, signal) => resolve({ code, signal }));
      this.#child.once("error", () => resolve({ code: null, signal: null }));
    });
  }
}

export function describeExit({ code, signal }: NodeExit): string {
  if (signal !== null) return `was ended by ${signal}`;
  return code === null ? "could not be started" : `ended with code ${code}`;
}

function forward(output: Readable | null, onLine: (line: string) => void): Promise<void> {
  if (output === null) return Promise.resolve();
  const lines = createInterface({ input: output, crlfDelay: Number.POSITIVE_INFINITY });
  lines.on("line", onLine);
  return new Promise((resolve) => lines.once("close", resolve));
}
