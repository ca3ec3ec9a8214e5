import type { Command } from "commander";
import {
  addKeyspaceOptions,
  callOptions,
  type KeyspaceOptions,
  withKeyspace,
} from "../client-session.ts";
import type { CommandRunner } from "../command-runner.ts";
import { jsonOf, textArgument } from "../json-argument.ts";
import type { Surroundings } from "../surroundings.ts";
import { reportWrite } from "../write-options.ts";

interface UpdateOptions extends KeyspaceOptions {
  readonly operationId?: string;
}

const EXAMPLES = `
Examples:
  $ capstan update visits '{"increment": 1}' --keyspace counters
  $ capstan update anna '{"add": "tea"}' --keyspace carts
  $ capstan update anna '{"remove": "tea"}' --keyspace carts

What operations there are depends on the keyspace's resolver; a refusal names them.`;

export function addUpdateCommand(program: Command, runner: CommandRunner): void {
  const command = program
    .command("update")
    .description("change the value of a key by an operation (keyspaces of counters, sets, …)")
    .argument("<key>", "the key: 1 to 1,024 bytes of text")
    .argument("<operation>", "JSON; - reads standard input")
    .option(
      "--operation-id <id>",
      "repeat an update whose outcome was unknown: the very same update",
    );
  addKeyspaceOptions(command)
    .addHelpText("after", EXAMPLES)
    .action((key: string, operation: string, options: UpdateOptions) =>
      runner.run(options.json, () => update(key, operation, options, runner.surroundings)),
    );
}

async function update(
  key: string,
  argument: string,
  options: UpdateOptions,
  surroundings: Surroundings,
): Promise<number> {
  const operation = jsonOf(await textArgument(argument, surroundings), "OPERATION", "");
  const { operationId } = options;
  const result = await withKeyspace(options, surroundings, (keyspace) =>
    keyspace.update(key, operation, {
      ...callOptions(options, surroundings),
      ...(operationId === undefined ? {} : { operationId }),
    }),
  );
  return reportWrite("updated", key, result, options, surroundings);
}
