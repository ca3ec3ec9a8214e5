import type { ByteReader, ByteWriter } from "../model/bytes.ts";
import type { CapstanError } from "../model/errors.ts";
import type { Fact } from "../model/facts.ts";
import type { HybridClock } from "../model/hybrid-clock.ts";
import type { Epoch, Incarnation, LogSequence, NodeId, StoreId } from "../model/ids.ts";
import type { Level } from "../model/levels.ts";
import type { Operation, OperationResult, ScanPage, ScanRequest } from "../model/operations.ts";
import type { ShardLack } from "../model/shard-lack.ts";
import type { ChangesReached, MachineChange } from "./machine-change.ts";
import type { LogRecord, StateEntry, StateRange } from "./storage.ts";
import type { Lane } from "./transport.ts";

/**
 * Silent machines: a strategy of ours is a **replica** per hosted shard and a **coordinator** per
 * keyspace and node. Both run as `step(event, effects)`: to the end, without await, clock, timer,
 * randomness or I/O but what they are handed.
 *
 * Obligations of a machine
 * - Order: `step` is called once per event, one at a time; the order of events from one source is
 *   kept, between sources there is none. Messages may be lost, doubled, late, out of order.
 * - Atomicity: a step is all or nothing. A throw discards its effects and the machine's memory:
 *   the host makes the machine anew, feeds it `opened` and the log, a bounded number of times,
 *   then stops the node.
 * - Size: no step over a millisecond, or a MiB beyond one record; more work is cut into steps.
 * - Buffers: bytes in an event are the machine's to keep and nobody's to change.
 *
 * Obligations of the host
 * - Words after durability: `send`, `reply` and `change` leave only when every earlier append of
 *   the machine's shard is durable as its keyspace demands; `sendBeforeDurable` and
 *   `replyBeforeDurable` at once.
 * - Reads through `effects` are synchronous and see the step's own pending `put`s.
 */
export interface Machine<Message> {
  step(event: MachineEvent<Message>, effects: Effects<Message>): void;
  /** What health, console and tests read: plain data, cheap. */
  describe(): Readonly<Record<string, unknown>>;
}

/** Who a message came from: (node, store id) is what counts and votes. */
export interface Sender {
  readonly node: NodeId;
  readonly storeId: StoreId;
  readonly incarnation: Incarnation;
}

/** A client's operation in the host's request table. Compared by identity. */
export interface Request {
  readonly id: number;
  readonly operation: Operation;
  readonly startedAtMs: number;
  /** True once answered: a machine may meet its own finished request in a late event. */
  readonly answered: boolean;
  /** The machine's own note, from which `operationIdOf` can name the write if all else is lost. */
  memo: unknown;
}

/** A client's scan of one page, likewise. */
export interface ScanTask {
  readonly id: number;
  readonly request: ScanRequest;
  readonly startedAtMs: number;
  readonly answered: boolean;
}

/** Which of the two a call is. */
export function isScan(call: Request | ScanTask): call is ScanTask {
  return "request" in call;
}

interface Moment {
  /** Monotonic time of this event. */
  readonly nowMs: number;
  /** Wall time of this event. */
  readonly wallMs: number;
}

