import type { Effects, OpenedState, Sender, ShardPlacement } from "../../core/contracts/machine.ts";
import type { LogRecord } from "../../core/contracts/storage.ts";
import type { LogSequence, NodeId } from "../../core/model/ids.ts";
import type { Configuration } from "./configuration.ts";
import type { Pairs } from "./pairs.ts";
import type { PeerMessage } from "./peer-messages.ts";

/**
 * What the consensus of one shard and the replica around it say to each other. Words as in the
 * extended Raft paper (Ongaro and Ousterhout) and Ongaro's thesis. A log index is the sequence of
 * the shard's record in the node's log; 0 is the index before the first.
 */
export type Role = "follower" | "pre-candidate" | "candidate" | "leader";

/** The time of an event. A `MachineEvent` is one. */
export interface Moment {
  /** Monotonic. */
  readonly nowMs: number;
  readonly wallMs: number;
}

/** What of `Effects` the consensus uses. A machine's `effects`, whatever else it says, will do. */
export type ConsensusEffects = Pick<
  Effects<PeerMessage>,
  | "append"
  | "truncateSuffix"
  | "resetLog"
  | "releaseLog"
  | "readLog"
  | "keep"
  | "kept"
  | "send"
  | "sendBeforeDurable"
  | "setTimer"
  | "cancelTimer"
  | "emit"
>;

/** How long everything takes. All in milliseconds of the monotonic clock. */
export interface RaftTiming {
  /** Upper end of the draw of the election timeout: what users set. */
  readonly electionTimeoutMs: number;
  /** Lower end of the draw: how long an answer to a leader keeps a node from voting. */
  readonly electionLowerMs: number;
  readonly heartbeatMs: number;
  /** How long a quorum's answer keeps a lease, from the time of the question. */
  readonly leaseMs: number;
  /** A jump between wall and monotonic clock beyond this voids the lease. */
  readonly maxClockJumpMs: number;
  /** How long nobody has wanted anything of a shard until it rests: see `RestRule`. */
  readonly restAfterMs: number;
}

export interface RaftLimits {
  /** Of entries that are not committed; at least one is taken. */
  readonly uncommittedBytes: number;
  /** Of those that a leader finds when its term begins: with more it takes none before its first is committed. */
  readonly inheritedBytes: number;
  /** To one follower, sent and not acknowledged; at least one message is let out. */
  readonly inflightBytes: number;
  readonly inflightMessages: number;
  /** Of the entries in one message, at least one entry. */
  readonly messageBytes: number;
  /** With so many bytes of entries a turn's first message leaves before the turn ends. */
  readonly earlyBytes: number;
  /** Of newest entries held in memory. */
  readonly memoryBytes: number;
  /** Of applied entries kept in the log for followers that lag, before they need a snapshot. */
  readonly retainedBytes: number;
  readonly snapshotChunkBytes: number;
  /** To one follower. */
  readonly snapshotBytesPerSecond: number;
}

/** What the node knows of its own health, asked at the moment of the decision. */
export interface HealthReader {
  /** Whether the disk takes so long for a sync that this node should not lead. */
  isDiskSick(): boolean;
  /** How late the event loop lately was, at the worst. */
  loopLagMs(): number;
}

export interface ConsensusOptions {
  readonly self: Sender;
  readonly shardIndex: number;
  /** Every node of the cluster. */
  readonly nodes: readonly NodeId[];
  /** Whom the map names: the first voters of a shard that is born with its cluster. */
  placement(): ShardPlacement;
  /** Nodes with a higher number lead rather than others. Equal for all: no preference. */
  priorityOf(node: NodeId): number;
  readonly timing: RaftTiming;
  readonly limits: RaftLimits;
  randomUint32(): number;
  /** A u32, drawn for this machine: where it begins to number its questions to leaders. */
  readonly firstQuestion: number;
  isReachable(node: NodeId): boolean;
  readonly health: HealthReader;
  /** What of this node rests. Undefined: nothing ever does. */
  readonly pairs?: Pairs | undefined;
  readonly outputs: ConsensusOutputs;
  readonly state: SnapshotState;
}

/** Called from within a step of the consensus, which the call must not enter again. */
export interface ConsensusOutputs {
  /** Role, term or leader changed. With the loss of leadership, what was proposed is undecided. */
  standingChanged(standing: Standing): void;
  /** The read may be answered once the replica has applied up to `index`. */
  readConfirmed(token: number, index: number): void;
  /** Nobody vouches for the read; it may be asked anew. */
  readFailed(token: number, reason: ReadFailure): void;
}

