import type { Command } from "commander";
import type { ScanEntryResult } from "../../core/store/api.ts";
import {
  addKeyspaceOptions,
  callOptions,
  type KeyspaceOptions,
  withKeyspace,
} from "../client-session.ts";
import type { CommandRunner } from "../command-runner.ts";
import { drained } from "../drained.ts";
import { EXIT } from "../exit-codes.ts";
import { keyText } from "../key-text.ts";
import { valueFields } from "../loading/encoded-value.ts";
import { countOption } from "../parse-options.ts";
import { plainValue, valueText } from "../plain-json.ts";
import { printLine, type Surroundings } from "../surroundings.ts";

interface CommandOptions extends KeyspaceOptions {
  readonly prefix?: string;
  readonly from?: string;
  readonly to?: string;
  readonly limit?: number;
  readonly cursor?: string;
}

const EXAMPLES = `
Examples:
  $ capstan scan
  $ capstan scan --prefix user: --limit 20
  $ capstan scan --json > backup.ndjson     # lines that \`capstan load\` takes

A line is the key, a tab and the value; a key with blanks or control characters is quoted. With --json
a value that JSON cannot hold comes with its encoding, so that a load writes it as it was. Siblings are
printed, and no load takes them; how long keys have yet to live is not.`;

export function addScanCommand(program: Command, runner: CommandRunner): void {
  const command = program
    .command("scan")
    .description("print keys and values in the order of the keys' bytes")
    .option("--prefix <text>", "only keys that begin with this")
    .option("--from <key>", "from this key on")
    .option("--to <key>", "up to this key, without it")
    .option("--limit <count>", "at most this many", countOption(1, 1_000_000_000))
    .option("--cursor <cursor>", "go on where an earlier scan with --limit ended");
  addKeyspaceOptions(command)
    .addHelpText("after", EXAMPLES)
    .action((options: CommandOptions) =>
      runner.run(options.json, () => scan(options, runner.surroundings)),
    );
}

async function scan(options: CommandOptions, surroundings: Surroundings): Promise<number> {
  const { stdout, stderr } = surroundings;
  let count = 0;
  let cursor = "";
  await withKeyspace(options, surroundings, async (keyspace) => {
    const { prefix, from, to, limit } = options;
    const entries = keyspace.scan({
      ...callOptions(options, surroundings),
      ...(prefix === undefined ? {} : { prefix }),
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
      ...(limit === undefined ? {} : { limit }),
      ...(options.cursor === undefined ? {} : { cursor: options.cursor }),
    });
    for await (const entry of entries) {
      const isTaken = stdout.write(`${options.json ? jsonLine(entry) : textLine(entry)}\n`);
      if (!isTaken) await drained(stdout);
      count += 1;
      cursor = entry.cursor;
    }
  });
  if (count === options.limit) {
    printLine(stderr, `${count} entries: the limit. Go on with --cursor ${cursor}`);
  }
  return EXIT.done;
}

function jsonLine({ key, value, siblings, version }: ScanEntryResult<unknown>): string {
  const content =
    siblings === undefined
      ? valueFields(value)
      : { conflict: true, siblings: siblings.map(plainValue) };
  return JSON.stringify({ key, ...content, version });
}

function textLine({ key, value, siblings }: ScanEntryResult<unknown>): string {
  const shown = siblings === undefined ? valueText(value) : siblings.map(valueText).join(" | ");
  return `${keyText(key)}\t${shown}`;
}
