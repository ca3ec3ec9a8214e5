import type { CapstanError } from "../model/errors.ts";
import type { Fact } from "../model/facts.ts";
import type { Level } from "../model/levels.ts";
import type {
  EngineChange,
  Operation,
  OperationResult,
  ScanPage,
  ScanRequest,
} from "../model/operations.ts";
import type { Outcome } from "../model/outcome.ts";
import type { ShardLack } from "../model/shard-lack.ts";
import type {
  CoordinatorContext,
  CoordinatorMachine,
  MessageCodec,
  ReplicaContext,
  ReplicaMachine,
} from "./machine.ts";

/** What a strategy can do; the store refuses the rest before it reaches the engine. */
export interface StrategyCapabilities {
  readonly readLevels: readonly Level[];
  readonly writeLevels: readonly Level[];
  readonly scanLevels: readonly Level[];
  /** Whether a level may be a number of replicas, too, as a read or a write has it. Default: false. */
  readonly countLevels?: boolean;
  readonly conditional: boolean;
  readonly update: boolean;
  /**
   * `true`: the writes of a batch take effect together, in one shard. `"per-key"`: each is on its
   * own, wherever its key lies, with an outcome of its own.
   */
  readonly batch: boolean | "per-key";
  readonly ttl: boolean;
  readonly watch: boolean;
  readonly sessions: boolean;
  /** Whether concurrent versions can stay apart, given a resolver that keeps them. */
  readonly siblings: boolean;
  /** Whether `partitionPolicy` is a choice here. */
  readonly partitionPolicy: boolean;
  readonly operationIds: boolean;
  /** Whether operation ids may be keys of the user's own, beside those that the store makes. */
  readonly ownKeys?: boolean;
  /** Whether a write takes what the client saw of the key (`context`). */
  readonly contexts: boolean;
  /** Whether a shard's replicas can be changed (`store.admin.changeReplicas`). Default: false. */
  readonly replicaChanges?: boolean;
  /** Whether one replica of a shard may go on alone (`store.admin.recoverShard`). Default: false. */
  readonly shardRecovery?: boolean;
}

/**
 * What a history is judged by, under the names of the checkers of `capstan/verification`:
 * - `linearizable`: one copy of each key would have answered the same;
 * - `regular`: a read finds what was written last before it, or beside it;
 * - the four session guarantees, of one client and one key;
 * - `no-lost-write`: what was acknowledged is there in the end, or something newer, as long as one
 *   copy was not wiped that held it at its acknowledgement;
 * - `truthful-outcome`: what was said not to be applied is never seen;
 * - `no-silent-loss`, where siblings stay: what was acknowledged is among the values in the end, or
 *   was replaced by a write whose client had seen it;
 * - `sees-acknowledged`: so it is at every later read;
 * - `every-increment-counts`: the count in the end has every acknowledged increment, once;
 * - `operations-add-up`: a CRDT is read as what the operations come to that the read knows, each
 *   carried out once and upon what it found;
 * - `conditional-writes`: one copy of each key would have done and refused the same conditional
 *   writes, and answered the reads beside them;
 * - `one-winner-per-version`: of the writes on the condition of one version one at most is done;
 * - `refused-leaves-nothing`: what a condition refused is never seen;
 * - `all-or-nothing`: the writes of a batch take effect at one moment, or none of them does;
 * - `batch-per-key`: each write of a batch keeps the promises of a write of its own, and has its own
 *   answer.
 */
export type HistoryCheck =
  | "linearizable"
  | "regular"
  | "read-your-writes"
  | "monotonic-reads"
  | "monotonic-writes"
  | "writes-follow-reads"
  | "no-lost-write"
  | "truthful-outcome"
  | "no-silent-loss"
  | "sees-acknowledged"
  | "every-increment-counts"
  | "operations-add-up"
  | "conditional-writes"
  | "one-winner-per-version"
  | "refused-leaves-nothing"
  | "all-or-nothing"
  | "batch-per-key";

/** A promise in a form that a program can hold the store to. */
export interface CheckedPromise {
  readonly checks: readonly HistoryCheck[];
  /**
   * Of keys that are written at one level and read at another, which pairs of levels keep it:
   * all of these writes with all of these reads; or, of `N` replicas, those whose counts meet:
   * `R + W > N` and `2 W > N`.
   */
  readonly between:
    | { readonly writes: readonly Level[]; readonly reads: readonly Level[] }
    | "meeting-counts";
}

/** One line of "what is promised": per level, on what condition, shown by which test. */
export interface Guarantee {
  readonly levels: readonly Level[];
  readonly promise: string;
  readonly condition: string;
  readonly notPromised: string;
  /** Path of the test file that shows it. */
  readonly shownBy: string;
  /** What `capstan verify` and the tests demand of histories. Default: nothing. */
  readonly checked?: readonly CheckedPromise[];
}

/** Receives an operation's one answer. */
export interface Completion {
  succeed(result: OperationResult): void;
  fail(fault: CapstanError): void;
}

export interface ScanCompletion {
  succeed(page: ScanPage): void;
  fail(fault: CapstanError): void;
}

export interface WatchRequest {
  readonly prefix: Uint8Array | undefined;
  readonly cursor: string | undefined;
}

/** A handle on something under way. Idempotent. */
export interface Cancellation {
  cancel(): void;
}

