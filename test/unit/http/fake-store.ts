import { EMPTY, NEVER } from "rxjs";
import { CapstanError } from "../../../src/core/model/errors.ts";
import { keyspaceHash } from "../../../src/core/model/hash.ts";
import { encodeKey } from "../../../src/core/model/keys.ts";
import type { Level } from "../../../src/core/model/levels.ts";
import type { Receipt } from "../../../src/core/model/receipt.ts";
import { SessionToken } from "../../../src/core/model/session-token.ts";
import type { UnservedShards } from "../../../src/core/model/shard-lack.ts";
import { decodeValue, encodeValue } from "../../../src/core/model/values.ts";
import type {
  ConditionalWriteOptions,
  ConditionalWritten,
  ConflictRow,
  EmbeddedKeyspace,
  FactPage,
  FactQuery,
  GetResult,
  NodeHealth,
  ReadOptions,
  ReplicaChange,
  ReplicationRow,
  ScanEntryResult,
  ScanOptions,
  ShardMembers,
  ShardQuery,
  ShardRecovery,
  Store,
  StoreDescription,
  WatchEvent,
  WatchOptions,
  Written,
} from "../../../src/core/store/api.ts";
import { BoundedStream } from "../../../src/core/store/bounded-stream.ts";

const LEVELS: readonly Level[] = ["one", "quorum", "all", "strong", "eventual"];

interface Stored {
  readonly bytes: Uint8Array;
  readonly version: string;
}

/** What a test may make of one call before it is carried out. */
export type Interruption = (call: {
  readonly type: "get" | "put" | "delete" | "resolve";
  readonly key: string;
  readonly signal: AbortSignal | undefined;
}) => Promise<void> | void;

/**
 * A store in one map: `default` refuses conditions, as a tunable keyspace does, `accounts` knows
 * them, `siblings` always has two versions of what it holds. Receipts, faults and waiting are set
 * by the test.
 */
