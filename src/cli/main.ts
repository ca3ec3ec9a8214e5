#!/usr/bin/env node
import { SystemEnvironment } from "../core/store/system-environment.ts";
import { EXIT } from "./exit-codes.ts";
import { Interruption } from "./interruption.ts";
import { reportFault } from "./report-fault.ts";
import { runCommandLine } from "./run-command-line.ts";
import type { Output, Surroundings } from "./surroundings.ts";

const environment = new SystemEnvironment();
const interruption = new Interruption(() => environment.monotonicMs());

const surroundings: Surroundings = {
  env: process.env,
  directory: process.cwd(),
  script: process.argv[1] ?? "capstan",
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  environment,
  interruption,
};

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => interruption.request(signal));
}
// A command may have to do something at once as well (kill its children): it gets this turn.
interruption.immediate.addEventListener("abort", () =>
  environment.soon(() => process.exit(EXIT.interrupted)),
);

// A reader that has gone (`capstan scan | head`) is no fault: there is nobody left to tell.
for (const output of [process.stdout, process.stderr]) {
  output.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    interruption.request("EPIPE");
  });
}

/** Output to a pipe may still be under way; an open connection must not keep the process. */
async function exit(exitCode: number): Promise<never> {
  await Promise.all([process.stdout, process.stderr].map(flushed));
  process.exit(exitCode);
}

function flushed(output: Output): Promise<void> {
  return new Promise((resolve) => {
    if (output.destroyed) resolve();
    else output.write("", () => resolve());
  });
}

runCommandLine(process.argv.slice(2), surroundings).then(exit, (error: unknown) =>
  exit(reportFault(error, surroundings, false)),
);
