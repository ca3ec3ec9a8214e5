import { AnswerWait } from "../../core/model/answer-wait.ts";
import { type Identity, isMember, type Member } from "./configuration.ts";
import type { RaftLimits } from "./consensus-types.ts";
import { violated } from "./invariant.ts";

/**
 * - `probe`: where the follower's log agrees is not known; one message at a time.
 * - `replicate`: it is known; messages follow each other without waiting.
 * - `snapshot`: what the follower lacks is not in the log any more.
 */
export type ProgressState = "probe" | "replicate" | "snapshot";

interface Inflight {
  readonly lastIndex: number;
  readonly bytes: number;
  readonly sentAtMs: number;
  /** Of what was sent twice nobody knows which of the two has arrived. */
  readonly isFirst: boolean;
}

/**
 * What a leader knows of one follower.
 *
 * Invariants:
 * - `matchIndex < nextIndex`;
 * - in `replicate`, `matchIndex + 1 … nextIndex − 1` is in `#inflight`, in order;
 * - `ackedRound` and `ackedSentAtMs` never fall for one identity.
 */
export class Progress {
  state: ProgressState = "probe";
  matchIndex = 0;
  nextIndex: number;
  /** In `probe`: a message is on its way, and nothing more is sent before it was answered. */
  awaits = false;
  /** Entries for it are being read back from the log. */
  isReading = false;
  /** The newest round that it has answered, and when that one was sent. */
  ackedRound = 0;
  ackedSentAtMs = Number.NEGATIVE_INFINITY;
  /** Up to here it knows that the logs are equal, by its latest answer to a heartbeat. */
  heldIndex = 0;
  /** As whom it has last answered. */
  identity: Identity | undefined;
  /** The term of an entry that only the log has, where it was read last. */
  #learned: { readonly index: number; readonly term: number } | undefined;
  /** Rejections of this round and earlier ones have been acted upon. */
  #rewoundRound = 0;
  /** In `probe`: when it was first asked where the logs agree. */
  #askedRound: number | undefined;
  #inflight: Inflight[] = [];
  #inflightBytes = 0;
  /** Until entries that the follower has not got count as lost. */
  readonly #wait: AnswerWait;
  /** The last index that was ever sent, and the last of which is known how long it took. */
  #sentEnd = 0;
  #timedIndex = 0;

  /** @param leastWaitMs for entries, where they are known to arrive in less. */
  constructor(nextIndex: number, leastWaitMs: number) {
    this.nextIndex = nextIndex;
    this.#wait = new AnswerWait(leastWaitMs, leastWaitMs);
  }

  /** In `probe`: the question has been asked before, and its answer has not come. */
  get isAskedAgain(): boolean {
    return this.#askedRound !== undefined;
  }

  /** How far the member has the log; nothing if another store answers in its place. */
  matchOf(member: Member): number {
    return this.identity !== undefined && isMember(member, this.identity) ? this.matchIndex : 0;
  }

  isAnsweredBy(member: Member): boolean {
    return this.identity !== undefined && isMember(member, this.identity);
  }

  /** Who answers now. Another store knows nothing of what the one before it had. */
  meet(identity: Identity): void {
    const before = this.identity;
    if (before?.storeId === identity.storeId && before.original === identity.original) return;
    this.identity = identity;
    if (before === undefined) return;
    this.matchIndex = 0;
    this.ackedRound = 0;
    this.ackedSentAtMs = Number.NEGATIVE_INFINITY;
    this.#sentEnd = 0;
    this.#timedIndex = 0;
    this.probe(1);
  }

  answered(round: number, sentAtMs: number): void {
    if (round <= this.ackedRound) return;
    this.ackedRound = round;
    if (sentAtMs > this.ackedSentAtMs) this.ackedSentAtMs = sentAtMs;
  }

  learnTerm(index: number, term: number): void {
    this.#learned = { index, term };
  }

  learnedTerm(index: number): number | undefined {
    return this.#learned?.index === index ? this.#learned.term : undefined;
  }