/**
 * A strategy at work on one keyspace of one node: all that the store knows of it.
 *
 * Obligations
 * - Order: operations may be answered in any order; changes are ordered per shard.
 * - Durability at return: `succeed` of a write means that the level's copies are durable as the
 *   keyspace demands, and its receipt says how many.
 * - Buffers: an operation's bytes are never changed by anybody; result bytes likewise.
 * - Concurrency: any number of operations at once, up to the engine's own bound, above which it
 *   refuses with `OVERLOADED`. `execute` may answer before it returns. Exactly one answer each.
 * - Errors: every fault says `applied`, `not-applied` or `unknown`, and never the wrong one; an
 *   `unknown` carries an operation id. Nothing is thrown.
 * - Deadlines: every operation is answered by its deadline, or by the level's own; where the event
 *   loop was held beyond that, soon after it goes on.
 */
export interface Engine {
  readonly capabilities: StrategyCapabilities;
  execute(operation: Operation, done: Completion): Cancellation;
  /** Answers at once from local state where the level allows it; undefined otherwise. */
  readNow(operation: Operation): OperationResult | undefined;
  scan(request: ScanRequest, done: ScanCompletion): Cancellation;
  /**
   * Changes from now on, or from behind the cursor; `synced` once, when all that had happened by the
   * time of the call was given: what was acknowledged by then, where a replica can find out whether it
   * has that, else what it has; `gap`, with the reason, wherever changes are missing. `end` is
   * called at most once, when nothing more comes, and not after `cancel`: with the fault, or
   * without one where the engine was closed. Neither is called before `watch` returns, nor from
   * within a step. Throws `INVALID_CURSOR`, and `OVERLOADED` above the engine's own bound.
   */
  watch(
    request: WatchRequest,
    sink: (change: EngineChange) => void,
    end: (fault: CapstanError | undefined) => void,
  ): Cancellation;
  mintOperationId(): string;
  /** What is known of an earlier write: never a wrong answer, `unknown` where nothing is. */
  resolve(operationId: string, done: (outcome: Outcome) => void): void;
  /** Whether an operation at this level could succeed now, as far as this node knows. */
  isReady(level: Level): boolean;
  /** What keeps one shard from it; undefined: nothing. Default: no more is said than `isReady`. */
  lackOf?(shardIndex: number, level: Level, side: "read" | "write"): ShardLack | undefined;
  describe(): Readonly<Record<string, unknown>>;
  guarantees(): readonly Guarantee[];
  /** Pending operations get `timeoutMs` to end, then are answered with the truth. Idempotent. */
  close(options: { readonly drain: boolean; readonly timeoutMs: number }): Promise<void>;
}

/** What an engine that is not made of silent machines is opened with. */
export interface EngineContext {
  readonly keyspace: string;
  /** What operation ids of the keyspace carry: `encodeOperationId({ keyspaceHash, … })`. */
  readonly keyspaceHash: number;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly shardCount: number;
  readonly nowMs: () => number;
  /** As of a machine's step: for `store.admin`. */
  readonly recordFact: (fact: Fact) => void;
}

interface StrategyBase {
  readonly name: string;
  readonly capabilities: StrategyCapabilities;
  /**
   * Options, by dotted path (`repair.interval`), that concern nothing but what this node does itself
   * and may differ from node to node. All others have to be equal for nodes to talk. Default: none.
   */
  readonly nodeOptions?: readonly string[];
  /**
   * Checks the keyspace's own options (those the core does not know) and fills in defaults. Of
   * what it answers, `read` and `write` are the levels of calls that name none (where absent:
   * `quorum` if offered, else the first); scans use `read` too. A strategy that keeps siblings
   * finds the keyspace's resolver, the object, under `resolver`. `replicas` is the number that the
   * keyspace asks for, `datacenters` how many the cluster's nodes are in: levels that can never be
   * met are refused here. Throws
   * `INVALID_CONFIGURATION` naming path, value and what is allowed.
   */
  parseSettings(
    options: Readonly<Record<string, unknown>>,
    path: string,
    replicas?: number,
    datacenters?: number,
  ): Readonly<Record<string, unknown>>;
  guarantees(): readonly Guarantee[];
}

/** Replica and coordinator, run by the store's host of silent machines. */
export interface SilentStrategy<Message = unknown> extends StrategyBase {
  readonly kind: "silent";
  readonly codec: MessageCodec<Message>;
  /**
   * All changes of its replicas carry a `position`. A watch then waits until a replica has said
   * where it stands, instead of counting its changes.
   */
  readonly sharesOrder?: boolean;
  /** Deadline of an operation that names none, in milliseconds. */
  deadlineMs(
    operation: Operation | ScanRequest,
    settings: Readonly<Record<string, unknown>>,
  ): number;
  /**
   * Whether a shard's stand-ins have a replica machine too. Its placement does not name it among
   * the replicas: it never serves. Default: false.
   */
  readonly hasStandIns?: boolean;
  /**
   * Whether every node has a replica machine of every shard, which may come to hold it. One that
   * does not hold it never serves, keeps nothing, and sets no timer. Default: false.
   */
  readonly hostsEverywhere?: boolean;
  /**
   * What all machines of one keyspace on one node share, for the life of the node: they find it in
   * their context. A step that throws does not undo what it did to it: a machine that is made anew
   * has to take back what the one before it has left there. Default: nothing.
   */
  createShared?(): unknown;
  createReplica(context: ReplicaContext): ReplicaMachine<Message>;
  createCoordinator(context: CoordinatorContext): CoordinatorMachine<Message>;
}

/** An engine of its own making, perhaps leaning on another system. May be asynchronous. */
export interface EngineStrategy extends StrategyBase {
  readonly kind: "engine";
  openEngine(context: EngineContext): Promise<Engine>;
}

// biome-ignore lint/suspicious/noExplicitAny: each strategy's message type is its own affair
export type Strategy = SilentStrategy<any> | EngineStrategy;
