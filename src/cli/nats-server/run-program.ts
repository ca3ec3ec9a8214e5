import { spawn } from "node:child_process";
import type { Environment } from "../../core/contracts/environment.ts";

export interface RanProgram {
  readonly code: number | null;
  /** Both streams, as they came. */
  readonly output: string;
}

export interface ProgramOptions {
  readonly environment: Environment;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs: number;
  readonly directory?: string;
}

/** Runs a program to its end, or to its bound: then it is killed, and `code` is null. */
export function runProgram(
  file: string,
  args: readonly string[],
  { environment, env, timeoutMs, directory }: ProgramOptions,
): Promise<RanProgram> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      ...(directory === undefined ? {} : { cwd: directory }),
      env: { ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    const take = (chunk: Buffer): void => {
      output += chunk.toString("utf8");
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    const timer = environment.setTimer(timeoutMs, () => child.kill("SIGKILL"));
    child.once("error", (error) => {
      environment.clearTimer(timer);
      reject(error);
    });
    child.once("close", (code) => {
      environment.clearTimer(timer);
      resolve({ code, output });
    });
  });
}
