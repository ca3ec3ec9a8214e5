import type { CoordinatorContext } from "../../core/contracts/machine.ts";
import { encodeSessionOperationId } from "../../core/model/operation-id.ts";
import { compareStamps, HYBRID_COUNTER_SPAN, type Stamp } from "../../core/model/stamp.ts";
import type { Identity } from "./commands.ts";
import { SESSION_WINDOW } from "./slot-chunk.ts";

/** A session unused for this part of its lifetime is not used again: it may be over. */
const IDLE_PARTS = 4;
/** The second half of a window after an operation's own takes its slot over. */
const HALF_WINDOW = SESSION_WINDOW / 2;
/** Among so many times a lead begins at one by chance. */
const LEAD_CHANCES = 2 ** 22;

interface OpenSession {
  readonly id: Stamp;
  readonly mintedAtMs: number;
  usedAtMs: number;
  next: number;
  /** Operations that are under way, of the even halves of a window and of the odd. */
  readonly underWay: [number, number];
}

export type SessionIdentity = Extract<Identity, { type: "session" }>;

/**
 * The names under which one coordinator's writes are applied at most once.
 *
 * Writes that come without an id have a session for each shard, whose window slides on with them,
 * but never over one that is under way: where that would come next, another session is begun.
 * When the outcome of one of them stays unknown its session is left alone, and the next write
 * begins another: the unknown one stays in a window that moves no more, and can be resolved for as
 * long as the session lives. Ids that are handed out have sessions of their own, over all shards,
 * each with no more ids than a window holds.
 *
 * A session's id is a stamp, and has to be above those of the sessions that a shard has ended. Where
 * one of these was begun by a clock that was ahead, all of this node's would be below it until its
 * own clock has come as far: they are given a lead then.
 */
export class OperationSessions {
  readonly #context: CoordinatorContext;
  readonly #lifetimeMs: number;
  readonly #idleMs: number;
  /** Which ended sessions are known of. */
  #floor = 0;
  /** What is added to the times of stamps, so that they are above the floor. */
  #lead = 0;
  readonly #own = new Map<number, OpenSession>();
  #handedOut: OpenSession | undefined;

  constructor(context: CoordinatorContext, lifetimeMs: number) {
    this.#context = context;
    this.#lifetimeMs = lifetimeMs;
    this.#idleMs = lifetimeMs / IDLE_PARTS;
  }

  /** For a write to the shard. */
  next(shardIndex: number, nowMs: number, wallMs: number): SessionIdentity {
    let session = this.#own.get(shardIndex);
    if (session === undefined || !this.#isUsable(session, nowMs)) {
      session = this.#mint(nowMs, wallMs);
      this.#own.set(shardIndex, session);
    }
    session.usedAtMs = nowMs;
    const sequence = session.next++;
    session.underWay[halfOf(sequence)]++;
    return { type: "session", session: session.id, sequence };
  }

  /** What `next` has named is over: nobody asks for it again under this name. */
  settled(shardIndex: number, { session, sequence }: SessionIdentity): void {
    const own = this.#own.get(shardIndex);
    if (own === undefined || compareStamps(own.id, session) !== 0) return;
    own.underWay[halfOf(sequence)]--;
  }

  /** The session is not used any more by further writes. */
  leave(shardIndex: number, session: Stamp): void {
    const own = this.#own.get(shardIndex);
    if (own !== undefined && compareStamps(own.id, session) === 0) this.#own.delete(shardIndex);
  }

  /** A shard opens no session up to this time. */
  riseAbove(floor: number): void {
    this.#floor = Math.max(this.#floor, floor);
  }

  /** It is over: ids of it are worth nothing. */
  handOutNoMore(session: Stamp): void {
    const handedOut = this.#handedOut;
    if (handedOut !== undefined && compareStamps(handedOut.id, session) === 0) {
      this.#handedOut = undefined;
    }
  }

  /** An id for a caller, who may use it later, for a key of any shard. */
  handOut(nowMs: number, wallMs: number): string {
    let session = this.#handedOut;
    const hasRoom =
      session !== undefined &&
      session.next < SESSION_WINDOW &&
      nowMs - session.mintedAtMs <= this.#idleMs;
    if (session === undefined || !hasRoom) session = this.#mint(nowMs, wallMs);
    this.#handedOut = session;
    return this.textOf({ type: "session", session: session.id, sequence: session.next++ });
  }

  textOf({ session, sequence }: SessionIdentity, shardIndex?: number): string {
    const { keyspaceHash } = this.#context;
    return encodeSessionOperationId({ keyspaceHash, session, sequence, shardIndex });
  }

  /**
   * With the first sequence of a half those of the half before the last one begin to lose their
   * slots: none of them may still be asked for.
   */
  #isUsable({ next, underWay, usedAtMs }: OpenSession, nowMs: number): boolean {
    if (nowMs - usedAtMs > this.#idleMs) return false;
    return next % HALF_WINDOW !== 0 || underWay[halfOf(next)] === 0;
  }

  #mint(nowMs: number, wallMs: number): OpenSession {
    const minted = this.#context.clock.mint(wallMs);
    const id = { ...minted, time: this.#raised(minted.time) };
    return { id, mintedAtMs: nowMs, usedAtMs: nowMs, next: 0, underWay: [0, 0] };
  }

  /**
   * Rises from call to call, as the times that it is given and the lead do. A lead begins by chance,
   * so that none of an earlier machine of this node's life, which nobody remembers, has led to the
   * same id. It is a lifetime longer than it has to be: other sessions of the clock that was ahead
   * end later than the one that is known of.
   */
  #raised(time: number): number {
    if (time + this.#lead <= this.#floor) {
      const chance = this.#context.randomUint32() % LEAD_CHANCES;
      this.#lead = this.#floor - time + this.#lifetimeMs * HYBRID_COUNTER_SPAN + 1 + chance;
    }
    return time + this.#lead;
  }
}

/** Whether a sequence is of an even half of a window or of an odd one. */
function halfOf(sequence: number): 0 | 1 {
  return sequence % SESSION_WINDOW < HALF_WINDOW ? 0 : 1;
}
