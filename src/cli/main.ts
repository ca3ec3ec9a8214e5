#!/usr/bin/env node
import { writeSync } from "node:fs";
import { SystemEnvironment } from "../core/store/system-environment.ts";
import { EXIT } from "./exit-codes.ts";
import { Interruption } from "./interruption.ts";
import { reportFault } from "./report-fault.ts";
import { runCommandLine } from "./run-command-line.ts";
import type { Output, Surroundings } from "./surroundings.ts";

async function main(): Promise<void> {
  const environment = new SystemEnvironment();
  const interruption = new Interruption(() => environment.monotonicMs());
  const surroundings: Surroundings = {
    env: process.env,
    directory: workingFolder(),
    script: process.argv[1] ?? "capstan",
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    environment,
    interruption,
  };
  listenToSignals(interruption, environment);
  noticeEndlessWait();
  noticeGoneReaders(interruption);
  const exitCode = await runCommandLine(process.argv.slice(2), surroundings).catch(
    (error: unknown) => reportFault(error, surroundings, false),
  );
  // Output to a pipe may still be under way; an open connection must not keep the process.
  await Promise.all([process.stdout, process.stderr].map(flushed));
  process.exit(exitCode);
}

function listenToSignals(interruption: Interruption, environment: SystemEnvironment): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => interruption.request(signal));
  }
  // A command may have to do something at once as well (kill its children): it gets this turn.
  interruption.immediate.addEventListener("abort", () =>
    environment.soon(() => process.exit(EXIT.interrupted)),
  );
}

/**
 * Node ends a process with code 0 once nothing is left that could wake it. A command that waits then
 * waits for ever, and must not pass for one that is done.
 */
function noticeEndlessWait(): void {
  process.once("beforeExit", () =>
    end("this waits for what never comes: a module that never finishes loading?", EXIT.unknown),
  );
}

/** A reader that has gone (`capstan scan | head`) is no fault: there is nobody left to tell. */
function noticeGoneReaders(interruption: Interruption): void {
  for (const output of [process.stdout, process.stderr]) {
    output.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") interruption.request("EPIPE");
      // Whatever the command did is done: nobody can be told of it any more.
      else end(`the output cannot be written: ${error.message}.`, EXIT.unknown);
    });
  }
}

/** A shell may stand in a folder that is gone. */
function workingFolder(): string {
  try {
    return process.cwd();
  } catch {
    return end("the folder that this was started in does not exist any more.", EXIT.usage);
  }
}

function end(why: string, exitCode: number): never {
  try {
    writeSync(process.stderr.fd, `error: ${why}\n`);
  } catch {
    // The exit code says it alone.
  }
  process.exit(exitCode);
}

function flushed(output: Output): Promise<void> {
  return new Promise((resolve) => {
    if (output.destroyed) resolve();
    else output.write("", () => resolve());
  });
}

void main();
