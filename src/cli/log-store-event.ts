import type { Logger } from "pino";
import type { LogLevel } from "../core/contracts/observer.ts";
import type { StoreEvent } from "../core/store/api.ts";

interface Entry {
  readonly level: LogLevel;
  /** Instead of the event's type, where that alone does not tell an operator what to do. */
  readonly words?: string;
}

const ENTRIES: Readonly<Record<string, Entry>> = Object.freeze({
  ready: { level: "info", words: "serves at the levels of its keyspaces" },
  // One of each per shard: the events have them all, the log only when it is asked for more.
  "rebuild-started": { level: "debug" },
  "rebuild-finished": { level: "debug" },
  // There are tables of them; the log has them when it is asked for more.
  replicated: { level: "debug" },
  conflict: { level: "debug" },
  // One of each per shard at every election: the way to act would be lost among them.
  "raft-standing": { level: "debug" },
  // One of each per shard and peer.
  "replicas-equal": { level: "debug" },
  "hints-delivered": { level: "debug" },
  "hints-refused": {
    level: "warn",
    words:
      "hints-refused: what is kept for a peer is too large with what it holds; a write settles it",
  },
  "reaping-resumed": { level: "info" },
  "reaping-blocked": {
    level: "warn",
    words: "reaping-blocked: tombstones of a shard stay until these nodes have them, or have left",
  },
  "beyond-horizon": {
    level: "warn",
    words:
      "beyond-horizon: the others have let go of deletions that this replica may have missed; it learns anew",
  },
  // The store itself logs it as a warning, with the reason in its words: once is enough.
  "still-joining": { level: "debug" },
  degraded: { level: "warn" },
  "clock-skew": { level: "warn" },
  "machine-failed": { level: "error" },
  // The store itself logs each as an error when it opens.
  "storage-damaged": { level: "debug" },
  "shard-damaged": {
    level: "error",
    words: "shard-damaged: the shard does not serve until it has learned from its peers",
  },
  "shards-incomplete": {
    level: "warn",
    words: "shards-incomplete: these shards do not serve until they have learned from their peers",
  },
  failed: { level: "error" },
  "writes-may-be-lost": {
    level: "warn",
    words: "writes-may-be-lost: too few whole copies of a shard were left to learn from",
  },
  "configuration-mismatch": {
    level: "error",
    words: "configuration-mismatch: the peer's nodes or keyspaces are not those of this node",
  },
  "keyspaces-differ": {
    level: "warn",
    words: "keyspaces-differ: a keyspace is served by those nodes alone that have it",
  },
  "cluster-mismatch": {
    level: "error",
    words: "cluster-mismatch: the peer's data belongs to another cluster",
  },
  "identity-conflict": {
    level: "error",
    words: "identity-conflict: two processes run under one node id",
  },
  "old-copy": { level: "error", words: "old-copy: a node runs on an older copy of its data" },
});

/** The log has what the store's events say, at a level that tells what needs somebody. */
export function logStoreEvent(log: Logger, { type, atMs: _at, ...fields }: StoreEvent): void {
  const { level, words } = ENTRIES[type] ?? { level: isAlone(fields) ? "warn" : "info" };
  log[level](fields, words ?? type);
}

/** An event `side` that says that this node is not with the majority. */
function isAlone({ side }: Readonly<Record<string, unknown>>): boolean {
  return side !== undefined && side !== "majority";
}
