/** A question that gets no answer for so long was lost with the machine that it was asked of. */
const PATIENCE_MS = 5_000;
/** A replica that could not find out is left alone for so long. */
const PAUSE_MS = 200;

/** What of one replica was asked. */
interface Asked {
  /** Of the newest question; the first is 1. */
  token: number;
  /** The newest that was answered with yes. */
  confirmed: number;
  /** Until when the newest one keeps others from being asked. */
  untilMs: number;
}

/**
 * Whether the replicas that are here have all that was acknowledged, wherever that was, before somebody
 * began to watch. One question at a time is asked of a replica, for all who wait.
 *
 * Invariant: whoever begins may go by no question that was asked before, so that what it needs is the
 * next one, or any later: `answered(n)` with `n ≥ next()` is about a question asked after `next()`.
 */
export class CatchUps {
  readonly #ask: (shardIndex: number, token: number) => boolean;
  readonly #shards = new Map<number, Asked>();

  /** @param ask false if the replica is not of those that can be asked: what it has is enough. */
  constructor(ask: (shardIndex: number, token: number) => boolean) {
    this.#ask = ask;
  }

  /** What somebody needs who begins now. */
  next(shardIndex: number): number {
    return this.#of(shardIndex).token + 1;
  }

  /** Whether it is there; the replica is asked where it is not. */
  has(shardIndex: number, needed: number, nowMs: number): boolean {
    const asked = this.#of(shardIndex);
    if (asked.confirmed < needed && nowMs >= asked.untilMs) {
      asked.untilMs = nowMs + PATIENCE_MS;
      // The answer may come before this returns.
      if (!this.#ask(shardIndex, ++asked.token)) {
        asked.untilMs = nowMs;
        return true;
      }
    }
    return asked.confirmed >= needed;
  }

  /** True if somebody may have waited for it. */
  answered(shardIndex: number, token: number, isSo: boolean, nowMs: number): boolean {
    const asked = this.#of(shardIndex);
    if (isSo && token > asked.confirmed) asked.confirmed = token;
    // An answer to an earlier one says nothing of the one that is under way.
    if (token === asked.token) asked.untilMs = isSo ? nowMs : nowMs + PAUSE_MS;
    return isSo;
  }

  #of(shardIndex: number): Asked {
    const known = this.#shards.get(shardIndex);
    if (known !== undefined) return known;
    const made: Asked = { token: 0, confirmed: 0, untilMs: Number.NEGATIVE_INFINITY };
    this.#shards.set(shardIndex, made);
    return made;
  }
}
