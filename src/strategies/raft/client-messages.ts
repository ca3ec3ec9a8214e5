import type { NodeId } from "../../core/model/ids.ts";
import type { Applied } from "./apply.ts";
import type { Configuration } from "./configuration.ts";
import type { PairMessage } from "./pair-messages.ts";
import type { PeerMessage } from "./peer-messages.ts";

/**
 * How a read is served.
 * - `strong`: what was committed when it came; the replica asks the leader, or is it.
 * - `lease`: by the leader without asking anybody, while its lease holds; else as `strong`.
 * - `local`: what this replica has applied, at least up to the message's `minIndex`.
 */
export type ReadWay = "strong" | "lease" | "local";

/** What a client's session has seen of the shard. */
export interface SeenBefore {
  readonly lifeMark: number;
  readonly index: number;
}

export interface ProposeMessage {
  /** Again: the asker has told somebody of it before, under the same number. */
  readonly type: "propose" | "propose-again";
  readonly requestId: number;
  /**
   * A `CommandBody` behind the room that the leader's headers take (`proposedRecord`). Whoever takes
   * the message owns it, and may make it an entry of the log as it is.
   */
  readonly record: Uint8Array;
}

/**
 * Whether the leader has the proposal of this number in its log, and is to answer it yet. Comes instead of
 * the proposal, which may be long, to whoever may have it: a refusal says which.
 */
export interface IsProposedMessage {
  readonly type: "is-proposed";
  readonly requestId: number;
}

export interface ReadMessage {
  readonly type: "read";
  readonly requestId: number;
  readonly way: ReadWay;
  readonly seen: SeenBefore | undefined;
  readonly key: Uint8Array;
}

export interface RangeMessage {
  readonly type: "range";
  readonly requestId: number;
  readonly way: ReadWay;
  readonly from: Uint8Array | undefined;
  readonly to: Uint8Array | undefined;
  readonly limitBytes: number;
  readonly limitEntries: number;
}

/** Who shall hold the shard; nobody named: only asks who does. */
export interface MembersMessage {
  readonly type: "members";
  readonly requestId: number;
  readonly goal: readonly NodeId[];
  /**
   * The configuration that a change may begin from, and no other: a question that comes late, when
   * its change has ended, would undo what was changed since. Undefined: none is begun.
   */
  readonly base: ConfigurationPoint | undefined;
  /**
   * No other configuration was in force since the asker first heard: one of the same members is
   * written, so that no change which was given up before can begin any more.
   */
  readonly renews: boolean;
}

/** Since when a configuration is in force: an index of the log of a group (see `group.ts`). */
export interface ConfigurationPoint {
  readonly group: number;
  readonly index: number;
}

/** To go on with what the replica here has, whatever the others had. */
export interface RecoverMessage {
  readonly type: "recover";
  readonly requestId: number;
  /** The asker has heard that it is under way: it only wants to know when it has ended. */
  readonly isBegun: boolean;
}

/** The leader's configuration; of a change, once it has ended. */
export interface MembersReply {
  readonly type: "members-reply";
  readonly requestId: number;
  readonly configuration: Configuration;
}

/** Where the answering replica stands. */
export interface Standpoint {
  readonly lifeMark: number;
  readonly appliedIndex: number;
  /** How many replicas vote, and thereby how many a majority is. */
  readonly voters: number;
}

export interface ProposeReply extends Standpoint {
  readonly type: "propose-reply";
  readonly requestId: number;
  readonly applied: Applied;
}

export interface ReadReply extends Standpoint {
  readonly type: "read-reply";
  readonly requestId: number;
  /** How it was served: `lease` may have become `strong`. */
  readonly way: ReadWay;
  /** The live record, if there is one. */
  readonly record: Uint8Array | undefined;
}

export interface RangeReply extends Standpoint {
  readonly type: "range-reply";
  readonly requestId: number;
  readonly way: ReadWay;
  readonly entries: readonly { readonly key: Uint8Array; readonly record: Uint8Array }[];
  /** Where to go on, if keys of the range lie beyond. */
  readonly continueAfter: Uint8Array | undefined;
}

/**
 * Why a replica has not done what it was asked for.
 * - `not-leader`: it was to lead, and does not, or is handing over; or nobody it knows leads.
 * - `backlog`: too much is waiting already.
 * - `not-serving`: it has no state that it could vouch for.
 * - `undecided`: it was appended here, and then leadership was lost: it may be committed yet.
 * - `overwritten`: it was appended here, and another entry took its place.
 * - `quorum-lost`: so many voters have lost their stores that nobody can be elected any more.
 * - `changing`: the change of replicas that was asked for is under way.
 * - `other-change`: so is another one.
 * - `other-base`: another configuration is in force than the one to begin from: the one told here.
 * - `not-yet`: the leader cannot begin a change now: a node that is to join has not answered it.
 * - `quorum-present`: a recovery was asked for, and a majority of the voters can be reached.
 * - `proposed`: the leader has it in its log already, and answers when it is committed: what was sent again
 *   is nothing of its own.
 * - `not-proposed`: the leader has not, or has answered it: it is to be sent.
 * - `other-life`: the session has seen a state of this shard that is gone with all its replicas.
 */
export type ReplicaRefusal =
  | "not-leader"
  | "backlog"
  | "not-serving"
  | "undecided"
  | "overwritten"
  | "quorum-lost"
  | "changing"
  | "other-change"
  | "other-base"
  | "not-yet"
  | "quorum-present"
  | "proposed"
  | "not-proposed"
  | "other-life";

export interface RefusedMessage {
  readonly type: "refused";
  readonly requestId: number;
  readonly reason: ReplicaRefusal;
  /** Who leads, as far as the replica knows. */
  readonly leader: NodeId | undefined;
  /**
   * Who votes, as far as it knows, and since which index of which group's log (see `group.ts`): it may
   * not hold the shard any more.
   */
  readonly voters: readonly NodeId[];
  readonly configurationIndex: number;
  readonly configurationGroup: number;
}

export type ClientMessage =
  | ProposeMessage
  | IsProposedMessage
  | ReadMessage
  | RangeMessage
  | MembersMessage
  | RecoverMessage
  | MembersReply
  | ProposeReply
  | ReadReply
  | RangeReply
  | RefusedMessage;

export type CoordinatorMessage =
  | MembersReply
  | ProposeReply
  | ReadReply
  | RangeReply
  | RefusedMessage
  | PairMessage;

/** What no replica is told. */
export function isForCoordinator(message: RaftMessage): message is CoordinatorMessage {
  switch (message.type) {
    case "members-reply":
    case "propose-reply":
    case "read-reply":
    case "range-reply":
    case "refused":
    case "pair-heartbeat":
    case "pair-reply":
    case "pair-question":
    case "pair-answer":
    case "pairs-begin":
      return true;
    default:
      return false;
  }
}

/** All that replicas and coordinators of a raft keyspace say to each other. */
export type RaftMessage = PeerMessage | ClientMessage | PairMessage;
