import type { NodeId } from "../../../core/model/ids.ts";
import { keyText } from "../../../core/model/key-text.ts";
import type { HybridTime } from "../../../core/model/stamp.ts";
import type { KeyedRecord } from "../record.ts";

/** After a round that found a difference; doubled from round to round, up to the interval. */
const NEXT_ROUND_MS = 1_000;
/** Keys whose older record was sent, and of which the peer may still say that it has a younger one. */
const MAX_DOUBTS = 256;

/** Of rounds between two under steady writing each so-and-so-manieth compares everything. */
const WHOLE_ROUND_EVERY = 6;

/**
 * Whether a record was written so lately that it may still be on its way to other replicas: by now,
 * or, where a round leaves out what is younger than `upTo`, by then.
 */
export type IsUnderWay = (record: Uint8Array, upTo: HybridTime) => boolean;

/**
 * The rounds with one peer: when the next one comes, and what the last one found.
 *
 * Under steady writing two replicas are never equal at one moment, since what is being written is
 * here before it is there, or there before it is here. A round that has found nothing else, between
 * two replicas that have been equal since they met, is as good as one that found them equal: what it
 * found it has exchanged, and there is nothing that a second one would find out sooner.
 *
 * To find that out takes reading the shard several times, down to single entries, since all sums differ.
 * So rounds after such a one leave out what is being written, on both sides: what is left stands still.
 * What a round leaves out is compared when it has come of age, if nothing has taken its place by then, and
 * by each sixth round at the latest.
 */
export class PeerRounds {
  readonly node: NodeId;
  nextAtMs: number;
  /** Number of the last round that was begun. */
  round = 0;
  /** The last round leaves out what is younger than that; 0: it compares everything. */
  upTo: HybridTime = 0;
  /** Of the last round that found both equal in everything. */
  settledAtMs: number | undefined;
  /** Records sent or taken since the two were last equal. */
  exchanged = 0;
  readonly #isBeingWritten: IsUnderWay;
  readonly #doubts = new Set<string>();
  #waitMs = NEXT_ROUND_MS;
  #begunAtMs = 0;
  /** It was begun here, and has not found both equal yet. */
  #isUnderWay = false;
  #wasAnswered = false;
  #foundOlder = false;
  #metAtMs: number;
  /** Since they met, at least in what was not being written. */
  #wereEqual = false;
  /** Rounds since the last that compared everything; undefined: that has not found them busy. */
  #busyRounds: number | undefined;

  constructor(node: NodeId, nextAtMs: number, isBeingWritten: IsUnderWay) {
    this.node = node;
    this.nextAtMs = nextAtMs;
    this.#metAtMs = nextAtMs;
    this.#isBeingWritten = isBeingWritten;
  }

  /**
   * The round `number` begins; the next one comes at `pauseMs` at the latest if nothing is heard of it. It
   * leaves out what is younger than `settledBy`, if that is enough.
   */
  begin(number: number, nowMs: number, pauseMs: number, settledBy: HybridTime): void {
    if (this.#isUnderWay && !this.#mayBeBusy(nowMs, pauseMs)) this.#busyRounds = undefined;
    else if (this.#isUnderWay) this.#busyRounds ??= 0;
    const busy = this.#busyRounds;
    const isPartial = busy !== undefined && busy + 1 < WHOLE_ROUND_EVERY;
    this.#busyRounds = isPartial ? busy + 1 : undefined;
    this.upTo = isPartial ? settledBy : 0;
    this.round = number;
    this.#isUnderWay = true;
    this.#begunAtMs = nowMs;
    this.#wasAnswered = false;
    this.#foundOlder = false;
    this.#doubts.clear();
    this.nextAtMs = nowMs + Math.min(this.#waitMs, pauseMs);
    this.#waitMs *= 2;
  }

  /** The round found both equal. Answers whether in everything. */
  settle(nowMs: number, pauseMs: number): boolean {
    this.#end(nowMs + pauseMs);
    this.#wereEqual = true;
    if (this.upTo > 0) return false;
    this.settledAtMs = nowMs;
    return true;
  }

  /** The two have met, or met again. */
  meet(nextAtMs: number): void {
    this.#wereEqual = false;
    this.#metAtMs = nextAtMs;
    this.#busyRounds = undefined;
    this.#end(nextAtMs);
  }

  /** True: the round under way has found nothing but what is being written, and is over. */
  maybeEndBusy(nowMs: number, pauseMs: number): boolean {
    if (!this.#isUnderWay || !this.#wereEqual || !this.#hasFoundNothingElse) return false;
    this.#busyRounds ??= 0;
    this.#end(Math.max(nowMs, this.#begunAtMs + pauseMs));
    return true;
  }

  /** A message has come or gone: a round is still at work, if one is. */
  putOff(nowMs: number): void {
    if (!this.#isUnderWay) return;
    this.nextAtMs = Math.max(this.nextAtMs, nowMs + NEXT_ROUND_MS);
  }

  /** The peer has said something of its own accord, or in answer. */
  noteAnswer(): void {
    this.#wasAnswered = true;
  }

  /** Sent because the peer lists something else. If that is younger, it comes back. */
  noteSent(records: readonly KeyedRecord[]): void {
    this.exchanged += records.length;
    if (!this.#isUnderWay || this.#foundOlder) return;
    for (const { key, record } of records) {
      if (!this.#isBeingWritten(record, this.upTo)) this.#doubts.add(keyText(key));
    }
    if (this.#doubts.size > MAX_DOUBTS) this.#foundOlder = true;
  }

  /** What is held of the keys whose records came, now that they are merged. */
  noteTaken(merged: readonly KeyedRecord[]): void {
    this.exchanged += merged.length;
    if (!this.#isUnderWay || this.#foundOlder) return;
    for (const { key, record } of merged) {
      if (this.#isBeingWritten(record, this.upTo)) this.#doubts.delete(keyText(key));
      else this.#foundOlder = true;
    }
  }

  /** Than what is being written. */
  get #hasFoundNothingElse(): boolean {
    return this.#wasAnswered && !this.#foundOlder && this.#doubts.size === 0;
  }

  /**
   * Whether two that meet while they are written to all the time, and are never equal at one moment, may
   * be so but for that: what was written before they met is old by now, and is not left out.
   */
  #mayBeBusy(nowMs: number, pauseMs: number): boolean {
    return this.#hasFoundNothingElse && nowMs - this.#metAtMs >= pauseMs;
  }

  #end(nextAtMs: number): void {
    this.#isUnderWay = false;
    this.#waitMs = NEXT_ROUND_MS;
    this.nextAtMs = nextAtMs;
  }
}