export class FakeStore implements Store {
  readonly node = "n1";
  readonly keyspaceNames = ["default", "accounts", "siblings"];
  readonly events$ = NEVER;
  readonly operations = new Map<string, string>();
  /** Options of every write that arrived, in order. */
  readonly writes: { readonly key: string; readonly options: ConditionalWriteOptions }[] = [];
  interrupt: Interruption = () => undefined;
  receipt: Partial<Receipt> = {};
  side: StoreDescription["side"] = "majority";
  /** `replicas` of every keyspace. */
  replicasAsked = 1;
  /** What health says of shards of every keyspace. */
  unserved: readonly UnservedShards[] | undefined;
  /** What health says of the other node instead. */
  peer: Partial<NodeHealth> = {};
  #keyspaces = new Map<string, FakeKeyspace>(
    this.keyspaceNames.map((name) => [name, new FakeKeyspace(this, name)]),
  );
  #minted = 0;

  keyspace(name: string): FakeKeyspace {
    const keyspace = this.#keyspaces.get(name);
    if (keyspace !== undefined) return keyspace;
    throw new CapstanError("UNKNOWN_KEYSPACE", `no keyspace ${name}`, {
      allowed: this.keyspaceNames,
    });
  }

  operationId(keyspace: string): string {
    this.keyspace(keyspace);
    const id = `op-${++this.#minted}`;
    this.operations.set(id, "");
    return id;
  }

  async resolve(operationId: string): Promise<{ outcome: "applied" | "unknown" }> {
    await this.interrupt({ type: "resolve", key: operationId, signal: undefined });
    const version = this.operations.get(operationId);
    if (version === undefined) throw new CapstanError("INVALID_OPERATION_ID", "not mine");
    return { outcome: version === "" ? "unknown" : "applied" };
  }

  describe(): StoreDescription {
    const node = { datacenter: "default", address: undefined, http: undefined };
    const isWhole = this.side === "majority";
    return {
      node: "n1",
      cluster: "test",
      clusterId: undefined,
      storeId: "s",
      incarnation: 1,
      state: "ready",
      degraded: true,
      storageProblems: [],
      side: this.side,
      nodes: [
        { ...node, node: "n1", status: "active", silentMs: 0 },
        {
          ...node,
          node: "n2",
          status: isWhole ? "active" : "unreachable",
          silentMs: 7,
          ...this.peer,
        },
      ],
      keyspaces: this.keyspaceNames.map((name) => ({
        name,
        strategy: name === "accounts" ? "raft" : "tunable",
        replicas: this.replicasAsked,
        shards: 1,
        readLevels: LEVELS,
        writeLevels: LEVELS,
        readDefault: "quorum",
        writeDefault: "quorum",
        ...(this.unserved === undefined ? {} : { unserved: this.unserved }),
        engine: {},
      })),
    };
  }

  /** What the tables of facts hold, whatever is asked for. */
  replications: readonly ReplicationRow[] = [];
  conflicts: readonly ConflictRow[] = [];
  readonly factQueries: (FactQuery | undefined)[] = [];
  replicas: readonly string[] = ["n1", "n2", "n3"];
  changingTo: readonly string[] | undefined;
  readonly changes: ReplicaChange[] = [];
  readonly recoveries: ShardRecovery[] = [];
  /** By the number of the shard. */
  readonly recoveryFaults = new Map<number, CapstanError>();
  onRecovery: (() => void) | undefined;
  readonly admin = {
    replications: async (query?: FactQuery) => this.#facts(query, this.replications),
    conflicts: async (query?: FactQuery) => this.#facts(query, this.conflicts),
    members: async ({ keyspace, shard }: ShardQuery): Promise<ShardMembers> => {
      if (keyspace === "nowhere") throw new CapstanError("UNKNOWN_KEYSPACE", "none");
      const changing = this.changingTo === undefined ? {} : { changingTo: this.changingTo };
      const { replicas } = this;
      return { keyspace, shard, replicas, learners: [], leader: "n1", ...changing };
    },
    changeReplicas: async (change: ReplicaChange): Promise<ShardMembers> => {
      this.changes.push(change);
      this.replicas = change.replicas;
      return this.admin.members({ keyspace: change.keyspace, shard: change.shard });
    },
    recoverShard: async (recovery: ShardRecovery): Promise<ShardMembers> => {
      this.recoveries.push(recovery);
      this.onRecovery?.();
      const fault = this.recoveryFaults.get(recovery.shard);
      if (fault !== undefined) throw fault;
      this.replicas = ["n1"];
      return this.admin.members({ keyspace: recovery.keyspace, shard: recovery.shard });
    },
  };

  #facts<Row>(query: FactQuery | undefined, rows: readonly Row[]): FactPage<Row> {
    this.factQueries.push(query);
    if (query?.keyspace === "nowhere") throw new CapstanError("UNKNOWN_KEYSPACE", "none");
    return { rows, total: 5_000 };
  }

  async ready(): Promise<void> {}
  async close(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {}
  async *events(): AsyncGenerator<never> {}

  /** Those of `accounts` that are open; tests push events into them, and end them. */
  readonly watches: FakeWatch[] = [];

  watch(options: WatchOptions): FakeWatch {
    if (options.cursor === "damaged") throw new CapstanError("INVALID_CURSOR", "not mine");
    const watch = new FakeWatch(options, (gone) => {
      this.watches.splice(this.watches.indexOf(gone), 1);
    });
    this.watches.push(watch);
    return watch;
  }

  receiptFor(asked: Level): Receipt {
    return {
      asked,
      achieved: asked,
      consistent: true,
      replicas: { total: 3, answered: 2, durable: 2, standIns: 0 },
      pendingSync: false,
      repaired: 0,
      epoch: 1,
      durationMs: 0.500_000_000_02,
      ...this.receipt,
    };
  }
}

/** A reader's watch: holds events until they are asked for. */
export class FakeWatch extends BoundedStream<WatchEvent<unknown>> {
  readonly options: WatchOptions;

  constructor(options: WatchOptions, onReturn: (watch: FakeWatch) => void) {
    super(
      1_024,
      (_dropped, last) => ({ type: "gap", cursor: last.cursor, reason: "slow" }),
      () => onReturn(this),
    );
    this.options = options;
  }
}

class FakeKeyspace implements EmbeddedKeyspace {
  readonly name: string;
  readonly changes$ = EMPTY;
  readonly data = new Map<string, Stored>();
  readonly #store: FakeStore;
  #version = 0;

  constructor(store: FakeStore, name: string) {
    this.#store = store;
    this.name = name;
  }

  getNow(): GetResult<unknown> | undefined {
    return undefined;
  }

