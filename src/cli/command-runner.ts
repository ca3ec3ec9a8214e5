import type { Command } from "commander";
import { EXIT } from "./exit-codes.ts";
import { reportFault } from "./report-fault.ts";
import type { Surroundings } from "./surroundings.ts";

/** Runs the body of whichever command was called, and keeps its exit code. */
export class CommandRunner {
  readonly surroundings: Surroundings;
  exitCode: number = EXIT.done;

  constructor(surroundings: Surroundings) {
    this.surroundings = surroundings;
  }

  async run(json: boolean | undefined, body: () => Promise<number>): Promise<void> {
    const { interruption } = this.surroundings;
    try {
      this.exitCode = await body();
    } catch (error) {
      // Whoever read the output has seen enough of it (`capstan scan | head`).
      if (interruption.cause === "EPIPE") return;
      const exitCode = reportFault(error, this.surroundings, json === true);
      this.exitCode = interruption.requested ? EXIT.interrupted : exitCode;
    }
  }
}

/** Adds one command to the program. */
export type CommandAdder = (program: Command, runner: CommandRunner) => void;
