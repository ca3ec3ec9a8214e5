import type { Effects } from "../../core/contracts/machine.ts";
import type { CapstanError } from "../../core/model/errors.ts";
import type { Level } from "../../core/model/levels.ts";
import type { ReadResult } from "../../core/model/operations.ts";
import type { Receipt } from "../../core/model/receipt.ts";
import { versionTokenOf } from "../../core/model/version-token.ts";
import type { LeaderlessMessage } from "../leaderless/messages.ts";
import { QuorumRead, type QuorumReadParts } from "../leaderless/reads/quorum-read.ts";
import { compareRecords, isTombstone, liveValueOf, stampOf } from "../leaderless/record.ts";
import type { ReplicaAnswers, ReplicaMask } from "../leaderless/replica-answers.ts";
import { isFloorRecord } from "../leaderless/settling/stamped-settling.ts";

type Fx = Effects<LeaderlessMessage>;

/** A read under way, of a client's `get`, or of a `resolve`. */
export class PendingRead extends QuorumRead {
  readonly level: Level;
  /** How the answer is given. */
  readonly finish: ReadFinish;
  newest: Uint8Array | undefined = undefined;
  writeBack: WriteBack | undefined = undefined;

  constructor(parts: QuorumReadParts, level: Level, finish: ReadFinish) {
    super(parts);
    this.level = level;
    this.finish = finish;
  }
}

/** The second round of a strong read. */
export interface WriteBack {
  readonly roundId: number;
  readonly acks: ReplicaAnswers;
  /** Replicas known to hold `newest`, or newer, durably. */
  holders: ReplicaMask;
}

/** Says how a read that has its answer, or will get none, is answered. */
export interface ReadFinish {
  found(record: Uint8Array | undefined, receipt: Receipt, effects: Fx): void;
  failed(fault: CapstanError, effects: Fx): void;
}

/** The newest record among the answers that count. */
export function newestOf(pending: PendingRead, stalest = false): Uint8Array | undefined {
  let newest: Uint8Array | undefined;
  for (let i = 0; i < pending.records.length; i++) {
    const record = pending.records[i];
    const bit = 1 << i;
    if (record === undefined || (pending.answers.counted & ~pending.digests & bit) === 0) continue;
    if (newest === undefined || compareRecords(record, newest) > 0 !== stalest) newest = record;
  }
  return newest;
}

/**
 * Whether a replica that answered with `record` has to be told of `newest`. A replica's floor is no
 * write: what it says of the key, whoever shows nothing alive there does not deny, and every replica
 * comes to know it in the round that made it.
 */
export function isBehind(record: Uint8Array | undefined, newest: Uint8Array): boolean {
  if (record === undefined) return !isFloorRecord(newest);
  if (compareRecords(record, newest) >= 0) return false;
  return !isTombstone(record) || !isFloorRecord(newest);
}

/** Replicas whose answer is not behind `newest`; with `anybody`, also of those that do not count. */
export function holdersOf(pending: PendingRead, newest: Uint8Array, anybody = false): ReplicaMask {
  const among = anybody ? pending.answers.answered : pending.answers.counted;
  let holders = 0;
  for (let i = 0; i < pending.records.length; i++) {
    if ((among & (1 << i)) !== 0 && !isBehind(pending.records[i], newest)) holders |= 1 << i;
  }
  return holders;
}

export function readResultOf(record: Uint8Array | undefined, receipt: Receipt): ReadResult {
  if (record === undefined) {
    return { found: false, value: undefined, siblings: undefined, version: undefined, receipt };
  }
  const value = liveValueOf(record);
  const version = versionTokenOf(stampOf(record));
  return { found: value !== undefined, value, siblings: undefined, version, receipt };
}
