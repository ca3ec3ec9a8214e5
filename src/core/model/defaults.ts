/**
 * What holds where a configuration says nothing. Every default of the store is here; those of a
 * strategy, a transport or a storage are its own.
 */
export const DEFAULTS = Object.freeze({
  cluster: Object.freeze({ name: "capstan" }),
  node: Object.freeze({ id: "local", datacenter: "default" }),
  /** For one node, or a hub; nodes that all have addresses get `tcp`. */
  transport: Object.freeze({ type: "memory" }),
  storage: Object.freeze({ type: "memory" }),
  keyspace: Object.freeze({
    name: "default",
    strategy: "tunable",
    /** One may fail and there is still a majority. */
    replicas: 3,
    /** Enough to spread over a handful of nodes, few enough to cost an idle node nothing. */
    shards: 16,
    /** `memory` where `storage.type` is `"memory"`, which has nothing better to offer. */
    durability: "fsync",
    groupBy: "whole",
    maxValueBytes: 1024 * 1024,
  }),
  clock: Object.freeze({
    /**
     * Clocks under NTP agree to milliseconds, and a virtual machine that was paused is off by
     * seconds until its next correction: neither should cost a write. A clock that is off by more
     * is broken, and would win over every later write for as long as it is ahead.
     */
    maxSkewMs: 10_000,
  }),
  detector: Object.freeze({
    heartbeatIntervalMs: 250,
    /** Eight heartbeats: longer than a pause for garbage collection, and than most lost packets. */
    suspectAfterMs: 2_000,
  }),
  limits: Object.freeze({
    /** What a node that has just started gets through within a quorum's 200 ms. */
    operationsInFlight: 4_096,
    /** For one peer, and of values under way in one keyspace. */
    queuedBytes: 64 * 1024 * 1024,
    /** The longest `timeoutMs` that a call may ask for. */
    timeoutMs: 60_000,
    scanPage: 1_000,
  }),
} as const);