  async get(key: string, options: ReadOptions = {}): Promise<GetResult<unknown>> {
    encodeKey(key);
    const receipt = this.#store.receiptFor(levelOf(options));
    await this.#store.interrupt({ type: "get", key, signal: options.signal });
    return { ...this.#read(key, receipt), ...this.#session(options) };
  }

  async has(key: string): Promise<boolean> {
    return this.data.has(key);
  }

  async put(key: string, value: unknown, options: ConditionalWriteOptions = {}) {
    encodeKey(key);
    const bytes = encodeValue(value, { maxBytes: 64 * 1024 });
    return this.#write("put", key, bytes, options);
  }

  async delete(key: string, options: ConditionalWriteOptions = {}) {
    encodeKey(key);
    return this.#write("delete", key, undefined, options);
  }

  async update(): Promise<Written> {
    throw new CapstanError("NOT_SUPPORTED", "no operations here");
  }

  getMany = refuse;
  putMany = refuse;
  modify = refuse;
  batch = refuse;
  batchKind = refuse;
  withSession = (): never => {
    throw new CapstanError("NOT_SUPPORTED", "not in this fake");
  };
  watch = (options?: WatchOptions): AsyncIterable<WatchEvent<unknown>> => {
    if (this.name !== "accounts") return { [Symbol.asyncIterator]: () => ({ next: refuse }) };
    return { [Symbol.asyncIterator]: () => this.#store.watch(options ?? {}) };
  };
  operationId = async (): Promise<string> => this.#store.operationId(this.name);
  describe = () => ({});
  guarantees = () => [];

  async *scan(options: ScanOptions = {}): AsyncGenerator<ScanEntryResult<unknown>> {
    levelOf(options);
    if (options.cursor !== undefined && !options.cursor.startsWith("after:")) {
      throw new CapstanError("INVALID_CURSOR", "not mine");
    }
    const after = options.cursor?.slice("after:".length) ?? "";
    const { from = "", to, prefix = "", limit = Number.POSITIVE_INFINITY } = options;
    let count = 0;
    for (const key of [...this.data.keys()].sort()) {
      if (key <= after || key < from || (to !== undefined && key >= to)) continue;
      if (!key.startsWith(prefix)) continue;
      if (count++ >= limit) return;
      const { bytes, version } = this.data.get(key) as Stored;
      yield { key, value: decodeValue(bytes), version, cursor: `after:${key}` };
    }
  }

  async #write(
    type: "put" | "delete",
    key: string,
    bytes: Uint8Array | undefined,
    options: ConditionalWriteOptions,
  ): Promise<Written & Partial<ConditionalWritten<unknown>>> {
    const receipt = this.#store.receiptFor(levelOf(options));
    const isConditional = options.ifVersion !== undefined || options.ifAbsent === true;
    if (isConditional && this.name !== "accounts") {
      throw new CapstanError("CONDITIONAL_UNSUPPORTED", "no consensus here");
    }
    const { operationId } = options;
    const known = operationId === undefined ? "" : this.#store.operations.get(operationId);
    if (known === undefined) throw new CapstanError("INVALID_OPERATION_ID", "not mine");
    this.#store.writes.push({ key, options });
    if (known !== "") return { version: known, receipt };
    const failed = this.#mismatch(key, options, receipt);
    if (failed !== undefined) {
      return { ...(failed as unknown as Written), ...this.#session(options) };
    }
    const version = `t${++this.#version}`;
    if (bytes === undefined) this.data.delete(key);
    else this.data.set(key, { bytes, version });
    if (operationId !== undefined) this.#store.operations.set(operationId, version);
    await this.#store.interrupt({ type, key, signal: options.signal });
    const session = this.#session(options);
    return { ...(isConditional ? { ok: true } : {}), version, receipt, ...session };
  }

  /** A session has seen every version that there is by now. */
  #session({ session }: { readonly session?: string }): { readonly session?: string } {
    if (session === undefined) return {};
    const token = SessionToken.parse(keyspaceHash(this.name), session);
    return { session: token.with(0, new Map([["", this.#version]])).toString() };
  }

  #mismatch(
    key: string,
    options: ConditionalWriteOptions,
    receipt: Receipt,
  ): ConditionalWritten<unknown> | undefined {
    const stored = this.data.get(key);
    const current = this.#read(key, receipt);
    if (options.ifAbsent === true && stored !== undefined) {
      return { ok: false, reason: "exists", current };
    }
    if (options.ifVersion === undefined || options.ifVersion === stored?.version) return undefined;
    const reason = stored === undefined ? "absent" : "version-mismatch";
    return { ok: false, reason, current };
  }

  #read(key: string, receipt: Receipt): GetResult<unknown> {
    const stored = this.data.get(key);
    if (stored === undefined) return { found: false, receipt };
    const value = decodeValue(stored.bytes);
    const { version } = stored;
    return this.name === "siblings"
      ? { found: true, conflict: true, siblings: [value, "other"], version, receipt }
      : { found: true, conflict: false, value, version, receipt };
  }
}

function levelOf(options: { readonly consistency?: Level | number }): Level {
  const asked = options.consistency ?? "quorum";
  const level = LEVELS.find((offered) => offered === asked);
  if (level !== undefined) return level;
  throw new CapstanError("INVALID_LEVEL", `${asked} is not offered`, { allowed: LEVELS });
}

async function refuse(): Promise<never> {
  throw new CapstanError("NOT_SUPPORTED", "not in this fake");
}