export interface Standing {
  readonly role: Role;
  readonly term: number;
  readonly leader: NodeId | undefined;
}

/**
 * - `not-leader`: no leader is known, or it changed.
 * - `timed-out`: the leader has not answered; nothing is known.
 */
export type ReadFailure = "not-leader" | "timed-out";

export type EntryKind = "command" | "no-op" | "configuration";

/** A committed entry on its way into the state. `record` is its log record, header included. */
export type ApplyEntry = (index: number, term: number, kind: EntryKind, record: Uint8Array) => void;

/**
 * - `not-leader`: `leader` says who is, if that is known.
 * - `backlog`: too much is waiting to be committed.
 * - `transferring`: leadership is being handed over.
 */
export type ProposalRefusal = "not-leader" | "backlog" | "transferring";

export type ProposalResult =
  | { readonly index: number; readonly term: number; readonly refused?: never }
  | { readonly refused: ProposalRefusal; readonly leader: NodeId | undefined };

/** Who shall hold the shard. */
export interface MembershipGoal {
  readonly voters: readonly NodeId[];
  readonly learners: readonly NodeId[];
  /** A configuration is written also where that is the configuration already. Default: false. */
  readonly renews?: boolean;
}

/**
 * Beside what a proposal may be refused for:
 * - `pending`: another change has not ended;
 * - `unready`: the leader has not committed an entry of its own term yet (thesis §4.1, and the
 *   correction of 2015: else two changes could be decided by majorities that do not meet);
 * - `unmet`: a node that is to join has not been heard of; it is being asked who it is: try again;
 * - `unchanged`: that is the configuration already;
 * - `empty`: nobody would vote.
 */
export type ConfigurationRefusal =
  | ProposalRefusal
  | "pending"
  | "unready"
  | "unmet"
  | "unchanged"
  | "empty";

/**
 * - `quorum-present`: a majority can be reached: nothing is lost that would have to be accepted.
 * - `not-open`: this replica is not open yet, or has never held the shard.
 */
export type RecoveryRefusal = "quorum-present" | "not-open";

/** `index`: of the first entry of the change; `configuration()` tells when it has ended. */
export type ConfigurationResult =
  | { readonly index: number; readonly term: number; readonly refused?: never }
  | { readonly refused: ConfigurationRefusal; readonly leader: NodeId | undefined };

/** Where the state stands that a shard was opened with, or that a snapshot brings. */
export interface AppliedPoint {
  readonly index: number;
  readonly term: number;
  /** In force at `index`, and at which index it was appended. */
  readonly configuration: Configuration | undefined;
  readonly configurationIndex: number;
}

/** The state machine's part in snapshots. All calls come from within a step. */
export interface SnapshotState {
  /**
   * A stable picture of the state: all that has to be equal on every replica. It may be a little
   * behind what is applied by now. Undefined if none can be had at the moment.
   */
  openPicture(): StatePicture | undefined;
  /** Begins to take another's state in place of this one, beside it. Ends one begun before. */
  beginInstall(): void;
  installChunk(chunk: Uint8Array): void;
  /** Everything is there: it becomes the state, together with `point`, in one commit. */
  finishInstall(point: AppliedPoint): void;
  abortInstall(): void;
}

export interface StatePicture {
  /** Where the state stood when the picture was taken. */
  readonly point: AppliedPoint;
  /**
   * The next run of entries after `cursor` (undefined: from the start), at most `limitBytes` but
   * at least one entry. Without `next` it was the last. Throws if the picture's life is over.
   */
  read(
    cursor: Uint8Array | undefined,
    limitBytes: number,
  ): { readonly chunk: Uint8Array; readonly next: Uint8Array | undefined };
  /** Its life begins anew: somebody gets on with it, but slowly. */
  prolong?(): void;
  close(): void;
}

/** What a replica was opened with. */
export interface Opening extends OpenedState {
  /**
   * As `ShardConsensus.point` gave it with the newest entries that are in the state; undefined
   * where the state is empty.
   */
  readonly applied: AppliedPoint | undefined;
}

/**
 * The consensus of one shard, silent and synchronous: every call runs to its end within a step of
 * the replica, and leaves effects and outputs.
 *
 * The replica's part:
 * - `open` first, then `replay` with the records above the state, then all else;
 * - after every call it takes what is committed with `takeCommitted` and applies it in that same
 *   step, with `point` beside it in the state and `effects.applied`;
 * - `flush` once per turn, or at the end of each step: proposals and reads since then leave as
 *   one message per peer.
 */
