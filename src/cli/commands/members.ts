import type { Command } from "commander";
import { type Client, connect } from "../../client/index.ts";
import { CapstanError } from "../../core/model/errors.ts";
import type { ShardMembers, ShardQuery } from "../../core/store/api.ts";
import { addServerOptions, type ServerOptions, serverUrl } from "../client-session.ts";
import type { CommandRunner } from "../command-runner.ts";
import { EXIT } from "../exit-codes.ts";
import { countOption } from "../parse-options.ts";
import { printLine, type Surroundings } from "../surroundings.ts";
import { UsageError } from "../usage-error.ts";

interface RecoverOptions extends MemberOptions {
  readonly acceptLoss?: boolean;
}

interface MemberOptions extends ServerOptions {
  readonly keyspace: string;
  readonly shard: number;
}

interface CallLimits {
  readonly signal: AbortSignal;
  readonly timeoutMs?: number;
}

type Deed = (client: Client, query: ShardQuery, limits: CallLimits) => Promise<ShardMembers>;

const MAX_SHARD = 65_535;

const EXAMPLES = `
Examples:
  $ capstan members list --keyspace accounts --shard 3
  $ capstan members add n4 --keyspace accounts --shard 3
  $ capstan members remove n1 --keyspace accounts --shard 3
  $ capstan members recover --keyspace accounts --shard 3 --accept-loss`;

/** `capstan members list|add|remove|recover`: who holds a shard of a keyspace. */
export function addMembersCommand(program: Command, runner: CommandRunner): void {
  const members = program
    .command("members")
    .description("show and change which nodes hold a shard")
    .addHelpText("after", EXAMPLES);
  const add = (name: string, description: string, deedOf: (node: string) => Deed): void => {
    const takesNode = name !== "list";
    const command = members
      .command(takesNode ? `${name} <node>` : name)
      .description(description)
      .requiredOption("--keyspace <name>", "the keyspace")
      .option("--shard <number>", "which of its shards", countOption(0, MAX_SHARD), 0);
    const example = `capstan members ${name} --keyspace accounts --shard 0`;
    addServerOptions(command)
      .addHelpText("after", `\nExample:\n  $ ${example}${takesNode ? " n4" : ""}`)
      .action((first: string | MemberOptions, second?: MemberOptions) => {
        const options = takesNode ? (second as MemberOptions) : (first as MemberOptions);
        const deed = deedOf(takesNode ? (first as string) : "");
        return runner.run(options.json, () => show(deed, options, runner.surroundings));
      });
  };
  add("list", "show who holds the shard", () => list);
  add("add", "let one more node hold the shard; ends when it does", adding);
  add("remove", "let a node hold the shard no longer; ends when it does not", removing);
  addRecover(members, runner);
}

function addRecover(members: Command, runner: CommandRunner): void {
  const command = members
    .command("recover")
    .description(
      "go on with what the node at --url has of the shard, where others that held it are gone for " +
        "good; what only those had is lost",
    )
    .requiredOption("--keyspace <name>", "the keyspace")
    .option("--shard <number>", "which of its shards", countOption(0, MAX_SHARD), 0)
    .option("--accept-loss", "says that what only the other replicas had may be lost");
  addServerOptions(command)
    .addHelpText(
      "after",
      "\nRaft, where a majority is gone: the node alone holds the shard then, and `capstan members add`" +
        "\ngives it replicas again. A replica of before that comes back loses what it has." +
        "\nOther strategies, where a replica is rebuilt for ever: it no longer waits for those that cannot" +
        "\nbe reached.\n" +
        "\nExample:\n  $ capstan members recover --keyspace accounts --shard 0 --accept-loss",
    )
    .action((options: RecoverOptions) =>
      runner.run(options.json, () => show(recovering(options), options, runner.surroundings)),
    );
}

function recovering({ acceptLoss }: RecoverOptions): Deed {
  return (client, query, limits) => {
    if (acceptLoss !== true) {
      throw new UsageError(
        "members recover needs --accept-loss: writes that only the lost replicas had are gone for good",
      );
    }
    return client.admin.recoverShard({ ...query, acceptLoss: true }, limits);
  };
}

const list: Deed = (client, query, limits) => client.admin.members(query, limits);

function adding(node: string): Deed {
  return changing((held) => {
    if (!held.includes(node)) return [...held, node];
    throw new CapstanError(
      "INVALID_ARGUMENT",
      `${node} holds the shard already; those that do: ${held.join(", ")}`,
    );
  });
}

function removing(node: string): Deed {
  return changing((held) => {
    const left = held.filter((each) => each !== node);
    const those = `those that hold it: ${held.join(", ")}`;
    if (left.length === held.length) {
      throw new CapstanError("INVALID_ARGUMENT", `${node} does not hold the shard; ${those}`, {
        allowed: held,
      });
    }
    if (left.length > 0) return left;
    throw new CapstanError("INVALID_ARGUMENT", `nobody would hold the shard; ${those}`);
  });
}

/** Joins at the replicas that decide now: the same word again is the same change. */
function changing(goalOf: (held: readonly string[]) => readonly string[]): Deed {
  return async (client, query, limits) => {
    const { replicas } = await client.admin.members(query, limits);
    return client.admin.changeReplicas({ ...query, replicas: goalOf(replicas) }, limits);
  };
}

async function show(
  deed: Deed,
  options: MemberOptions,
  { env, stdout, interruption }: Surroundings,
): Promise<number> {
  const { keyspace, shard, timeout } = options;
  const client = connect({ url: serverUrl(options, env) });
  try {
    const limits = {
      signal: interruption.signal,
      ...(timeout === undefined ? {} : { timeoutMs: timeout }),
    };
    const members = await deed(client, { keyspace, shard }, limits);
    if (options.json) printLine(stdout, JSON.stringify(members));
    else for (const line of linesOf(members)) printLine(stdout, line);
  } finally {
    await client.close();
  }
  return EXIT.done;
}

function linesOf({ keyspace, shard, replicas, learners, leader, changingTo }: ShardMembers) {
  return [
    `shard ${shard} of ${keyspace}: ${replicas.join(", ")}` +
      (leader === undefined ? "" : `; ${leader} leads`),
    ...(learners.length === 0 ? [] : [`being given the data: ${learners.join(", ")}`]),
    ...(changingTo === undefined ? [] : [`changing to: ${changingTo.join(", ")}`]),
  ];
}
