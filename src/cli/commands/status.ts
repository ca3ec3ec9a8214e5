import Table from "cli-table3";
import type { Command } from "commander";
import { accessOf, addServerOptions, type ServerOptions, serverUrl } from "../client-session.ts";
import type { CommandRunner } from "../command-runner.ts";
import { EXIT } from "../exit-codes.ts";
import { type Paint, paintFor } from "../paint.ts";
import { mayLackCopies, type PeerHealths, peerHealths, withLostQuorums } from "../peer-healths.ts";
import { fetchHealth, type Health } from "../read-health.ts";
import { printLine, type Surroundings } from "../surroundings.ts";
import { heard, isUnserved, unservedLines } from "../unserved-lines.ts";

const DEFAULT_TIMEOUT_MS = 5_000;
const NOBODY: PeerHealths = Object.freeze({ healths: [], unheard: [] });

const EXAMPLES = `
Examples:
  $ capstan status
  $ capstan status --url http://127.0.0.1:8402 --json

The table says what the node that was asked knows: on two sides of a broken network two nodes say
different things. Below it stand the shards that do not serve all their levels now; of raft shards of which
that node has no copy also those of which others that it reaches say that their majority is lost.

Exit codes: 0 every shard serves at its keyspace's own levels (those of the table), or succeeds
below them as its policy allows; 6 one or more do not; 1 no node answers.`;

export function addStatusCommand(program: Command, runner: CommandRunner): void {
  const command = program
    .command("status")
    .description("show the nodes and keyspaces of a cluster, and what does not serve");
  addServerOptions(command)
    .addHelpText("after", EXAMPLES)
    .action((options: ServerOptions) =>
      runner.run(options.json, () => status(options, runner.surroundings)),
    );
}

async function status(options: ServerOptions, surroundings: Surroundings): Promise<number> {
  const { interruption, stdout, env } = surroundings;
  const url = serverUrl(options, env);
  const access = accessOf(options, surroundings, url);
  const { signal } = interruption;
  const timeoutMs = options.timeout ?? DEFAULT_TIMEOUT_MS;
  const asked = await fetchHealth(url, { access, timeoutMs, signal });
  const peers = mayLackCopies(asked) ? await peerHealths(asked, url, access, signal) : NOBODY;
  const health = withLostQuorums(asked, peers.healths);
  if (options.json) printLine(stdout, JSON.stringify(health));
  else printLine(stdout, statusText(health, paintFor(stdout, env)));
  return health.keyspaces.some(isUnserved) ? EXIT.unserved : EXIT.done;
}

const SIDES: Readonly<Record<string, string>> = Object.freeze({
  minority: ", on the side of the minority",
  isolated: ", reaching no other",
});

function statusText(health: Health, paint: Paint): string {
  const sides = SIDES[health.side] ?? "";
  const degraded = health.degraded ? paint("yellow", ", degraded") : "";
  const title =
    `cluster ${paint("bold", health.cluster)}, as ${health.node} sees it (${health.state}${sides}): ` +
    `${health.healthy_nodes} of ${health.total_nodes} nodes healthy${degraded}`;
  return [
    title,
    nodesTable(health, paint),
    keyspacesTable(health),
    ...unservedLines(health, paint),
    ...health.nodes.flatMap((node) => lackingLine(node, paint)),
  ].join("\n");
}

function lackingLine({ node, lacking = [] }: Health["nodes"][number], paint: Paint): string[] {
  if (lacking.length === 0) return [];
  const what = lacking.length === 1 ? "a keyspace" : "keyspaces";
  return [
    `${paint("yellow", `${node} lacks ${what} that others have:`)} ${lacking.join(", ")} ` +
      "(not in its configuration)",
  ];
}

function nodesTable({ nodes, node: asked }: Health, paint: Paint): string {
  const table = plainTable(["node", "status", "http", "peers", "datacenter", "last heard"]);
  for (const each of nodes) {
    table.push([
      each.node === asked ? `${each.node} *` : each.node,
      statusOf(each, paint),
      each.http ?? "-",
      each.address ?? "-",
      each.datacenter,
      each.node === asked ? "itself" : heard(each.silent_ms),
    ]);
  }
  return table.toString();
}

const COLOURS: Readonly<Record<string, "green" | "yellow">> = Object.freeze({
  active: "green",
  joining: "yellow",
});

function statusOf({ status, refusal }: Health["nodes"][number], paint: Paint): string {
  if (refusal !== undefined) return paint("red", `${status}: ${refusal}`);
  return paint(COLOURS[status] ?? "red", status);
}

function keyspacesTable({ keyspaces }: Health): string {
  const table = plainTable(["keyspace", "strategy", "replicas", "shards", "read", "write"]);
  for (const each of keyspaces) {
    table.push([
      each.name,
      each.strategy,
      String(each.replicas),
      String(each.shards),
      each.read_default,
      each.write_default,
    ]);
  }
  return table.toString();
}

/** Without colours of its own: a head in colour would reach files and pipes too. */
function plainTable(head: string[]): InstanceType<typeof Table> {
  return new Table({ head, style: { head: [], border: [], compact: true } });
}