  hasRoom(limits: RaftLimits): boolean {
    if (this.#inflight.length === 0) return true;
    return (
      this.#inflight.length < limits.inflightMessages && this.#inflightBytes < limits.inflightBytes
    );
  }

  /** A message with entries up to `lastIndex` is on its way, in this round. */
  sent(lastIndex: number, bytes: number, nowMs: number, round: number): void {
    const isFirst = lastIndex > this.#sentEnd;
    if (isFirst) this.#sentEnd = lastIndex;
    if (this.state === "probe") {
      this.awaits = true;
      this.#askedRound ??= round;
      return;
    }
    this.nextIndex = lastIndex + 1;
    this.#inflight.push({ lastIndex, bytes, sentAtMs: nowMs, isFirst });
    this.#inflightBytes += bytes;
  }

  /**
   * The logs are equal up to `index`, durably, in answer to what was sent in `round`.
   *
   * In `probe`, entries that were sent before the question, and were taken for lost, may arrive all the
   * same, over a link that is only slow: the question comes behind them, and the answer to it, and not
   * theirs, says from where on to send again. Else they would all be sent twice, or more often.
   */
  accepted(index: number, nowMs: number, round: number): void {
    if (index > this.matchIndex) this.matchIndex = index;
    const isOlder = this.#askedRound === undefined || round < this.#askedRound;
    if (this.state === "probe" && !isOlder) this.replicate();
    if (!isOlder) this.awaits = false;
    this.#noteArrived(index, nowMs);
    let freed = 0;
    for (const message of this.#inflight) {
      if (message.lastIndex > index) break;
      this.#inflightBytes -= message.bytes;
      freed++;
    }
    if (freed > 0) this.#inflight.splice(0, freed);
    if (this.nextIndex <= this.matchIndex) this.nextIndex = this.matchIndex + 1;
  }

  /** It has a picture of the state up to `index`. */
  has(index: number): void {
    if (index > this.matchIndex) this.matchIndex = index;
    if (this.nextIndex <= this.matchIndex) this.nextIndex = this.matchIndex + 1;
  }

  /** By its answer to a heartbeat it has, not yet durably, what was sent up to `index`. */
  held(index: number, nowMs: number): void {
    this.heldIndex = index;
    this.#noteArrived(index, nowMs);
  }

  /** How long entries take tells how long to wait for them: what a disk takes is not part of it. */
  #noteArrived(index: number, nowMs: number): void {
    for (const { lastIndex, sentAtMs, isFirst } of this.#inflight) {
      if (lastIndex > index) return;
      if (lastIndex <= this.#timedIndex) continue;
      this.#timedIndex = lastIndex;
      if (isFirst) this.#wait.answered(nowMs - sentAtMs);
    }
  }

  /** From where its log agrees on. */
  replicate(): void {
    this.state = "replicate";
    this.#askedRound = undefined;
    this.nextIndex = this.matchIndex + 1;
    this.#forgetInflight();
    if (this.nextIndex <= this.matchIndex)
      violated("match < next", this.matchIndex, this.nextIndex);
  }

  /**
   * The follower does not have what was sent in `round` to be put behind: it is asked further
   * back. False for what was known already.
   *
   * @param round the newest round until now: what was sent up to it will be rejected as well.
   */
  rejected(rejectedRound: number, round: number, nextIndex: number): boolean {
    if (rejectedRound <= this.#rewoundRound) return false;
    this.#rewoundRound = round;
    // A follower that has lost its tail has less than it had vouched for.
    // Taking back what it is known to have is always safe, what is committed stays so.
    if (this.matchIndex >= nextIndex) this.matchIndex = nextIndex - 1;
    this.probe(nextIndex);
    return true;
  }

  /** Asks again from `nextIndex` on, one message at a time. */
  probe(nextIndex: number): void {
    this.state = "probe";
    this.nextIndex = nextIndex;
    this.awaits = false;
    this.#askedRound = undefined;
    this.#forgetInflight();
  }

  startSnapshot(): void {
    this.state = "snapshot";
    this.awaits = false;
    this.#forgetInflight();
  }

  /**
   * Whether something of what is on its way was lost, so that it has to be asked for again: entries
   * that have been under way for longer than entries take, and which the follower, by what it has
   * answered since, has not got; or the answer to entries that it has, and should have had on its
   * disk for `answerMs`.
   */
  hasLost(nowMs: number, answerMs: number): boolean {
    const waitMs = this.#wait.ms;
    for (const { lastIndex, sentAtMs } of this.#inflight) {
      const agoMs = nowMs - sentAtMs;
      if (agoMs <= waitMs) return false;
      if (this.heldIndex < lastIndex || agoMs > answerMs) {
        this.#wait.inVain();
        return true;
      }
    }
    return false;
  }

  #forgetInflight(): void {
    this.#inflight = [];
    this.#inflightBytes = 0;
  }
}
