import type { Readable, Writable } from "node:stream";
import type { Environment } from "../core/contracts/environment.ts";
import type { Interruption } from "./interruption.ts";

export type Output = Writable & { readonly isTTY?: boolean };

/** Everything that a command touches outside itself, so that tests can hand it something else. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder that relative paths start from. */
  readonly directory: string;
  /** Path of the script that runs, as it was called: `process.argv[1]`. */
  readonly script: string;
  readonly stdin: Readable;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly environment: Environment;
  readonly interruption: Interruption;
}

export function printLine(output: Output, text: string): void {
  output.write(`${text}\n`);
}

/** Settles after `delayMs`, or as soon as `signal` aborts. Never rejects. */
export function pause(
  environment: Environment,
  delayMs: number,
  signal?: AbortSignal,
): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      environment.clearTimer(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = environment.setTimer(delayMs, end);
    signal?.addEventListener("abort", end, { once: true });
  });
}
