import { describeValue } from "../model/configuration-problems.ts";
import type { ResolvedConfiguration } from "../model/configuration-types.ts";
import { CapstanError } from "../model/errors.ts";
import type { NodeId } from "../model/ids.ts";
import type { MembersResult, Operation, OperationOptions } from "../model/operations.ts";
import type { CallOptions, ReplicaChange, ShardMembers, ShardQuery, ShardRecovery } from "./api.ts";
import { OPTIONS_OF, parseOptions } from "./call-options.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { OpenKeyspace } from "./node-store.ts";
import { PendingCall, refuseAborted } from "./pending-call.ts";

const NO_KEY = new Uint8Array(0);
/** A replica that joins gets all of the shard's data first. */
const DEFAULT_CHANGE_TIMEOUT_MS = 30_000;

export interface MembersDeskOptions {
  readonly configuration: ResolvedConfiguration;
  readonly keyspaces: ReadonlyMap<string, OpenKeyspace>;
  readonly lifecycle: Lifecycle;
  readonly monotonicMs: () => number;
  /** Nodes that were met, and were given a configuration without the keyspace. */
  readonly lackedBy: (keyspace: string) => readonly string[];
}

/** Checks what `store.admin` is asked about who holds a shard, and asks the keyspace's engine. */
export class MembersDesk {
  readonly #options: MembersDeskOptions;

  constructor(options: MembersDeskOptions) {
    this.#options = options;
  }

  async members(query: ShardQuery, options?: CallOptions): Promise<ShardMembers> {
    checkFields(query, ["keyspace", "shard"]);
    return this.#ask(query, undefined, undefined, options);
  }

  async changeReplicas(change: ReplicaChange, options?: CallOptions): Promise<ShardMembers> {
    checkFields(change, ["keyspace", "shard", "replicas"]);
    const replicas = this.#nodesOf(change.replicas);
    await this.#refuseWithout(change, replicas, options);
    return this.#ask(change, { replicas }, this.#changeTimeoutMs, options);
  }

