import type { Environment } from "../contracts/environment.ts";
import type { StrategyCapabilities } from "../contracts/strategy.ts";
import type { ResolvedKeyspace } from "../model/configuration-types.ts";
import { CapstanError, isCapstanError } from "../model/errors.ts";
import { shardIndexForKey } from "../model/hash.ts";
import { encodeKey } from "../model/keys.ts";
import { countOfLevel, type Level } from "../model/levels.ts";
import { keyspaceHashOfOperationId, MAX_OWN_KEY_BYTES } from "../model/operation-id.ts";
import type { Operation, OperationOptions, OperationType } from "../model/operations.ts";
import { isWellFormed } from "../model/utf8.ts";
import { encodeValue, type ValueLimits } from "../model/values.ts";
import { acrossShards } from "./across-shards.ts";
import { type CallSettings, NO_SETTINGS } from "./call-options.ts";

/** The levels of calls that name none. */
export interface DefaultLevels {
  readonly read: Level;
  readonly write: Level;
}

/** A key of the user's own, under which a write is made once: any text that is not too long. */
function checkOwnKey(key: string): void {
  const bytes = isWellFormed(key) ? Buffer.byteLength(key, "utf8") : 0;
  if (bytes >= 1 && bytes <= MAX_OWN_KEY_BYTES) return;
  throw new CapstanError(
    "INVALID_OPERATION_ID",
    `the operation id ${JSON.stringify(key.slice(0, 60))} has ${bytes} bytes of well-formed text; ` +
      `a key of your own has 1 to ${MAX_OWN_KEY_BYTES}, and operationId() of the keyspace makes others`,
  );
}

/** What a getter or a proxy of the caller's value throws is about the value, not a fault of ours. */
function encodedOf(value: unknown, limits: ValueLimits): Uint8Array {
  try {
    return encodeValue(value, limits);
  } catch (error) {
    if (isCapstanError(error)) throw error;
    const why = error instanceof Error ? error.message : typeof error;
    throw new CapstanError("INVALID_VALUE", `the value cannot be read: ${why}`, { cause: error });
  }
}

/**
 * Makes operations of checked calls on one keyspace: keys and values encoded once, the shard
 * chosen, everything refused that the strategy does not offer. Everything that an engine gets has
 * been through here.
 */
export class OperationMaker {
  readonly capabilities: StrategyCapabilities;
  readonly defaults: DefaultLevels;
  readonly #keyspace: ResolvedKeyspace;
  readonly #environment: Environment;
  readonly #valueLimits: ValueLimits;

  constructor(
    keyspace: ResolvedKeyspace,
    capabilities: StrategyCapabilities,
    defaults: DefaultLevels,
    environment: Environment,
  ) {
    this.#keyspace = keyspace;
    this.capabilities = capabilities;
    this.defaults = defaults;
    this.#environment = environment;
    this.#valueLimits = Object.freeze({ maxBytes: keyspace.maxValueBytes });
  }

  read(key: string, settings: Readonly<CallSettings>): Operation {
    const level = this.readLevel(settings.consistency);
    return this.#operation("get", key, undefined, level, settings, undefined);
  }

