import type { NodeId } from "./ids.ts";
import type { Level } from "./levels.ts";
import type { Receipt } from "./receipt.ts";
import type { SessionMark } from "./session-token.ts";

export type OperationType = "get" | "put" | "delete" | "update" | "batch" | "resolve" | "members";

/**
 * One client operation as an engine sees it: checked, encoded once, with its shard chosen. The
 * store makes it, and never changes it after `execute`.
 */
export interface Operation {
  readonly type: OperationType;
  /** UTF-8 bytes of the key, 1–1,024. */
  readonly key: Uint8Array;
  /** The key as `keyText` has it, where that is at hand: a table that is asked by it saves a copy. */
  readonly keyText?: string | undefined;
  readonly shardIndex: number;
  /** Canonical encoding of the value (`put`), or of the resolver's operation (`update`). */
  readonly value: Uint8Array | undefined;
  readonly level: Level;
  /** From `store.operationId`: makes a retry the very same write. */
  readonly operationId: string | undefined;
  /** Monotonic time after which the caller wants an answer; `undefined`: the level's own deadline. */
  readonly deadlineMs: number | undefined;
  readonly options: OperationOptions | undefined;
}

/** The rarer options, apart so that the plain operation stays small. */
export interface OperationOptions {
  readonly ifVersion?: string;
  readonly ifAbsent?: boolean;
  readonly ttlMs?: number;
  /** What the client saw, opaque (leaderless writes). */
  readonly context?: string;
  /**
   * What the client's session has seen of this shard, empty at its beginning. Where it is there a
   * read shows no less, or waits, or is refused with a reason; and the result has `session` too.
   */
  readonly session?: SessionMark;
  /** Members of a `batch`, in order. */
  readonly batch?: readonly Operation[];
  /** Of `members`: who shall hold the shard. None: only asks who does. */
  readonly replicas?: readonly NodeId[];
  /** Of `members`: the shard goes on with what this node has of it, and with nobody else. */
  readonly acceptLoss?: boolean;
}

/** A read as an engine answers it; the store decodes the bytes. */
export interface ReadResult {
  readonly found: boolean;
  /** Set if `found` and there is one value. Owned by the receiver; never changed afterwards. */
  readonly value: Uint8Array | undefined;
  /** Set if concurrent versions stay apart: two or more values. */
  readonly siblings: readonly Uint8Array[] | undefined;
  /** With `siblings`: a name for each, different for every write. */
  readonly siblingVersions?: readonly string[];
  /** Opaque; set if anything, a tombstone too, is known of the key. */
  readonly version: string | undefined;
  readonly receipt: Receipt;
  /** What this call has seen of the shard; only where the operation came with a `session`. */
  readonly session?: SessionMark;
}

/** A write that took effect. */
export interface WriteResult {
  readonly version: string;
  readonly receipt: Receipt;
  /** As that of a read: a later read of the session shows this write. */
  readonly session?: SessionMark;
  /** Only for conditional writes: why the condition did not hold, and what is there instead. */
  readonly rejected?: {
    readonly reason: "version-mismatch" | "exists" | "absent";
    readonly current: ReadResult;
  };
}

/** What `resolve` can say of an earlier write. */
export interface ResolveResult {
  readonly outcome: "applied" | "not-applied" | "unknown";
}

/** Who holds a shard, as `members` answers. */
export interface MembersResult {
  readonly voters: readonly NodeId[];
  readonly learners: readonly NodeId[];
  /** What a change under way leads to. */
  readonly goal: readonly NodeId[] | undefined;
  /** Undefined where there is none: replicas without a leader are equals. */
  readonly leader: NodeId | undefined;
}

export type OperationResult = ReadResult | WriteResult | ResolveResult | MembersResult;

/** One page of a scan: entries in key-byte order, and where to go on. */
export interface ScanPage {
  readonly entries: readonly ScanEntry[];
  /** Scan on from the first key above this; `undefined`: the range is exhausted. */
  readonly continueAfter: Uint8Array | undefined;
  readonly receipt: Receipt;
}

export interface ScanEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
  readonly siblings: readonly Uint8Array[] | undefined;
  readonly version: string;
}

/** Half-open range of keys: `from ≤ key < to`; `undefined` is unbounded. */
export interface KeyRange {
  readonly from: Uint8Array | undefined;
  readonly to: Uint8Array | undefined;
}

export interface ScanRequest {
  readonly range: KeyRange;
  /** Entries wanted in this page, 1–1,000. */
  readonly limit: number;
  readonly level: Level;
  readonly deadlineMs: number | undefined;
}

export type ChangeType = "put" | "delete" | "expire" | "conflict" | "synced" | "gap";

/** One event for watchers, still encoded. */
export interface EngineChange {
  readonly type: ChangeType;
  readonly shardIndex: number;
  readonly key: Uint8Array | undefined;
  readonly value: Uint8Array | undefined;
  /** Of a `conflict`: the versions that stand apart. */
  readonly siblings?: readonly Uint8Array[] | undefined;
  readonly version: string | undefined;
  /** Opaque; a watch resumed with it goes on behind this event. */
  readonly cursor: string;
  /** Only on `gap`: why events are missing. */
  readonly reason?: string;
}
