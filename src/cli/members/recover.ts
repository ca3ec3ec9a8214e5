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
import { EXIT } from "../exit-codes.ts";
import { shardsOption } from "../parse-options.ts";
import { peerHealths, withLostQuorums } from "../peer-healths.ts";
import { fetchHealth, type Health } from "../read-health.ts";
import { printLine, type Surroundings } from "../surroundings.ts";
import { UsageError } from "../usage-error.ts";
import { copyEndLines, copyEndsOf } from "./log-ends.ts";
import { doForShards } from "./many-shards.ts";
import { type PlannedShards, planLines, planRecovery, shardsOf } from "./recovery-plan.ts";
import { type CallLimits, type Deed, linesOf } from "./shard-task.ts";

interface RecoverOptions extends ServerOptions {
  readonly keyspace?: string;
  readonly shard?: readonly number[];
  readonly all?: boolean;
  readonly dryRun?: boolean;
  readonly acceptLoss?: boolean;
}

const DEFAULT_HEALTH_TIMEOUT_MS = 5_000;

interface Plan {
  readonly plan: readonly PlannedShards[];
  /** Of the node at `--url`, with what its peers know of shards that it has no copy of. */
  readonly health: Health;
  /** Of all that have answered, as they said it. */
  readonly healths: readonly Health[];
  readonly unheard: readonly string[];
}

const HELP = `
Raft, where a majority is gone: the node alone holds the shard then, and \`capstan members add\`
gives it replicas again. A replica of before that comes back loses what it has.
Other strategies, where a replica is rebuilt for ever: it no longer waits for those that cannot
be reached.

--all takes the shards that need it as the node at --url knows: of raft those without a majority, of
the others those whose copy at the node is being rebuilt and waits for a node that is away. Shards
that have a majority are left as they are, so that the same command may be given again until all
are done. Make sure that the nodes it names are gone for good: --dry-run names them, and does nothing.
Of raft shards it says how far the logs of the nodes that are left go, and at which to recover each.

Examples:
  $ capstan members recover --all --dry-run
  $ capstan members recover --all --accept-loss
  $ capstan members recover --keyspace accounts --shard 0-3,7 --accept-loss

Exit codes: 0 all of them are done or need nothing; otherwise that of the gravest fault: 5 outcome
unknown, 1 refused, 2 usage. What became of each is said for each.`;

/** `capstan members recover`: goes on with what one node has of shards. */
export function addRecoverCommand(members: Command, runner: CommandRunner): void {
  const command = members
    .command("recover")
    .description(
      "go on with what the node at --url has of shards, where others that held them are gone for " +
        "good; what only those had is lost",
    )
    .option("--keyspace <name>", "the keyspace; needed without --all")
    .option(
      "--shard <numbers>",
      "which of its shards, such as 3 or 0-3,7 (default: 0)",
      shardsOption,
    )
    .option("--all", "all shards that need it, of all keyspaces or of the one that is named")
    .option("--dry-run", "say what would be done, and what would be lost, and do nothing")
    .option("--accept-loss", "says that what only the other replicas had may be lost");
  addServerOptions(command)
    .addHelpText("after", HELP)
    .action((options: RecoverOptions) =>
      runner.run(options.json, () => recover(options, runner.surroundings)),
    );
}

async function recover(options: RecoverOptions, surroundings: Surroundings): Promise<number> {
  const { keyspace, shard: shards, all, dryRun, acceptLoss } = options;
  if (all === true && shards !== undefined) {
    throw new UsageError(
      "--all and --shard contradict each other: --all takes the shards that need it",
    );
  }
  if (all !== true && keyspace === undefined) {
    throw new UsageError("members recover needs --keyspace, or --all");
  }
  if (dryRun === true) return planOnly(options, surroundings);
  if (acceptLoss !== true) {
    throw new UsageError(
      "members recover needs --accept-loss: writes that only the lost replicas had are gone for good " +
        "(--dry-run says which nodes those are)",
    );
  }
  const { interruption } = surroundings;
  const limits: CallLimits = {
    signal: interruption.signal,
    ...(options.timeout === undefined ? {} : { timeoutMs: options.timeout }),
  };
  const client = connectTo(options, surroundings);
  try {
    if (all !== true && (shards ?? [0]).length === 1) {
      const query: ShardQuery = { keyspace: keyspace as string, shard: shards?.[0] ?? 0 };
      const members = await recovering(client, query, limits);
      if (options.json) printLine(surroundings.stdout, JSON.stringify(members));
      else for (const line of linesOf(members)) printLine(surroundings.stdout, line);
      return EXIT.done;
    }
    const asked = await shardsToRecover(options, surroundings);
    return await doForShards(
      client,
      recovering,
      asked,
      limits,
      options.json === true,
      surroundings,
    );
  } finally {
    await client.close();
  }
}