export type MachineEvent<Message> = Moment &
  (
    | { readonly type: "opened"; readonly state: OpenedState }
    /** Records after the state's position, in order: merge them into the state. */
    | { readonly type: "replay"; readonly records: readonly LogRecord[] }
    | { readonly type: "operation"; readonly request: Request }
    | { readonly type: "scan"; readonly task: ScanTask }
    /** `from` is this node itself for messages between its own machines. */
    | {
        readonly type: "message";
        readonly from: Sender;
        readonly shardIndex: number;
        readonly message: Message;
      }
    /**
     * Every record up to `sequence` that the log now has of this shard is durable, and so are the
     * cuts before them; once per sync that moved it. Never about a record that was cut since.
     */
    | { readonly type: "durable"; readonly sequence: LogSequence }
    | {
        readonly type: "log-records";
        readonly token: number;
        readonly records: readonly LogRecord[];
        readonly end: boolean;
      }
    /** The records asked for are gone from the log, or damaged. */
    | {
        readonly type: "log-unreadable";
        readonly token: number;
        readonly reason: "compacted" | "damaged";
      }
    | { readonly type: "timer"; readonly timer: string }
    /** Asked for with `atTurnEnd`. */
    | { readonly type: "turn-end" }
    /** The request's deadline has passed; it must be answered in this step. */
    | { readonly type: "deadline"; readonly request: Request | ScanTask }
    /** The caller gave up; answer with the truth in this step. */
    | { readonly type: "aborted"; readonly request: Request | ScanTask }
    /**
     * What the node's detector holds of a peer. A connection that was closed, as that of a process
     * that ended, makes its peer unreachable at once; silence alone does so after a while.
     */
    | { readonly type: "reachability"; readonly peer: NodeId; readonly reachable: boolean }
    /** A peer came back under another (store id, incarnation): what the old one held is void. */
    | { readonly type: "identity"; readonly peer: Sender }
    | { readonly type: "map"; readonly shardIndex: number; readonly placement: ShardPlacement }
    /**
     * Somebody begins to watch, and waits for `caughtUp(token, …)`: true once the state has all that was
     * acknowledged by now, at whichever replica; false as soon as that cannot be found out. Of replicas
     * that say `catchesUp`.
     */
    | { readonly type: "catch-up"; readonly token: number }
    /** The node drains: finish what is under way; nothing new comes. */
    | { readonly type: "draining" }
  );

export interface OpenedState {
  /**
   * - `newborn`: the cluster was born with this store in it, empty: there is nothing to learn.
   * - `kept`: the state is what this store id last held.
   * - `empty`: nothing here, but the cluster may hold something: learn it before counting.
   */
  readonly origin: "newborn" | "kept" | "empty";
  /** Newest record of the shard's log; what lies above `appliedSequence` comes as `replay`. */
  readonly lastSequence: LogSequence;
  /** The state includes the log up to here. */
  readonly appliedSequence: LogSequence;
  /** Up to here the log is durable; below `lastSequence` only where a machine was made anew. */
  readonly durableSequence: LogSequence;
}

/**
 * Who holds a shard from an epoch on. At most one of `pending` and `leaving` is there: a change of
 * its replicas goes from epoch to epoch, replicas → pending → leaving → the new replicas alone.
 */
export interface ShardMap {
  readonly epoch: Epoch;
  readonly replicas: readonly NodeId[];
  /** Shall hold it instead: writes must meet their count here too, reads do not come here yet. */
  readonly pending?: readonly NodeId[] | undefined;
  /** Held it before: until the switch is in force reads and writes must meet their count here too. */
  readonly leaving?: readonly NodeId[] | undefined;
}

/** Who holds a shard, as this node knows it. The host gives every machine the current one. */
export interface ShardPlacement extends ShardMap {
  /** The next nodes in placement order. */
  readonly standIns: readonly NodeId[];
  /** Of a shard that was moved: all other nodes. Each of them may have held it, and know that alone. */
  readonly others?: readonly NodeId[] | undefined;
}

export type MachineRole = "replica" | "coordinator";

/**
 * What a step may do. Collected, and released when `step` returns: `keep` first, then what is done
 * to the log, in its order, then the state, then words.
 */
