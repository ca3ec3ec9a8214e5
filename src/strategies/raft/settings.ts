import { parseDurationMs } from "../../core/model/durations.ts";
import { CapstanError } from "../../core/model/errors.ts";
import { type Level, parseLevel } from "../../core/model/levels.ts";
import { parseSizeBytes } from "../../core/model/sizes.ts";
import type { RaftLimits, RaftTiming } from "./consensus-types.ts";

/**
 * The levels of a raft keyspace. `quorum` is another word for `strong`, `eventual` and `one` for
 * `stale`. Writes take them all, so that one word can serve a whole program: whatever was asked,
 * a write is committed by a majority.
 */
export const RAFT_LEVELS = Object.freeze([
  "strong",
  "quorum",
  "lease",
  "follower",
  "session",
  "stale",
  "eventual",
  "one",
] as const satisfies readonly Level[]);

/** A scan carries no session with it. */
export const RAFT_SCAN_LEVELS = Object.freeze([
  "strong",
  "quorum",
  "lease",
  "follower",
  "stale",
  "eventual",
  "one",
] as const satisfies readonly Level[]);

export type RaftLevel = (typeof RAFT_LEVELS)[number];

const KIB = 1024;
const MIB = 1024 * KIB;

const DEFAULT_ELECTION_TIMEOUT_MS = 500;
const DEFAULT_SESSION_LIFETIME_MS = 600_000;
/** Long enough for an election, and for a second one if the first is split. */
const DEFAULT_DEADLINE_MS = 3_000;
const LONGEST_DEADLINE_MS = 60_000;
/** By how much one node's clock may run faster than another's while leases are as good as said. */
export const CLOCK_BOUND = 0.05;
const HEARTBEATS_PER_TIMEOUT = 10;
const MAX_CLOCK_JUMP_MS = 100;
const TIMEOUTS_UNTIL_REST = 2;

export interface RaftSettings {
  readonly read: RaftLevel;
  readonly write: RaftLevel;
  readonly deadlinesMs: Readonly<Record<RaftLevel, number>>;
  readonly timing: RaftTiming;
  readonly limits: RaftLimits;
  /** How long an operation is remembered behind the last use of its session. */
  readonly sessionLifetimeMs: number;
}

const DEFAULT_RETAINED_BYTES = 32 * MIB;
/** Some 18 entries of 256 bytes; with 64 in flight they are a third of a turn's. */
const EARLY_BYTES = 6 * KIB;

/** What follows from how much of its applied log a shard keeps. */
function limitsOf(retainedBytes: number): RaftLimits {
  return Object.freeze({
    uncommittedBytes: 32 * MIB,
    inheritedBytes: 4 * MIB,
    inflightBytes: 4 * MIB,
    inflightMessages: 256,
    messageBytes: 512 * KIB,
    earlyBytes: Math.min(EARLY_BYTES, retainedBytes / 4),
    // What is in memory is in the log, and a chunk stands for what a follower could not be sent.
    memoryBytes: Math.min(4 * MIB, retainedBytes),
    retainedBytes,
    snapshotChunkBytes: Math.min(256 * KIB, retainedBytes),
    snapshotBytesPerSecond: 64 * MIB,
  });
}

/** Checks a keyspace's own options; `path` is where they stand in the configuration. */
export function parseRaftSettings(
  options: Readonly<Record<string, unknown>>,
  path: string,
): RaftSettings {
  const known = ["read", "write", "deadlines", "electionTimeout", "sessionLifetime", "retainedLog"];
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) refuse(`${path}.${name}`, options[name], "no such option", known);
  }
  const electionTimeoutMs = parseDurationMs(
    options.electionTimeout ?? DEFAULT_ELECTION_TIMEOUT_MS,
    `${path}.electionTimeout`,
    { min: 50, max: 60_000 },
  );
  const sessionLifetimeMs = parseDurationMs(
    options.sessionLifetime ?? DEFAULT_SESSION_LIFETIME_MS,
    `${path}.sessionLifetime`,
    { min: 1_000, max: 86_400_000 },
  );
  const retainedBytes = parseSizeBytes(
    options.retainedLog ?? DEFAULT_RETAINED_BYTES,
    `${path}.retainedLog`,
    { min: KIB, max: 1024 * MIB },
  );
  return Object.freeze({
    read: parseRaftLevel(options.read, `${path}.read`),
    write: parseRaftLevel(options.write, `${path}.write`),
    deadlinesMs: parseDeadlines(options.deadlines, `${path}.deadlines`),
    timing: timingOf(electionTimeoutMs),
    limits: limitsOf(retainedBytes),
    sessionLifetimeMs,
  });
}

/**
 * The draw is from half of the election timeout to all of it. A lease has to be over, by the
 * leader's clock, before any follower may vote, by its own: lease < lower × (1 − clock bound).
 */
export function timingOf(electionTimeoutMs: number): RaftTiming {
  const electionLowerMs = electionTimeoutMs / 2;
  return Object.freeze({
    electionTimeoutMs,
    electionLowerMs,
    heartbeatMs: electionTimeoutMs / HEARTBEATS_PER_TIMEOUT,
    leaseMs: Math.floor(electionLowerMs * (1 - CLOCK_BOUND)) - 1,
    maxClockJumpMs: MAX_CLOCK_JUMP_MS,
    restAfterMs: TIMEOUTS_UNTIL_REST * electionTimeoutMs,
  });
}

function parseRaftLevel(value: unknown, path: string): RaftLevel {
  if (value === undefined) return "strong";
  const level = typeof value === "string" ? parseLevel(value) : undefined;
  const found = RAFT_LEVELS.find((candidate) => candidate === level);
  return found ?? refuse(path, value, "not a level of the strategy raft", RAFT_LEVELS);
}

function parseDeadlines(value: unknown, path: string): Readonly<Record<RaftLevel, number>> {
  const deadlines = Object.fromEntries(
    RAFT_LEVELS.map((level) => [level, DEFAULT_DEADLINE_MS]),
  ) as Record<RaftLevel, number>;
  if (value === undefined) return Object.freeze(deadlines);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return refuse(path, value, "not a map of levels to durations", RAFT_LEVELS);
  }
  for (const [word, duration] of Object.entries(value)) {
    const parsed = parseLevel(word);
    const level = RAFT_LEVELS.find((candidate) => candidate === parsed);
    if (level === undefined) return refuse(`${path}.${word}`, duration, "not a level", RAFT_LEVELS);
    const bounds = { min: 1, max: LONGEST_DEADLINE_MS };
    deadlines[level] = parseDurationMs(duration, `${path}.${word}`, bounds);
  }
  return Object.freeze(deadlines);
}

function refuse(
  path: string,
  value: unknown,
  problem: string,
  allowed: readonly (string | number)[],
): never {
  throw new CapstanError(
    "INVALID_CONFIGURATION",
    `${path}: ${JSON.stringify(value)} is ${problem}; allowed: ${allowed.join(", ")}`,
    { allowed, details: { problems: [{ path, value, allowed }] } },
  );
}
