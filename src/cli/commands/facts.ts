import Table from "cli-table3";
import type { Command } from "commander";
import type { Client } from "../../client/index.ts";
import type { ConflictRow, FactPage, FactQuery, ReplicationRow } from "../../core/store/api.ts";
import { addServerOptions, connectTo, type ServerOptions } from "../client-session.ts";
import type { CommandRunner } from "../command-runner.ts";
import { EXIT } from "../exit-codes.ts";
import { keyText } from "../key-text.ts";
import { countOption } from "../parse-options.ts";
import { printLine, type Surroundings } from "../surroundings.ts";

interface FactOptions extends ServerOptions {
  readonly keyspace?: string;
  readonly key?: string;
  readonly before?: number;
  readonly limit?: number;
}

type AnyRow = ReplicationRow | ConflictRow;

/** One table of facts: how it is asked for, and how it is shown. */
interface FactTable<Row extends AnyRow> {
  readonly name: string;
  readonly description: string;
  readonly head: readonly string[];
  readonly note: string;
  ask(client: Client, query: FactQuery, options: CallLimits): Promise<FactPage<Row>>;
  cells(row: Row): readonly string[];
}

interface CallLimits {
  readonly signal: AbortSignal;
  readonly timeoutMs?: number;
}

function whatOf({ writes, operation }: ReplicationRow): string {
  if (writes !== 1) return `${writes} writes`;
  return operation ?? "1 write";
}

const REPLICATIONS: FactTable<ReplicationRow> = Object.freeze({
  name: "replications",
  description: "show which replicas held the latest writes when they were answered",
  head: ["id", "at", "keyspace", "key", "what", "version", "replicated to"],
  note: "Of writes that the node which is asked has seen through, since it was started.",
  ask: (client: Client, query: FactQuery, options: CallLimits) =>
    client.admin.replications(query, options),
  cells: (row: ReplicationRow) => [
    row.key === undefined ? "-" : keyText(row.key),
    whatOf(row),
    row.version ?? (row.sequences === undefined ? "-" : row.sequences.join(" to ")),
    row.replicatedTo.join(", "),
  ],
});

const CONFLICTS: FactTable<ConflictRow> = Object.freeze({
  name: "conflicts",
  description: "show which concurrent versions met, and what became of them",
  head: ["id", "at", "keyspace", "key", "versions", "resolution", "discarded"],
  note: "As the node which is asked has met them, since it was started.",
  ask: (client: Client, query: FactQuery, options: CallLimits) =>
    client.admin.conflicts(query, options),
  cells: (row: ConflictRow) => [
    keyText(row.key),
    row.versions.join(" | "),
    row.resolvedVersion === undefined
      ? row.resolution
      : `${row.resolution}: ${row.resolvedVersion}`,
    String(row.discarded),
  ],
});

export function addReplicationsCommand(program: Command, runner: CommandRunner): void {
  addFactCommand(program, runner, REPLICATIONS);
}

export function addConflictsCommand(program: Command, runner: CommandRunner): void {
  addFactCommand(program, runner, CONFLICTS);
}

function addFactCommand<Row extends AnyRow>(
  program: Command,
  runner: CommandRunner,
  table: FactTable<Row>,
): void {
  const { name, description, note } = table;
  const command = program
    .command(name)
    .description(description)
    .option("--keyspace <name>", "only of this keyspace")
    .option("--key <key>", "only of this key")
    .option("--before <id>", "rows older than this one", countOption(1, 1e15 - 1))
    .option("--limit <count>", "at most this many rows (default: 100)", countOption(1, 1_000));
  addServerOptions(command)
    .addHelpText(
      "after",
      `\nExamples:\n  $ capstan ${name}\n  $ capstan ${name} --key user:123\n\n${note}`,
    )
    .action((options: FactOptions) =>
      runner.run(options.json, () => show(table, options, runner.surroundings)),
    );
}

async function show<Row extends AnyRow>(
  table: FactTable<Row>,
  options: FactOptions,
  surroundings: Surroundings,
): Promise<number> {
  const { stdout, stderr, interruption } = surroundings;
  const { keyspace, key, before, limit, timeout } = options;
  const client = connectTo(options, surroundings);
  try {
    const query = {
      ...(keyspace === undefined ? {} : { keyspace }),
      ...(key === undefined ? {} : { key }),
      ...(before === undefined ? {} : { before }),
      ...(limit === undefined ? {} : { limit }),
    };
    const { rows, total } = await table.ask(client, query, {
      signal: interruption.signal,
      ...(timeout === undefined ? {} : { timeoutMs: timeout }),
    });
    if (options.json) {
      for (const row of rows) printLine(stdout, JSON.stringify(row));
      return EXIT.done;
    }
    if (rows.length > 0) printLine(stdout, tableOf(table, rows));
    printLine(stderr, `${rows.length} rows; ${total} facts since the node was started`);
  } finally {
    await client.close();
  }
  return EXIT.done;
}

/** Without colours of its own: a head in colour would reach files and pipes too. */
function tableOf<Row extends AnyRow>(table: FactTable<Row>, rows: readonly Row[]): string {
  const shown = new Table({
    head: [...table.head],
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) {
    const { id, atMs, keyspace } = row;
    shown.push([String(id), new Date(atMs).toISOString(), keyspace, ...table.cells(row)]);
  }
  return shown.toString();
}