const recovering: Deed = (client, query, limits) =>
  client.admin.recoverShard({ ...query, acceptLoss: true }, limits);

async function shardsToRecover(
  options: RecoverOptions,
  surroundings: Surroundings,
): Promise<readonly ShardQuery[]> {
  const { keyspace, shard: shards } = options;
  if (options.all !== true) {
    return (shards ?? []).map((shard) => ({ keyspace: keyspace as string, shard }));
  }
  const { plan, health } = await planOf(options, surroundings);
  for (const line of planLines(
    plan.filter(({ isHeld }) => !isHeld),
    health,
  )) {
    printLine(surroundings.stderr, line);
  }
  return shardsOf(plan);
}

async function planOnly(options: RecoverOptions, surroundings: Surroundings): Promise<number> {
  const { stdout, stderr } = surroundings;
  const { plan, health, healths, unheard } = await planOf(options, surroundings);
  if (options.json) {
    for (const each of plan) {
      const { isHeld, ...planned } = each;
      const ends = copyEndsOf(each, healths);
      const logs = ends.length === 0 ? {} : { log_ends: ends };
      printLine(stdout, JSON.stringify({ ...planned, held_here: isHeld, ...logs }));
    }
  } else {
    for (const planned of plan) {
      for (const line of planLines([planned], health)) printLine(stdout, line);
      for (const line of copyEndLines(copyEndsOf(planned, healths), health.node)) {
        printLine(stdout, line);
      }
    }
  }
  if (unheard.length > 0 && plan.some(({ strategy }) => strategy === "raft")) {
    const names = unheard.join(", ");
    printLine(
      stderr,
      `not asked how far their logs go: ${names}, whose HTTP address is not known or silent`,
    );
  }
  const count = shardsOf(plan).length;
  printLine(
    stderr,
    count === 0
      ? `nothing to recover, as ${health.node} sees it`
      : `nothing was done: with --accept-loss in place of --dry-run ${count} shards are recovered`,
  );
  return EXIT.done;
}

async function planOf(options: RecoverOptions, surroundings: Surroundings): Promise<Plan> {
  const { env, interruption } = surroundings;
  const { keyspace, shard: asked } = options;
  const { signal } = interruption;
  const url = serverUrl(options, env);
  const access = accessOf(options, surroundings, url);
  const timeoutMs = options.timeout ?? DEFAULT_HEALTH_TIMEOUT_MS;
  const own = await fetchHealth(url, { access, timeoutMs, signal });
  const peers = await peerHealths(own, url, access, signal);
  const health = withLostQuorums(own, peers.healths);
  const said = { health, healths: [own, ...peers.healths], unheard: peers.unheard };
  const names = health.keyspaces.map(({ name }) => name);
  if (keyspace !== undefined && !names.includes(keyspace)) {
    throw new CapstanError(
      "UNKNOWN_KEYSPACE",
      `no keyspace ${JSON.stringify(keyspace)} is declared; there are: ${names.join(", ")}`,
      { allowed: names },
    );
  }
  const all = planRecovery(health, keyspace);
  if (options.all === true) return { plan: all, ...said };
  const wanted = asked ?? [0];
  const plan = all
    .map((each) => ({ ...each, shards: each.shards.filter((shard) => wanted.includes(shard)) }))
    .filter(({ shards }) => shards.length > 0);
  return { plan, ...said };
}