  put(key: string, value: unknown, settings: Readonly<CallSettings>): Operation {
    // What the strategy does not offer is refused before the value is looked at.
    const level = this.writeLevel(settings.consistency);
    const options = this.writeOptions(settings);
    const encoded = encodedOf(value, this.#valueLimits);
    return this.#operation("put", key, encoded, level, settings, options);
  }

  delete(key: string, settings: Readonly<CallSettings>): Operation {
    const level = this.writeLevel(settings.consistency);
    const options = this.writeOptions(settings);
    if (settings.ttlMs !== undefined) {
      throw new CapstanError("INVALID_ARGUMENT", "ttlMs has no meaning for a delete");
    }
    return this.#operation("delete", key, undefined, level, settings, options);
  }

  update(key: string, change: unknown, settings: Readonly<CallSettings>): Operation {
    this.need("update", "update");
    const level = this.writeLevel(settings.consistency);
    const options = this.writeOptions(settings);
    const encoded = encodedOf(change, this.#valueLimits);
    return this.#operation("update", key, encoded, level, settings, options);
  }

  /** All members have to lie in one shard: only there they take effect together. */
  batch(members: readonly Operation[], settings: Readonly<CallSettings>): Operation {
    const first = members[0] as Operation;
    if (members.some((member) => member.shardIndex !== first.shardIndex)) {
      throw acrossShards(members);
    }
    const { sessionToken } = settings;
    const options = {
      ...this.writeOptions(settings),
      batch: members,
      ...(sessionToken !== undefined && { session: sessionToken.mark(first.shardIndex) }),
    };
    return {
      type: "batch",
      key: first.key,
      shardIndex: first.shardIndex,
      value: undefined,
      level: this.writeLevel(settings.consistency),
      operationId: settings.operationId,
      deadlineMs: this.deadlineMs(settings.timeoutMs),
      options,
    };
  }

  readLevel(asked: Level | undefined): Level {
    if (asked === undefined) return this.defaults.read;
    return this.#level(asked, this.capabilities.readLevels, "read");
  }

  writeLevel(asked: Level | undefined): Level {
    if (asked === undefined) return this.defaults.write;
    return this.#level(asked, this.capabilities.writeLevels, "write");
  }

  /** A keyspace whose reads are stronger than its scans can be has no default for scans. */
  scanLevel(asked: Level | undefined): Level {
    return this.#level(asked ?? this.defaults.read, this.capabilities.scanLevels, "scan");
  }

  deadlineMs(timeoutMs: number | undefined): number | undefined {
    return timeoutMs === undefined ? undefined : this.#environment.monotonicMs() + timeoutMs;
  }

  /** @throws CapstanError `NOT_SUPPORTED` unless the strategy has the capability. */
  need(capability: "update" | "batch" | "ttl" | "watch" | "sessions" | "contexts", what: string) {
    if (this.capabilities[capability]) return;
    throw new CapstanError(
      "NOT_SUPPORTED",
      `${what} is not offered by the strategy "${this.#keyspace.strategy}" ` +
        `of the keyspace "${this.#keyspace.name}"`,
    );
  }

  needConditional(what: string): void {
    if (this.capabilities.conditional) return;
    throw new CapstanError(
      "CONDITIONAL_UNSUPPORTED",
      `${what} needs consensus, which the strategy "${this.#keyspace.strategy}" of the keyspace ` +
        `"${this.#keyspace.name}" does not have; nothing was written`,
    );
  }

  /** Checks the rarer options; undefined if there is none for the engine. */
  writeOptions(settings: Readonly<CallSettings>): OperationOptions | undefined {
    if (settings === NO_SETTINGS) return undefined;
    if (settings.operationId !== undefined) this.#checkOperationId(settings.operationId);
    const { ifVersion, ifAbsent, ttlMs, context } = settings;
    if (ifVersion !== undefined || ifAbsent !== undefined) this.#checkCondition(settings);
    if (ttlMs !== undefined) this.need("ttl", "ttlMs");
    if (context !== undefined) this.need("contexts", "context");
    const isRare =
      ifVersion !== undefined || ifAbsent === true || ttlMs !== undefined || context !== undefined;
    return isRare ? this.#options(settings) : undefined;
  }

  #operation(
    type: OperationType,
    key: string,
    value: Uint8Array | undefined,
    level: Level,
    settings: Readonly<CallSettings>,
    options: OperationOptions | undefined,
  ): Operation {
    const bytes = encodeKey(key);
    const { groupBy, shards } = this.#keyspace;
    const shardIndex = shardIndexForKey(bytes, groupBy, shards);
    const { sessionToken } = settings;
    return {
      type,
      key: bytes,
      // As many bytes as characters: each character is one byte, and stands for itself.
      keyText: bytes.length === key.length ? key : undefined,
      shardIndex,
      value,
      level,
      operationId: settings.operationId,
      deadlineMs: this.deadlineMs(settings.timeoutMs),
      options:
        sessionToken === undefined
          ? options
          : { ...options, session: sessionToken.mark(shardIndex) },
    };
  }

  #options(settings: Readonly<CallSettings>): OperationOptions {
    const { ifVersion, ifAbsent, ttlMs, context } = settings;
    return {
      ...(ifVersion !== undefined && { ifVersion }),
      ...(ifAbsent === true && { ifAbsent }),
      ...(ttlMs !== undefined && { ttlMs }),
      ...(context !== undefined && { context }),
    };
  }

  #checkCondition({ ifVersion, ifAbsent }: Readonly<CallSettings>): void {
    this.needConditional(ifVersion === undefined ? "ifAbsent" : "ifVersion");
    if (ifVersion === undefined || ifAbsent !== true) return;
    throw new CapstanError("INVALID_ARGUMENT", "ifVersion and ifAbsent exclude each other");
  }

  #checkOperationId(id: string): void {
    if (!this.capabilities.operationIds) {
      throw new CapstanError(
        "NOT_SUPPORTED",
        `the strategy "${this.#keyspace.strategy}" of the keyspace "${this.#keyspace.name}" ` +
          "takes no operation ids",
      );
    }
    const hash = keyspaceHashOfOperationId(id);
    if (hash === this.#keyspace.hash) return;
    if (hash === undefined && this.capabilities.ownKeys === true) {
      checkOwnKey(id);
      return;
    }
    throw new CapstanError(
      "INVALID_OPERATION_ID",
      `the operation id was not made for the keyspace "${this.#keyspace.name}", or is damaged; ` +
        "operationId() of the keyspace makes one",
    );
  }

  #level(asked: Level, offered: readonly Level[], what: string): Level {
    if (offered.includes(asked)) return asked;
    const { name, strategy, replicas } = this.#keyspace;
    const takesCounts = this.capabilities.countLevels === true;
    const count = takesCounts ? countOfLevel(asked) : undefined;
    if (count !== undefined && count <= replicas) return asked;
    const allowed = takesCounts
      ? [...offered, replicas === 1 ? "1" : `a whole number from 1 to ${replicas}`]
      : offered;
    throw new CapstanError(
      "INVALID_LEVEL",
      `${JSON.stringify(asked)} is no ${what} level of the keyspace "${name}" (${strategy}); ` +
        `there are: ${allowed.join(", ")}`,
      { allowed, details: { level: asked, keyspace: name } },
    );
  }
}
