import { PassThrough, Readable, Writable } from "node:stream";
import { Interruption } from "../../../src/cli/interruption.ts";
import { runCommandLine } from "../../../src/cli/run-command-line.ts";
import type { Surroundings } from "../../../src/cli/surroundings.ts";
import { SystemEnvironment } from "../../../src/core/store/system-environment.ts";

/** Keeps what is written to it. */
export class Collector extends Writable {
  text = "";

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString("utf8");
    done();
  }
}

export interface FakeSurroundings extends Surroundings {
  readonly stdout: Collector;
  readonly stderr: Collector;
}

export function fakeSurroundings(
  overrides: Partial<Omit<Surroundings, "stdout" | "stderr">> = {},
): FakeSurroundings {
  const environment = new SystemEnvironment();
  return {
    env: {},
    directory: process.cwd(),
    script: "/somewhere/dist/cli/main.js",
    stdin: Readable.from([]),
    environment,
    interruption: new Interruption(() => environment.monotonicMs()),
    ...overrides,
    stdout: new Collector(),
    stderr: new Collector(),
  };
}

export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function run(
  words: readonly string[],
  surroundings: FakeSurroundings = fakeSurroundings(),
): Promise<Ran> {
  const exitCode = await runCommandLine(words, surroundings);
  return { exitCode, stdout: surroundings.stdout.text, stderr: surroundings.stderr.text };
}

export function streamOf(...chunks: readonly (string | Uint8Array)[]): Readable {
  return Readable.from(chunks.map((chunk) => Buffer.from(chunk)));
}

/** A stream that stays open until it is destroyed: a terminal where nobody types. */
export function silentStream(): Readable {
  return new PassThrough();
}
