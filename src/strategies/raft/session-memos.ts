import type { Stamp } from "../../core/model/stamp.ts";

/** Of one shard; beyond it the memo that was made first goes. */
const MAX_MEMOS = 64;
const NONE = -1;

/**
 * What is known of an open session's rows without reading them again: a node's operations come
 * nearly in order, and each would read four rows to learn that nothing is in its way.
 *
 * Invariants
 * - `lastUseMs` is what the session's own row says.
 * - A slot that `isKnown` holds no sequence above `greatest`, and holds one at all if `isTaken`.
 */
export class SessionMemo {
  lastUseMs: number;
  greatest = NONE;
  readonly session: Stamp;
  readonly #known: Uint8Array;
  readonly #taken: Uint8Array;

  constructor(session: Stamp, lastUseMs: number, slots: number) {
    this.session = session;
    this.lastUseMs = lastUseMs;
    this.#known = new Uint8Array(slots >>> 3);
    this.#taken = new Uint8Array(slots >>> 3);
  }

  isKnown(slot: number): boolean {
    return isSet(this.#known, slot);
  }

  isTaken(slot: number): boolean {
    return isSet(this.#taken, slot);
  }

  /** @param sequence what the slot holds; undefined: nothing. */
  note(slot: number, sequence: number | undefined): void {
    setBit(this.#known, slot);
    if (sequence === undefined) return;
    setBit(this.#taken, slot);
    if (sequence > this.greatest) this.greatest = sequence;
  }
}

/** The memos of a shard's sessions that were used last. */
export class SessionMemos {
  readonly #memos = new Map<string, SessionMemo>();
  #newest: SessionMemo | undefined;

  get(session: Stamp): SessionMemo | undefined {
    const newest = this.#newest;
    if (newest !== undefined && isSame(newest.session, session)) return newest;
    const found = this.#memos.get(textOf(session));
    if (found !== undefined) this.#newest = found;
    return found;
  }

  add(memo: SessionMemo): void {
    if (this.#memos.size >= MAX_MEMOS) {
      const [oldest] = this.#memos.keys();
      if (oldest !== undefined) this.#memos.delete(oldest);
    }
    this.#memos.set(textOf(memo.session), memo);
    this.#newest = memo;
  }

  /** Its rows change in another way than by an operation. */
  forget(session: Stamp): void {
    this.#memos.delete(textOf(session));
    this.#newest = undefined;
  }
}

function isSame(a: Stamp, b: Stamp): boolean {
  return a.time === b.time && a.actorLow === b.actorLow && a.actorHigh === b.actorHigh;
}

function textOf({ time, actorHigh, actorLow }: Stamp): string {
  return `${time}:${actorHigh}:${actorLow}`;
}

function isSet(bits: Uint8Array, at: number): boolean {
  return ((bits[at >>> 3] as number) & (1 << (at & 7))) !== 0;
}

function setBit(bits: Uint8Array, at: number): void {
  bits[at >>> 3] = (bits[at >>> 3] as number) | (1 << (at & 7));
}
