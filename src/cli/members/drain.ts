import type { Command } from "commander";
import { CapstanError } from "../../core/model/errors.ts";
import type { ShardQuery } from "../../core/store/api.ts";
import {
  accessOf,
  addServerOptions,
  connectTo,
  type ServerOptions,
  serverUrl,
} from "../client-session.ts";
import type { CommandRunner } from "../command-runner.ts";
import { fetchHealth, type Health } from "../read-health.ts";
import type { Surroundings } from "../surroundings.ts";
import { doForShards } from "./many-shards.ts";
import type { CallLimits, Deed } from "./shard-task.ts";

interface DrainOptions extends ServerOptions {
  readonly keyspace?: string;
}

const DEFAULT_HEALTH_TIMEOUT_MS = 5_000;

const HELP = `
In each shard that it holds another node takes its place: one that is active and does not hold the
shard, in its datacenter if there is one, and the one that was given the fewest. Reads and writes go on.
So a node is taken out for good, also one that is gone already, as long as a majority of the shard is
there. The same command again goes on with what failed. It stays in the configuration, and may be
given shards again by \`capstan members add\`.

Examples:
  $ capstan members drain n2
  $ capstan members drain n2 --keyspace accounts

Exit codes: 0 it holds nothing any more; otherwise that of the gravest fault: 5 outcome unknown,
1 refused, 2 usage. What became of each shard is said for each.`;

/** `capstan members drain`: other nodes take a node's place in all shards that it holds. */
export function addDrainCommand(members: Command, runner: CommandRunner): void {
  const command = members
    .command("drain <node>")
    .description("let other nodes take a node's place in all shards that it holds")
    .option("--keyspace <name>", "only shards of this keyspace");
  addServerOptions(command)
    .addHelpText("after", HELP)
    .action((node: string, options: DrainOptions) =>
      runner.run(options.json, () => drain(node, options, runner.surroundings)),
    );
}

async function drain(
  node: string,
  options: DrainOptions,
  surroundings: Surroundings,
): Promise<number> {
  const { env, interruption } = surroundings;
  const { signal } = interruption;
  const url = serverUrl(options, env);
  const timeoutMs = options.timeout ?? DEFAULT_HEALTH_TIMEOUT_MS;
  const access = accessOf(options, surroundings, url);
  const health = await fetchHealth(url, { access, timeoutMs, signal });
  checkNamed(
    "node",
    node,
    health.nodes.map((each) => each.node),
  );
  if (options.keyspace !== undefined) {
    checkNamed(
      "keyspace",
      options.keyspace,
      health.keyspaces.map(({ name }) => name),
    );
  }
  const shards = health.keyspaces
    .filter(({ name }) => options.keyspace === undefined || name === options.keyspace)
    .flatMap(({ name, shards: count }) =>
      Array.from({ length: count }, (_, shard): ShardQuery => ({ keyspace: name, shard })),
    );
  const limits: CallLimits = {
    signal,
    ...(options.timeout === undefined ? {} : { timeoutMs: options.timeout }),
  };
  const client = connectTo(options, surroundings);
  try {
    const json = options.json === true;
    return await doForShards(client, draining(node, health), shards, limits, json, surroundings);
  } finally {
    await client.close();
  }
}

function checkNamed(what: "node" | "keyspace", name: string, allowed: readonly string[]): void {
  if (allowed.includes(name)) return;
  throw new CapstanError(
    what === "node" ? "INVALID_ARGUMENT" : "UNKNOWN_KEYSPACE",
    `no ${what} ${JSON.stringify(name)} is declared; there are: ${allowed.join(", ")}`,
    { allowed },
  );
}

function draining(node: string, health: Health): Deed {
  const given = new Map<string, number>();
  return async (client, query, limits) => {
    const members = await client.admin.members(query, limits);
    const { replicas, changingTo } = members;
    // A change is under way that leads away from it: to ask for the same again sees it to its end.
    if (changingTo !== undefined && !changingTo.includes(node)) {
      return client.admin.changeReplicas({ ...query, replicas: changingTo }, limits);
    }
    if (!replicas.includes(node)) return members;
    const place = placeOf(node, replicas, health, query.keyspace, given);
    given.set(place, (given.get(place) ?? 0) + 1);
    const goal = replicas.map((each) => (each === node ? place : each));
    return client.admin.changeReplicas({ ...query, replicas: goal }, limits);
  };
}

/** Who takes the node's place in a shard. */
function placeOf(
  node: string,
  held: readonly string[],
  { nodes }: Health,
  keyspace: string,
  given: ReadonlyMap<string, number>,
): string {
  const datacenter = nodes.find((each) => each.node === node)?.datacenter;
  const free = nodes
    .filter((each) => each.status === "active" && each.refusal === undefined)
    .filter((each) => !held.includes(each.node) && each.node !== node)
    .filter((each) => each.lacking?.includes(keyspace) !== true);
  const near = free.filter((each) => each.datacenter === datacenter);
  const candidates = near.length > 0 ? near : free;
  const [first] = candidates
    .map((each) => each.node)
    .sort((a, b) => (given.get(a) ?? 0) - (given.get(b) ?? 0));
  if (first !== undefined) return first;
  throw new CapstanError(
    "UNAVAILABLE",
    `no active node is left to take the place of ${node}; those that hold the shard: ` +
      `${held.join(", ")}; capstan members remove ${node} lets the others hold it alone`,
  );
}
