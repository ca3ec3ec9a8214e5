import type { Command } from "commander";
import type { WatchEvent } from "../../core/store/api.ts";
import {
  addServerOptions,
  callOptions,
  type KeyspaceOptions,
  withKeyspace,
} from "../client-session.ts";
import type { CommandRunner } from "../command-runner.ts";
import { drained } from "../drained.ts";
import { EXIT, isWrongInput } from "../exit-codes.ts";
import { keyText } from "../key-text.ts";
import { countOption } from "../parse-options.ts";
import { plainValue, valueText } from "../plain-json.ts";
import { printLine, type Surroundings } from "../surroundings.ts";

interface CommandOptions extends KeyspaceOptions {
  readonly prefix?: string;
  readonly from?: string;
  readonly limit?: number;
}

const EXAMPLES = `
Examples:
  $ capstan watch
  $ capstan watch --keyspace accounts --prefix user:
  $ capstan watch --json | jq .key

A line is what happened, the key, and its value. Ctrl-C ends it, and says where to go on.
--timeout is for the time until the watch is in step with every shard.`;

export function addWatchCommand(program: Command, runner: CommandRunner): void {
  const command = program
    .command("watch")
    .description("print changes as they come, until interrupted")
    .option("--keyspace <name>", "keyspace to watch", "default")
    .option("--prefix <text>", "only keys that begin with this")
    .option("--from <cursor>", "go on where an earlier watch stood")
    .option("--limit <count>", "end after this many changes", countOption(1, 1_000_000_000));
  addServerOptions(command)
    .addHelpText("after", EXAMPLES)
    .action((options: CommandOptions) =>
      runner.run(options.json, () => watch(options, runner.surroundings)),
    );
}

async function watch(options: CommandOptions, surroundings: Surroundings): Promise<number> {
  const { stdout, stderr, interruption } = surroundings;
  const place: { cursor: string | undefined } = { cursor: options.from };
  try {
    await withKeyspace(options, surroundings, async (keyspace) => {
      const { prefix, from, limit = Number.POSITIVE_INFINITY } = options;
      const events = keyspace.watch({
        ...callOptions(options, surroundings),
        ...(prefix === undefined ? {} : { prefix }),
        ...(from === undefined ? {} : { cursor: from }),
      });
      let left = limit;
      for await (const event of events) {
        place.cursor = event.cursor;
        if (!print(event, options.json === true, surroundings)) await drained(stdout);
        if (event.key !== undefined) left -= 1;
        if (left <= 0) break;
      }
    });
  } catch (error) {
    if (isWrongInput(error)) place.cursor = undefined;
    if (!interruption.requested || interruption.cause === "EPIPE") throw error;
    return EXIT.interrupted;
  } finally {
    const { cursor } = place;
    const isWanted = options.json !== true && interruption.cause !== "EPIPE";
    if (isWanted && cursor !== undefined) printLine(stderr, `Go on with --from ${cursor}`);
  }
  return EXIT.done;
}

/** False if the output wants no more for now. */
function print(event: WatchEvent<unknown>, json: boolean, surroundings: Surroundings): boolean {
  const { stdout, stderr } = surroundings;
  if (json) return stdout.write(`${jsonLine(event)}\n`);
  if (event.key !== undefined) return stdout.write(`${textLine(event, event.key)}\n`);
  if (event.type === "synced") printLine(stderr, "watching: in step with every shard");
  else printLine(stderr, `gap: ${event.reason}; read again what you keep a copy of`);
  return true;
}

function jsonLine({ value, siblings, ...event }: WatchEvent<unknown>): string {
  return JSON.stringify({
    ...event,
    ...(value === undefined ? {} : { value: plainValue(value) }),
    ...(siblings === undefined ? {} : { siblings: siblings.map(plainValue) }),
  });
}

function textLine({ type, value, siblings }: WatchEvent<unknown>, key: string): string {
  const shown = siblings === undefined ? [value] : siblings;
  const content = shown.filter((each) => each !== undefined).map(valueText);
  return [type, keyText(key), ...(content.length === 0 ? [] : [content.join(" | ")])].join("\t");
}
