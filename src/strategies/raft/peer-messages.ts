import type { Configuration } from "./configuration.ts";
import type { AppliedPoint, ReadFailure } from "./consensus-types.ts";

/**
 * What the consensus of a shard says to that of another replica. Terms as in Figure 2 of the
 * extended paper: whoever meets a greater one becomes a follower in it.
 *
 * `original` in an answer says that the sender's store is the one with which the node took part
 * in the shard's birth: with the sender's store id, which every frame has, that is its identity.
 */
export type PeerMessage =
  | VoteRequest
  | VoteReply
  | AppendRequest
  | AppendReply
  | Heartbeat
  | HeartbeatReply
  | ReadIndexRequest
  | ReadIndexReply
  | TakeOver
  | Rest
  | Stir
  | SnapshotChunk
  | SnapshotReply
  | Dismissal;

/**
 * To one that asks for votes and has been removed meanwhile: the committed configuration, at
 * `index` of the log, which does not name its node. From one that holds the shard, or that was told so
 * itself: a node whose own log ends before the change knows only those who have left with it.
 */
export interface Dismissal {
  readonly type: "dismissal";
  readonly term: number;
  readonly index: number;
  readonly configuration: Configuration;
}

/** RequestVote (§5.2), and the question before it (thesis §9.6). */
export interface VoteRequest {
  readonly type: "vote";
  /** Of a pre-vote: the term in which the sender would stand. */
  readonly term: number;
  readonly pre: boolean;
  /** The leader itself has asked for this election: promises to it do not count (thesis §3.10). */
  readonly transfer: boolean;
  readonly lastIndex: number;
  readonly lastTerm: number;
}

export interface VoteReply {
  readonly type: "vote-reply";
  /** Of a granted pre-vote: the term asked for; otherwise the sender's. */
  readonly term: number;
  readonly pre: boolean;
  readonly granted: boolean;
  /** The sender may lack what it has vouched for: its vote counts only with all others'. */
  readonly recovering: boolean;
  readonly original: boolean;
}

/** AppendEntries (§5.3). `round` comes back in the answer: what it answers, and since when. */
export interface AppendRequest {
  readonly type: "append";
  readonly term: number;
  readonly round: number;
  readonly prevIndex: number;
  readonly prevTerm: number;
  readonly commitIndex: number;
  /** Log records, header included. */
  readonly records: readonly Uint8Array[];
}

/** Leaves only when everything up to `index` is durable at the sender. */
export interface AppendReply {
  readonly type: "append-reply";
  readonly term: number;
  readonly round: number;
  readonly rejected: boolean;
  /** Accepted: up to here the logs are equal. Rejected: the `prevIndex` that was. */
  readonly index: number;
  /** Rejected: the last place at which the logs may agree, and the sender's term there. */
  readonly hintIndex: number;
  readonly hintTerm: number;
  readonly original: boolean;
}

/** The empty AppendEntries of §5.2, without a place in the log: it may overtake entries. */
export interface Heartbeat {
  readonly type: "heartbeat";
  readonly term: number;
  readonly round: number;
  readonly commitIndex: number;
  /** Where the leader's log ends. */
  readonly lastIndex: number;
}

/** Vouches for no entry, only for the term: it waits for nothing. */
export interface HeartbeatReply {
  readonly type: "heartbeat-reply";
  readonly term: number;
  readonly round: number;
  /** Up to here the sender's log, durable or not, is known to equal that term's leader's. */
  readonly matchedIndex: number;
  readonly original: boolean;
}

/** A follower asks for an index at which to read (thesis §6.4). */
export interface ReadIndexRequest {
  readonly type: "read-index";
  readonly term: number;
  /** Names the question among all that its node has asked, in this life and earlier ones. */
  readonly token: number;
}

export interface ReadIndexReply {
  readonly type: "read-index-reply";
  readonly term: number;
  readonly token: number;
  readonly index: number;
  readonly failure: ReadFailure | undefined;
}

/** TimeoutNow (thesis §3.10): stand for election at once. */
export interface TakeOver {
  readonly type: "take-over";
  readonly term: number;
}

/**
 * The last word of a leader that has nothing to do: from here on the heartbeats between the two
 * nodes vouch for the shard (`PairHeartbeats`), until either side stirs.
 */
export interface Rest {
  readonly type: "rest";
  readonly term: number;
  /** All is committed. */
  readonly commitIndex: number;
}

/** From this node itself: nobody vouches for the resting shard any more. */
export interface Stir {
  readonly type: "stir";
  readonly term: number;
}

/** A part of InstallSnapshot (§7, Figure 13). */
export interface SnapshotChunk {
  readonly type: "snapshot-chunk";
  readonly term: number;
  /** Names the picture among those of this leader and term. */
  readonly snapshot: number;
  readonly number: number;
  readonly last: boolean;
  readonly point: AppliedPoint;
  readonly chunk: Uint8Array;
}

export interface SnapshotReply {
  readonly type: "snapshot-reply";
  readonly term: number;
  readonly snapshot: number;
  /** The number of the chunk that is wanted next. */
  readonly next: number;
  /** Nothing more is wanted: the sender's log and state reach `index`. */
  readonly installed: boolean;
  readonly index: number;
  readonly original: boolean;
}
