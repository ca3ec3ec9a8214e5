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
  #inflight: Inflight[] = [];
  #inflightBytes = 0;

  constructor(nextIndex: number) {
    this.nextIndex = nextIndex;
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

  /** A message with entries up to `lastIndex` is on its way. */
  sent(lastIndex: number, bytes: number, nowMs: number): void {
    if (this.state === "probe") {
      this.awaits = true;
      return;
    }
    this.nextIndex = lastIndex + 1;
    this.#inflight.push({ lastIndex, bytes, sentAtMs: nowMs });
    this.#inflightBytes += bytes;
  }

  /** The logs are equal up to `index`, durably. True if that is news. */
  accepted(index: number): boolean {
    this.awaits = false;
    const isNews = index > this.matchIndex;
    if (isNews) this.matchIndex = index;
    if (this.state === "probe") this.replicate();
    let freed = 0;
    for (const message of this.#inflight) {
      if (message.lastIndex > index) break;
      this.#inflightBytes -= message.bytes;
      freed++;
    }
    if (freed > 0) this.#inflight.splice(0, freed);
    if (this.nextIndex <= this.matchIndex) this.nextIndex = this.matchIndex + 1;
    return isNews;
  }

  /** From where its log agrees on. */
  replicate(): void {
    this.state = "replicate";
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
    this.#forgetInflight();
  }

  startSnapshot(): void {
    this.state = "snapshot";
    this.awaits = false;
    this.#forgetInflight();
  }

  /**
   * Whether something of what is on its way was lost: entries that were sent before `sentBeforeMs`,
   * and which the follower, by what it has answered since, has not got; or the answer to entries
   * that it has, and should have had on its disk since `askedBeforeMs`.
   */
  hasLost(heldIndex: number, sentBeforeMs: number, askedBeforeMs: number): boolean {
    for (const { lastIndex, sentAtMs } of this.#inflight) {
      if (sentAtMs >= sentBeforeMs) return false;
      if (heldIndex < lastIndex || sentAtMs < askedBeforeMs) return true;
    }
    return false;
  }

  #forgetInflight(): void {
    this.#inflight = [];
    this.#inflightBytes = 0;
  }
}
