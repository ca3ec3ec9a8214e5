import type { Command } from "commander";
import {
  addKeyspaceOptions,
  callOptions,
  type KeyspaceOptions,
  withKeyspace,
} from "../client-session.ts";
import type { CommandRunner } from "../command-runner.ts";
import type { Surroundings } from "../surroundings.ts";
import { addWriteOptions, reportWrite, type WriteFlags, writeOptions } from "../write-options.ts";

interface DeleteOptions extends KeyspaceOptions, WriteFlags {}

const EXAMPLES = `
Examples:
  $ capstan delete user:123
  $ capstan delete user:123 --consistency all
  $ capstan delete user:123 --keyspace accounts --if-version VERSION

Deleting a key that is not there is no fault. Exit code 4: it was in another version.`;

export function addDeleteCommand(program: Command, runner: CommandRunner): void {
  const command = program
    .command("delete")
    .alias("del")
    .description("delete a key")
    .argument("<key>", "the key: 1 to 1,024 bytes of text");
  addKeyspaceOptions(addWriteOptions(command))
    .addHelpText("after", EXAMPLES)
    .action((key: string, options: DeleteOptions) =>
      runner.run(options.json, () => remove(key, options, runner.surroundings)),
    );
}

async function remove(
  key: string,
  options: DeleteOptions,
  surroundings: Surroundings,
): Promise<number> {
  const result = await withKeyspace(options, surroundings, (keyspace) =>
    keyspace.delete(key, { ...callOptions(options, surroundings), ...writeOptions(options) }),
  );
  return reportWrite("deleted", key, result, options, surroundings);
}