export interface ShardConsensus {
  readonly standing: Standing;
  readonly commitIndex: number;
  /** The newest entry that `takeCommitted` has given out, or that the state was opened with. */
  readonly appliedIndex: number;
  /** The newest configuration of the log, committed or not: it is the one in force. */
  readonly configuration: Configuration;
  /**
   * False while this replica may lack what it once vouched for, so that its vote counts only with
   * all others', or is not named by the configuration that it knows.
   */
  readonly serving: boolean;
  /** Whether the configuration in force counts this replica, with the store that it has. */
  readonly isVoter: boolean;

  /** Of the entry that put `configuration` in force. */
  readonly configurationIndex: number;
  /** The group in whose log that stands. */
  readonly configurationGroup: number;
  /** Whether there is anything here that the shard could be recovered from. */
  readonly hasCopy: boolean;
  /** Whose stores are lost, where nobody can lead any more for that: see `Election.isQuorumLost`. */
  readonly lostVoters: readonly NodeId[] | undefined;
  /** It leads, and a transfer of its leadership is under way. */
  readonly isHandingOver: boolean;

  open(opening: Opening, at: Moment, effects: ConsensusEffects): void;
  replay(records: readonly LogRecord[], at: Moment, effects: ConsensusEffects): void;
  message(from: Sender, message: PeerMessage, at: Moment, effects: ConsensusEffects): void;
  durable(sequence: LogSequence, at: Moment, effects: ConsensusEffects): void;
  /** False: the timer is not one of the consensus. Its timers' names begin with `raft-`. */
  timer(timer: string, at: Moment, effects: ConsensusEffects): boolean;
  reachability(peer: NodeId, reachable: boolean, at: Moment, effects: ConsensusEffects): void;
  /** A peer came back under another identity: what it was sent may be lost. */
  identity(peer: Sender, at: Moment, effects: ConsensusEffects): void;
  /** Tokens of the consensus are below 2^16; of others it answers false. */
  logRecords(
    token: number,
    records: readonly LogRecord[],
    at: Moment,
    effects: ConsensusEffects,
  ): boolean;
  logUnreadable(token: number, at: Moment, effects: ConsensusEffects): boolean;

  /**
   * Appends a command. `record` has `ENTRY_HEADER_BYTES` free in front, and belongs to the log
   * from here on. It is sent with the next `flush`. What came of it is known when the entry at
   * `index` is given out: with another term it was another's, and this one was never applied.
   */
  propose(record: Uint8Array, at: Moment, effects: ConsensusEffects): ProposalResult;
  /**
   * Leads to a configuration with these nodes, as they are known now, by learners that catch up
   * and joint consensus (extended paper §6, thesis §4.2.1 and §4.3).
   */
  proposeConfiguration(
    goal: MembershipGoal,
    at: Moment,
    effects: ConsensusEffects,
  ): ConfigurationResult;
  /**
   * Begins another group with what is here, and with this replica as its only voter: whatever only
   * the others had is lost. It leads once its vote is durable.
   */
  recover(at: Moment, effects: ConsensusEffects): RecoveryRefusal | undefined;
  /**
   * Hands leadership over (thesis §3.10): to `to`, once; or, for a node that goes, to the voter that
   * is furthest, and where that one does not take it to the next. False if this node does not lead,
   * or there is nobody to hand it to.
   */
  transferLeadership(to: NodeId | undefined, at: Moment, effects: ConsensusEffects): boolean;
  /** Asks for an index at which to read; `outputs` has the answer. `token`: a u32. */
  read(token: number, at: Moment, effects: ConsensusEffects): void;
  /** Voters that this leader knows to have the log up to `index` durably; none if it is no leader. */
  holdersOf(index: number): readonly NodeId[];
  /** Whether this node's state, now, is the newest there is. Within the bound of the clocks. */
  leaseHolds(at: Moment): boolean;
  flush(at: Moment, effects: ConsensusEffects): void;
  /**
   * Gives out committed entries in order, up to `limitBytes` but at least one. True if there are
   * more to take at once.
   */
  takeCommitted(limitBytes: number, apply: ApplyEntry, effects: ConsensusEffects): boolean;
  /** What belongs beside the state as it is after all that was given out. */
  point(): AppliedPoint;
  describe(): Readonly<Record<string, unknown>>;
}
