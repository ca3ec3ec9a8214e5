import { type Command, Option } from "commander";
import type { CommandRunner } from "../command-runner.ts";
import { countOption } from "../parse-options.ts";
import type { Surroundings } from "../surroundings.ts";
import type { VerifyOptions } from "../verifying/verify-options.ts";

const MAX_SEEDS = 1_000_000;
const DEFAULT_SEEDS = 50;

const EXAMPLES = `
Examples:
  $ capstan verify --config capstan.config.json
  $ capstan verify --config capstan.config.ts --keyspace carts --seeds 500 --report report.html
  $ capstan verify --config capstan.config.ts --keyspace visits --workload counter
  $ capstan verify --config capstan.config.json --keyspace carts --seed 17 --seeds 1    # one again

The configuration runs in a simulator: real code, simulated time, network, disks and clocks. No node
is started and nothing is written but the report. Each seed is a history of a minute or more of
clients under faults (partitions, lost and late messages, crashes, power cuts, full and slow disks,
wiped disks, skewed clocks), judged by what each level promises. What is not promised is looked at as
well, and shown where it is broken. Ctrl-C ends it after the history under way and prints what was
found so far. docs/verify.md says how to read it.

Exit codes: 0 no violation found, 1 a promise is violated, 2 the command line or the configuration is
wrong, 130 interrupted.`;

export function addVerifyCommand(program: Command, runner: CommandRunner): void {
  program
    .command("verify")
    .description("try a configuration against faults in a simulator: does it keep its promises?")
    .requiredOption("--config <file>", "configuration: a .json, .js, .mjs or .ts file")
    .option("--keyspace <name>", "only this keyspace (otherwise all of them)")
    .option(
      "--seeds <count>",
      "histories of each keyspace",
      countOption(1, MAX_SEEDS),
      DEFAULT_SEEDS,
    )
    .option("--seed <number>", "the first seed", countOption(1, Number.MAX_SAFE_INTEGER), 1)
    .addOption(
      new Option(
        "--workload <name>",
        "register: values are written and read; counter: one is read, and written plus one",
      )
        .choices(["register", "counter"])
        .default("register"),
    )
    .option("--report <file>", "write a page with pictures of what was broken (HTML)")
    .option("--json", "print one JSON object")
    .addHelpText("after", EXAMPLES)
    .action((options: VerifyOptions) =>
      runner.run(options.json, () => verify(options, runner.surroundings)),
    );
}

/** A simulator is loaded for this command alone: `capstan get` must not wait for it. */
async function verify(options: VerifyOptions, surroundings: Surroundings): Promise<number> {
  const { runVerification } = await import("../verifying/run-verification.ts");
  return await runVerification(options, surroundings);
}
