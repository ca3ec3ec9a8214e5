import type { Command } from "commander";
import { CapstanError } from "../../core/model/errors.ts";
import type { ShardMembers, ShardQuery } from "../../core/store/api.ts";
import { addServerOptions, connectTo, type ServerOptions } from "../client-session.ts";
import type { CommandRunner } from "../command-runner.ts";
import { EXIT } from "../exit-codes.ts";
import { addDrainCommand } from "../members/drain.ts";
import { tellFewerCopies } from "../members/fewer-copies.ts";
import { doForShards } from "../members/many-shards.ts";
import { addRecoverCommand } from "../members/recover.ts";
import { type Deed, linesOf } from "../members/shard-task.ts";
import { shardsOption } from "../parse-options.ts";
import { printLine, type Surroundings } from "../surroundings.ts";

interface MemberOptions extends ServerOptions {
  readonly keyspace: string;
  readonly shard?: readonly number[];
}

const EXAMPLES = `
Examples:
  $ capstan members list --keyspace accounts --shard 3
  $ capstan members add n4 --keyspace accounts --shard 3
  $ capstan members remove n1 --keyspace accounts --shard 3
  $ capstan members add n4 --keyspace accounts --shard 0-15
  $ capstan members drain n2
  $ capstan members recover --all --dry-run`;

/** `capstan members list|add|remove|drain|recover`: who holds a shard of a keyspace. */
export function addMembersCommand(program: Command, runner: CommandRunner): void {
  const members = program
    .command("members")
    .description("show and change which nodes hold a shard")
    .addHelpText("after", EXAMPLES);
  const add = (
    name: string,
    description: string,
    deedOf: (node: string, isMany: boolean) => Deed,
  ): void => {
    const takesNode = name !== "list";
    const command = members
      .command(takesNode ? `${name} <node>` : name)
      .description(description)
      .requiredOption("--keyspace <name>", "the keyspace")
      .option(
        "--shard <numbers>",
        "which of its shards, such as 3 or 0-3,7 (default: 0)",
        shardsOption,
      );
    const example = `capstan members ${name} --keyspace accounts --shard 0`;
    addServerOptions(command)
      .addHelpText("after", `\nExample:\n  $ ${example}${takesNode ? " n4" : ""}`)
      .action((first: string | MemberOptions, second?: MemberOptions) => {
        const options = takesNode ? (second as MemberOptions) : (first as MemberOptions);
        const isMany = (options.shard ?? []).length > 1;
        const deed = deedOf(takesNode ? (first as string) : "", isMany);
        const mayLeaveFewer = name === "remove";
        return runner.run(options.json, () =>
          show(deed, options, runner.surroundings, mayLeaveFewer),
        );
      });
  };
  add("list", "show who holds the shard", () => list);
  add("add", "let one more node hold the shard; ends when it does", adding);
  add("remove", "let a node hold the shard no longer; ends when it does not", removing);
  addDrainCommand(members, runner);
  addRecoverCommand(members, runner);
}

const list: Deed = (client, query, limits) => client.admin.members(query, limits);

/** `isMany`: of several shards, those where there is nothing to do are done. */
function adding(node: string, isMany: boolean): Deed {
  return changing((held) => {
    if (!held.includes(node)) return [...held, node];
    if (isMany) return held;
    throw new CapstanError(
      "INVALID_ARGUMENT",
      `${node} holds the shard already; those that do: ${held.join(", ")}`,
    );
  });
}

function removing(node: string, isMany: boolean): Deed {
  return changing((held) => {
    const left = held.filter((each) => each !== node);
    const those = `those that hold it: ${held.join(", ")}`;
    if (left.length === held.length) {
      if (isMany) return held;
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
    const members = await client.admin.members(query, limits);
    const { replicas } = members;
    const goal = goalOf(replicas);
    // To ask for those that are in force would take back a change that is under way.
    if (goal === replicas) return members;
    return client.admin.changeReplicas({ ...query, replicas: goal }, limits);
  };
}

async function show(
  deed: Deed,
  options: MemberOptions,
  surroundings: Surroundings,
  mayLeaveFewer: boolean,
): Promise<number> {
  const { keyspace, shard: shards = [0], timeout } = options;
  const { stdout, interruption } = surroundings;
  const client = connectTo(options, surroundings);
  try {
    const limits = {
      signal: interruption.signal,
      ...(timeout === undefined ? {} : { timeoutMs: timeout }),
    };
    const done: ShardMembers[] = [];
    const noting: Deed = async (...call) => {
      const members = await deed(...call);
      done.push(members);
      return members;
    };
    const queries = shards.map((shard) => ({ keyspace, shard }));
    const [query] = queries as [ShardQuery, ...ShardQuery[]];
    if (queries.length > 1) {
      const isJson = options.json === true;
      const code = await doForShards(client, noting, queries, limits, isJson, surroundings);
      if (mayLeaveFewer) await tellFewerCopies(done, options, surroundings);
      return code;
    }
    const members = await noting(client, query, limits);
    if (options.json) printLine(stdout, JSON.stringify(members));
    else for (const line of linesOf(members)) printLine(stdout, line);
    if (mayLeaveFewer) await tellFewerCopies(done, options, surroundings);
  } finally {
    await client.close();
  }
  return EXIT.done;
}