  /**
   * A node without the keyspace can be given nothing: the change would be under way until somebody takes
   * it back, and writes would have to meet their level there, too. One that takes part already may be
   * named: a change is taken back by asking for the replicas of before.
   */
  async #refuseWithout(
    { keyspace, shard }: ReplicaChange,
    replicas: readonly NodeId[],
    options: CallOptions | undefined,
  ): Promise<void> {
    const lacking = this.#options.lackedBy(keyspace);
    if (!replicas.some((node) => lacking.includes(node))) return;
    const {
      replicas: held,
      learners,
      changingTo = [],
    } = await this.members({ keyspace, shard }, options);
    const there: readonly string[] = [...held, ...learners, ...changingTo];
    const named = replicas.filter((node) => lacking.includes(node) && !there.includes(node));
    if (named.length === 0) return;
    const nodes = this.#options.configuration.cluster.nodes.map(({ id }) => id);
    throw new CapstanError(
      "UNAVAILABLE",
      `replicas names ${named.join(", ")}, not configured with keyspace "${keyspace}": give it to such a ` +
        "node first, and ask again",
      {
        details: { option: "replicas", lacking: named },
        allowed: nodes.filter((node) => !lacking.includes(node)),
      },
    );
  }

  get #changeTimeoutMs(): number {
    return Math.min(DEFAULT_CHANGE_TIMEOUT_MS, this.#options.configuration.limits.timeoutMs);
  }

  async recover(recovery: ShardRecovery, options?: CallOptions): Promise<ShardMembers> {
    checkFields(recovery, ["keyspace", "shard", "acceptLoss"]);
    if (recovery.acceptLoss !== true) {
      throw invalid(
        `acceptLoss has to be true, not ${describeValue(recovery.acceptLoss)}: what only the other ` +
          "replicas of the shard had will be lost",
        "acceptLoss",
      );
    }
    if (this.#keyspaceOf(recovery.keyspace).engine.capabilities.shardRecovery !== true) {
      throw new CapstanError(
        "NOT_SUPPORTED",
        `no shard of the keyspace "${recovery.keyspace}" can be recovered: its strategy has no word ` +
          "for going on without the others",
      );
    }
    return this.#ask(recovery, { acceptLoss: true }, this.#changeTimeoutMs, options);
  }

  #ask(
    { keyspace: name, shard }: ShardQuery,
    given: OperationOptions | undefined,
    defaultTimeoutMs: number | undefined,
    options: CallOptions | undefined,
  ): Promise<ShardMembers> {
    const { configuration, lifecycle, monotonicMs } = this.#options;
    if (!lifecycle.isAccepting) throw lifecycle.refusal();
    const keyspace = this.#keyspaceOf(name);
    this.#checkShard(name, shard);
    const { limits } = configuration;
    const parsed = parseOptions(options, OPTIONS_OF.plain, limits.timeoutMs);
    const { signal, timeoutMs = defaultTimeoutMs } = parsed;
    refuseAborted(signal);
    const operation: Operation = {
      type: "members",
      key: NO_KEY,
      shardIndex: shard,
      value: undefined,
      level: "strong",
      operationId: undefined,
      deadlineMs: timeoutMs === undefined ? undefined : monotonicMs() + timeoutMs,
      options: given,
    };
    return new Promise((settle, reject) => {
      const finish = (result: unknown): ShardMembers => {
        const { voters, learners, goal, leader } = result as MembersResult;
        const changing = goal === undefined ? {} : { changingTo: goal };
        return {
          keyspace: name,
          shard,
          replicas: voters,
          learners,
          ...changing,
          ...(leader !== undefined && { leader }),
        };
      };
      new PendingCall(finish, settle, reject).begin(keyspace.engine, operation, signal);
    });
  }

  #keyspaceOf(name: string): OpenKeyspace {
    const { keyspaces } = this.#options;
    const found = keyspaces.get(name);
    const names = [...keyspaces.keys()];
    if (found === undefined) {
      throw new CapstanError(
        "UNKNOWN_KEYSPACE",
        `no keyspace ${describeValue(name)} is declared; there are: ${names.join(", ")}`,
        { allowed: names, details: { keyspace: name } },
      );
    }
    if (found.engine.capabilities.replicaChanges === true) return found;
    const able = [...keyspaces.values()]
      .filter(({ engine }) => engine.capabilities.replicaChanges === true)
      .map((keyspace) => keyspace.name);
    throw new CapstanError(
      "NOT_SUPPORTED",
      `the strategy of the keyspace "${name}" has its replicas where the configuration places them; ` +
        `they can be changed in: ${able.length === 0 ? "none" : able.join(", ")}`,
      { allowed: able },
    );
  }

  #checkShard(name: string, shard: unknown): void {
    const { keyspaces } = this.#options.configuration;
    const { shards = 1 } = keyspaces.find((keyspace) => keyspace.name === name) ?? {};
    if (Number.isSafeInteger(shard) && (shard as number) >= 0 && (shard as number) < shards) return;
    throw invalid(
      `shard has to be a whole number from 0 to ${shards - 1}, not ${describeValue(shard)}`,
      "shard",
    );
  }

  #nodesOf(replicas: unknown): readonly NodeId[] {
    const allowed = this.#options.configuration.cluster.nodes.map(({ id }) => id);
    const there = allowed.join(", ");
    if (!Array.isArray(replicas) || replicas.length === 0) {
      const given = describeValue(replicas);
      throw invalid(
        `replicas has to be a list of one or more of ${there}, not ${given}`,
        "replicas",
        allowed,
      );
    }
    for (const [index, node] of replicas.entries()) {
      const shown = describeValue(node);
      if (!allowed.includes(node)) {
        throw invalid(`replicas names ${shown}; allowed are: ${there}`, "replicas", allowed);
      }
      if (replicas.indexOf(node) !== index) {
        throw invalid(`replicas names ${shown} twice`, "replicas", allowed);
      }
    }
    return [...replicas];
  }
}

function checkFields(given: unknown, fields: readonly string[]): void {
  const there = fields.join(", ");
  if (typeof given !== "object" || given === null) {
    throw invalid(`an object with ${there} is needed, not ${describeValue(given)}`, "options");
  }
  const wrong = Object.keys(given).find((name) => !fields.includes(name));
  if (wrong === undefined) return;
  throw invalid(`there is no field ${JSON.stringify(wrong)} here; there are: ${there}`, wrong);
}

function invalid(message: string, option: string, allowed?: readonly string[]): CapstanError {
  return new CapstanError("INVALID_ARGUMENT", message, {
    details: { option },
    ...(allowed !== undefined && { allowed }),
  });
}