export interface Effects<Message> extends StateReader {
  /** What `keep` has kept, this step included. Replicas only. */
  kept(name: string): Uint8Array | undefined;
  /** Appends to the shard's log. The token is the record's sequence. Replicas only. */
  append(payload: Uint8Array): LogSequence;
  /** The shard's `data`. Replicas only. `key` and `value` belong to the store from here on. */
  put(key: Uint8Array, value: Uint8Array): void;
  delete(key: Uint8Array): void;
  /** The machine's own records: votes, hints, ballots. They go into the same commit. */
  putSide(key: Uint8Array, value: Uint8Array): void;
  deleteSide(key: Uint8Array): void;
  /** Rows of a bounded table of facts. */
  putFact(table: string, key: Uint8Array, value: Uint8Array): void;
  /**
   * Drops the shard's log records above `sequence`; without effect if there are none. What is
   * appended after it, in this step too, goes on at `sequence + 1`. Only for a machine that
   * `appliesLater`, and a RangeError below what it has applied.
   */
  truncateSuffix(sequence: LogSequence): void;
  /**
   * Forgets the shard's log: the next record, in this step too, has sequence `next`. Only for a
   * machine that `appliesLater`, and when the step ends it must have applied what is below `next`:
   * `applied(next − 1)`, or more.
   */
  resetLog(next: LogSequence): void;
  /**
   * The state includes the log up to `sequence`, with this step's mutations, and says so in the
   * same commit: `replay` begins above it. Only for a machine that `appliesLater`. Rises, but for a
   * step that switches generations; never above the newest record.
   */
  applied(sequence: LogSequence): void;
  /**
   * The log below `sequence` is not needed by this machine any more. A machine that `appliesLater`
   * holds all of its log until it says so; of others the log goes with what the durable state has.
   */
  releaseLog(sequence: LogSequence): void;
  /**
   * Keeps a small record of this replica's own, or drops it (`undefined`): votes, marks. Durable
   * through the log, synced whatever the keyspace's durability, and before this step's appends;
   * this step's words and all later ones wait for it, early ones do not. Outlives renewals, resets
   * of the shard's log and new generations of its state, as long as the store's id; with memory
   * storage as long as the process. `name`: 1–64 characters; `value`: at most 4 KiB, and the
   * store's from here on.
   */
  keep(name: string, value: Uint8Array | undefined): void;
  /** Answered by a `log-records` event that carries `token`. */
  readLog(token: number, from: LogSequence, maxBytes: number): void;
  /**
   * Begins a new, empty generation of the shard's state beside the current one, for `putNext` to
   * fill over any number of steps; one that was begun before is given up. In its step it comes
   * before anything for the new one. Only for a machine that `appliesLater`, like all four. A
   * generation that was not switched to is gone after a restart, and after a renewal.
   */
  beginNext(): void;
  /** Into `data` of the generation that was begun; it cannot be read before the switch. */
  putNext(key: Uint8Array, value: Uint8Array): void;
  putSideNext(key: Uint8Array, value: Uint8Array): void;
  /** Gives up the generation that was begun, if there is one. */
  dropNext(): void;
  /**
   * Makes the generation that was begun the current one. In the same step the machine says what it
   * has `applied`, and may reset its log; it reads nothing after the switch, and what it `put`s
   * after it goes into the new generation.
   *
   * From the end of the step on the machine is fed nothing until the new generation is durable, and
   * the step's words wait as long; events come after that, in their order (of messages only the
   * first thousand or so). Whenever a crash comes, the next start finds the old generation or the
   * new one, whole, with its own `applied`, and a log that goes on behind it: with a log that was
   * reset, the old generation is found with an empty log. So `resetLog` may give up only records
   * that nobody counts on: a snapshot's receiver whose log does not have the snapshot's last record.
   */
  switchToNext(): void;

  /** To the machine of `role` for `shardIndex` of the same keyspace on `node` (this one included). */
  send(node: NodeId, role: MachineRole, shardIndex: number, message: Message, lane?: Lane): void;
  /** As `send`, but without waiting for this shard's appends. Argue for each use in a comment. */
  sendBeforeDurable(
    node: NodeId,
    role: MachineRole,
    shardIndex: number,
    message: Message,
    lane?: Lane,
  ): void;
  reply(request: Request, result: OperationResult): void;
  replyBeforeDurable(request: Request, result: OperationResult): void;
  replyScan(task: ScanTask, page: ScanPage): void;
  /** Answers with a fault. At once: a fault vouches for nothing. */
  refuse(request: Request | ScanTask, fault: CapstanError): void;
  /**
   * Whether somebody takes changes that have no `position`; where nobody does they need not be
   * made. Changes with one are always kept, so that a watch can go on at another replica.
   */
  readonly isWatched: boolean;
  /** For watchers, once, when the shard's state has it. Replicas only. */
  change(change: MachineChange): void;
  /** The answer to a `catch-up`, behind the changes that it rests upon. Replicas only. */
  caughtUp(token: number, isSo: boolean): void;

  /**
   * The shard is held as this says from now on: `placement` of every machine of the keyspace on this
   * node answers it once the step has ended, and its coordinator gets a `map` event. Without effect
   * if the epoch is not above the known one. Replicas only.
   */
  placed(map: ShardMap): void;

