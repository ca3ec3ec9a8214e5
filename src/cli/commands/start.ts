import { type Command, Option } from "commander";
import type { CommandRunner } from "../command-runner.ts";
import type { NodeOptions } from "../run-node.ts";
import type { Surroundings } from "../surroundings.ts";

const EXAMPLES = `
Examples:
  $ capstan start --config capstan.config.json --node n1
  $ capstan start --config capstan.config.ts --node orders-2 --json-logs

The configuration has the shape of openStore's first argument. The node serves HTTP where
cluster.nodes.<id>.http says. Ctrl-C ends it in an orderly way, twice at once.`;

export function addStartCommand(program: Command, runner: CommandRunner): void {
  program
    .command("start")
    .description("run one node of a cluster in the foreground")
    .requiredOption("--config <file>", "configuration: a .json, .js, .mjs or .ts file")
    .requiredOption("--node <id>", "which node of the configuration this is")
    .option("--json-logs", "log one JSON object a line")
    .addOption(
      new Option("--log-level <level>", "least level that is logged")
        .choices(["trace", "debug", "info", "warn", "error"])
        .default("info"),
    )
    .addHelpText("after", EXAMPLES)
    .action((options: NodeOptions) => runner.run(false, () => start(options, runner.surroundings)));
}

/** What a node needs is loaded for a node alone: `capstan get` must not wait for it. */
async function start(options: NodeOptions, surroundings: Surroundings): Promise<number> {
  const { runNode } = await import("../run-node.ts");
  return await runNode(options, surroundings);
}
