import type { Command } from "commander";
import {
  addKeyspaceOptions,
  callOptions,
  type KeyspaceOptions,
  withKeyspace,
} from "../client-session.ts";
import type { CommandRunner } from "../command-runner.ts";
import { jsonOf, textArgument } from "../json-argument.ts";
import { lifeOption } from "../parse-options.ts";
import type { Surroundings } from "../surroundings.ts";
import { addWriteOptions, reportWrite, type WriteFlags, writeOptions } from "../write-options.ts";

interface PutOptions extends KeyspaceOptions, WriteFlags {
  readonly text?: boolean;
  readonly ifAbsent?: boolean;
  readonly ttl?: number;
}

const EXAMPLES = `
Examples:
  $ capstan put user:123 '{"name":"John","age":30}'
  $ capstan put motd --text "Good morning"
  $ capstan put config - < config.json
  $ capstan put user:123 '{"name":"John"}' --consistency all --timeout 2s
  $ capstan put lock '"mine"' --keyspace accounts --if-absent --ttl 30s
  $ capstan put todo '["both"]' --keyspace notes --context VERSION   # of \`capstan get --json\`

Exit code 4: the key was there, or in another version; what is there instead is printed.`;

export function addPutCommand(program: Command, runner: CommandRunner): void {
  const command = program
    .command("put")
    .description("write the value of a key")
    .argument("<key>", "the key: 1 to 1,024 bytes of text")
    .argument("<value>", "JSON; with --text a string; - reads standard input")
    .option("--text", "the value is a string, stored exactly as given")
    .option("--if-absent", "only if there is no such key (keyspaces with consensus)")
    .option("--ttl <time>", "the key is gone after this long, such as 30s or 7d", lifeOption);
  addKeyspaceOptions(addWriteOptions(command))
    .addHelpText("after", EXAMPLES)
    .action((key: string, value: string, options: PutOptions) =>
      runner.run(options.json, () => put(key, value, options, runner.surroundings)),
    );
}

async function put(
  key: string,
  argument: string,
  options: PutOptions,
  surroundings: Surroundings,
): Promise<number> {
  const value = await valueFrom(argument, options, surroundings);
  const result = await withKeyspace(options, surroundings, (keyspace) =>
    keyspace.put(key, value, {
      ...callOptions(options, surroundings),
      ...writeOptions(options),
      ...(options.ifAbsent ? { ifAbsent: true } : {}),
      ...(options.ttl === undefined ? {} : { ttlMs: options.ttl }),
    }),
  );
  return reportWrite("written", key, result, options, surroundings);
}

async function valueFrom(
  argument: string,
  { text: isText }: PutOptions,
  surroundings: Surroundings,
): Promise<unknown> {
  const text = await textArgument(argument, surroundings);
  return isText ? text : jsonOf(text, "VALUE", ", or give --text to store the words as a string");
}