  /** Sets the machine's timer of this name, replacing one that is set. */
  setTimer(timer: string, delayMs: number): void;
  cancelTimer(timer: string): void;
  /**
   * Asks for one `turn-end` event, once all input that is waiting has been stepped through: what
   * its step appends and says leaves with this turn. For what is better done once for many.
   */
  atTurnEnd(): void;
  /** Moves the deadline of a request; the host set it to the level's own. */
  setDeadline(request: Request | ScanTask, deadlineMs: number): void;
  /** For `store.events$`. */
  emit(event: MachineNotice): void;
  /**
   * For `store.admin`: where writes went, which versions met. The latest are kept, in memory. One
   * call per write, or per batch of them, costs a tenth of a microsecond.
   */
  recordFact(fact: Fact): void;
}

export interface MachineNotice {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** Synchronous reads of the shard's state. */
export interface StateReader {
  get(key: Uint8Array): Uint8Array | undefined;
  /** Entries with `from ≤ key < to` in key-byte order, at least one if there is one. */
  range(
    from: Uint8Array | undefined,
    to: Uint8Array | undefined,
    limitBytes: number,
    limitEntries?: number,
  ): StateRange;
  getSide(key: Uint8Array): Uint8Array | undefined;
  rangeSide(
    from: Uint8Array | undefined,
    to: Uint8Array | undefined,
    limitBytes: number,
  ): readonly StateEntry[];
  /** A stable picture for streams that outlive a step; bounded life. */
  openView(): StateViewHandle;
}

/** The state of a replica that serves, read outside its steps: before durability. */
export interface ServingState extends StateReader {
  /** @param text the key as `keyText` has it, where it is known. */
  get(key: Uint8Array, text?: string): Uint8Array | undefined;
  /** Whether what `get` answers for the key is durable, as the keyspace demands. */
  isDurable(key: Uint8Array): boolean;
}

export interface StateViewHandle {
  range(
    from: Uint8Array | undefined,
    to: Uint8Array | undefined,
    limitBytes: number,
    limitEntries?: number,
  ): StateRange;
  /** It may be kept as long as if it had just been opened, where the storage can do that. */
  prolong?(): void;
  close(): void;
}

/** How a machine's messages travel. Bytes of a decoded message are owned by it. */
export interface MessageCodec<Message> {
  encode(message: Message, writer: ByteWriter): void;
  /**
   * Adds a message to `last`, which was encoded right before it, for the coordinator of the same
   * keyspace, and whose bytes end where the writer stands: `decode` then gives one message that says
   * what both do. False: nothing was written, and it is encoded by itself. Left out: all are. What is
   * written is at most 64 bytes, and read together with `last`, whichever shards the two are about.
   */
  addTo?(last: Message, message: Message, writer: ByteWriter): boolean;
  /** Throws `MalformedBytesError`; the host drops the message and counts it. */
  decode(reader: ByteReader): Message;
  /**
   * Whether a replica gets the message also while its disk is so far behind that the others are
   * dropped: what it makes the replica write is little, and does not grow with what clients write.
   * Meant for words whose silence would be taken for a death. Left out: none is.
   */
  isLight?(message: Message): boolean;
}

/** What a machine is made with. */
export interface MachineContext {
  readonly self: Sender;
  readonly keyspace: string;
  /** Names the keyspace on the wire and in operation ids. */
  readonly keyspaceHash: number;
  /** Frozen, checked settings of the keyspace, defaults filled in. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** `cluster.key`: signs what clients carry from node to node. Undefined if there is none. */
  readonly clusterKey?: Uint8Array | undefined;
  /** What the log takes in one record. Undefined: any size that memory holds. */
  readonly maxRecordBytes?: number | undefined;
  /** One per node, shared by its machines. */
  readonly clock: HybridClock;
  /** Every node of the cluster, this one too. */
  readonly nodes: readonly NodeId[];
  /** Where a node is, by the name of its datacenter. Left out: all are in one. */
  datacenterOf?(node: NodeId): string;
  /** Counts for the node's observer, at once, whatever becomes of the step. */
  count?(name: string, by: number, labels?: Readonly<Record<string, string>>): void;
  /** The shard's placement now; a `map` event follows every change. */
  placement(shardIndex: number): ShardPlacement;
  /** Whether the node-level detector holds the peer reachable; true for this node itself. */
  isReachable(node: NodeId): boolean;
  /** A draw from a seeded stream of this machine's own. */
  randomUint32(): number;
  readonly health: NodeHealth;
  /** What the strategy made for the machines of this keyspace on this node: `createShared`. */
  readonly shared?: unknown;
}

/**
 * How this node fares at the moment of asking, for a machine that promises something for a time, or
 * that others wait for. How far wall and monotonic clock have parted is in its events' moments.
 */
export interface NodeHealth {
  /**
   * `slow`: a sync of the log has been running for longer than the storage takes for sound;
   * `failed`: nothing is written any more. Memory is always `ok`.
   */
  diskState(): "ok" | "slow" | "failed";
  /** How long the log's sync that is under way has been running, in milliseconds; 0 if none is. */
  syncAgeMs(): number;
  /** How late this node lately ran its timers, at the worst, in milliseconds. */
  eventLoopLagMs(): number;
}

export interface ReplicaContext extends MachineContext {
  readonly shardIndex: number;
  /**
   * Tells the machines from one another that are made in this place, one after another, in one process:
   * each has a greater number than those before it. Left out: 0, as the first one has. What was asked
   * by one may be answered to the next.
   */
  readonly opening?: number;
}

export interface CoordinatorContext extends MachineContext {
  readonly shardCount: number;
  shardOf(key: Uint8Array): number;
  /**
   * A reader of a shard's state where this node hosts it and its replica is serving; undefined
   * otherwise, and while a switch of generations is under way. For `readNow`.
   */
  servingState(shardIndex: number): ServingState | undefined;
  /**
   * The machine of a shard that this node hosts, once it is open: a strategy's coordinator may ask
   * its own replica what it knows, without a step. Never to be stepped, nor kept.
   */
  localReplica(shardIndex: number): ReplicaMachine<unknown> | undefined;
}

/** A replica also says whether what it answers may count. */
export interface ReplicaMachine<Message> extends Machine<Message> {
  /** Whether it wants `durable` events; most need none, because the host holds words back. */
  readonly wantsDurable: boolean;
  /**
   * True if it applies records later than it appends them, and says with `applied` how far it is.
   * Default: false, and the state includes with every step all that was appended.
   */
  readonly appliesLater?: boolean;
  /**
   * True if it counts stores, not nodes, so that a store which comes back when another one has stood
   * in its place is a stranger, until its peers take it in. Default: false, and such a store opens the
   * replica as `empty`, upon what it has.
   */
  readonly countsStores?: boolean;
  /** False while it is being rebuilt: it answers, and counts nowhere. */
  readonly serving: boolean;
  /**
   * True while it is being rebuilt and tells the coordinators of each node that comes to be reachable
   * so, at once: there, `ready` waits for its word. Default: false.
   */
  readonly saysRebuilding?: boolean;
  /**
   * Of a replica whose changes have positions: how far it has come, whether or not that was a
   * change. Undefined: nowhere yet.
   */
  readonly changesReached?: ChangesReached | undefined;
  /** True if it answers `catch-up`. Default: false, and a watch is in step with what the replica has. */
  readonly catchesUp?: boolean;
  /** Who holds the shard as far as it knows, where that need not be whom the map names. */
  readonly holders?: readonly NodeId[];
  /**
   * After `draining`: somebody else is about to take over what this replica does for the shard, and
   * the node stays until that is done, or its time is up. Default: false.
   */
  readonly isHandingOver?: boolean;
}

/** The clocks of the node, to be read at the moment that matters. */
export interface Clocks {
  monotonicMs(): number;
  wallMs(): number;
}

/** A coordinator also answers what can be answered without a step. */
export interface CoordinatorMachine<Message> extends Machine<Message> {
  /**
   * The result if local state alone can give it now; undefined: make it an `operation`. A promise
   * that ends with time is checked by the clock as it is after the state was read.
   */
  readNow(operation: Operation, clock: Clocks): OperationResult | undefined;
  /** An id whose use makes a retry the very same write. */
  mintOperationId(nowMs: number, wallMs: number): string;
  /** The id of a write under way, from the request and its memo alone. */
  operationIdOf(request: Request): string | undefined;
  /** Whether an operation at this level could succeed now, as far as this node knows. */
  isReady(level: Level): boolean;
  /** What keeps one shard from it; undefined: nothing. Default: no more is said than `isReady`. */
  lackOf?(shardIndex: number, level: Level, side: "read" | "write"): ShardLack | undefined;
}
