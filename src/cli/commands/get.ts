import type { Command } from "commander";
import type { GetResult } from "../../core/store/api.ts";
import {
  addKeyspaceOptions,
  callOptions,
  type KeyspaceOptions,
  withKeyspace,
} from "../client-session.ts";
import type { CommandRunner } from "../command-runner.ts";
import { warnIfWeaker } from "../describe-receipt.ts";
import { EXIT } from "../exit-codes.ts";
import { plainGet, valueText } from "../plain-json.ts";
import { printLine, type Surroundings } from "../surroundings.ts";

interface GetOptions extends KeyspaceOptions {
  readonly text?: boolean;
}

const EXAMPLES = `
Examples:
  $ capstan get user:123
  $ capstan get user:123 --consistency strong --json
  $ capstan get motd --text > motd.txt

Exit code 3 says that there is no such key.`;

export function addGetCommand(program: Command, runner: CommandRunner): void {
  const command = program
    .command("get")
    .description("print the value of a key, as JSON")
    .argument("<key>", "the key: 1 to 1,024 bytes of text")
    .option("--text", "print a string as it is, without quotes");
  addKeyspaceOptions(command)
    .addHelpText("after", EXAMPLES)
    .action((key: string, options: GetOptions) =>
      runner.run(options.json, () => get(key, options, runner.surroundings)),
    );
}

async function get(key: string, options: GetOptions, surroundings: Surroundings): Promise<number> {
  const result = await withKeyspace(options, surroundings, (keyspace) =>
    keyspace.get(key, callOptions(options, surroundings)),
  );
  if (options.json) printLine(surroundings.stdout, JSON.stringify(plainGet(key, result)));
  else print(key, result, options, surroundings);
  return result.found ? EXIT.done : EXIT.notFound;
}

function print(
  key: string,
  result: GetResult<unknown>,
  options: GetOptions,
  surroundings: Surroundings,
): void {
  const { stdout, stderr } = surroundings;
  warnIfWeaker(result.receipt, surroundings);
  if (!result.found) {
    printLine(stderr, `not found: ${JSON.stringify(key)} in keyspace ${options.keyspace}`);
  } else if (result.conflict) {
    printLine(stderr, `conflict: ${result.siblings.length} versions, written side by side`);
    for (const sibling of result.siblings) printLine(stdout, valueText(sibling));
    printLine(stderr, `a write with --context ${result.version} takes the place of all of them`);
  } else if (options.text && typeof result.value === "string") {
    stdout.write(result.value);
  } else {
    printLine(stdout, valueText(result.value));
  }
}
