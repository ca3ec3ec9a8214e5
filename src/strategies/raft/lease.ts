import type { ConsensusCore } from "./consensus-core.ts";
import type { Followers } from "./followers.ts";

/**
 * Until when nobody else can lead (thesis §6.4.1): a quorum has promised, with its answers, to vote
 * for nobody for the lower end of the draw, and no promise began before its question was sent.
 *
 * Invariant, while the clocks keep to their bound: `now < until ⇒` no other leader has been elected,
 * for `until = sent(quorum) + leaseMs` and `leaseMs < lower end × (1 − clock bound)`; in a joint
 * configuration `sent(quorum)` is the earlier of both majorities'.
 *
 * A transfer lets its target stand in spite of the promises, whenever the word reaches it: with it
 * the lease is over for the rest of the term.
 */
export class Lease {
  readonly #core: ConsensusCore;
  readonly #followers: Followers;
  #untilMs = Number.NEGATIVE_INFINITY;
  #isStale = true;
  /** Questions from before this moment count no more. */
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  /** Wall clock minus monotonic clock. */
  #offsetMs: number;

  constructor(core: ConsensusCore, followers: Followers) {
    this.#core = core;
    this.#followers = followers;
    this.#offsetMs = core.wallMs - core.nowMs;
  }

  /** A follower has answered: the lease may last longer. */
  renewed(): void {
    this.#isStale = true;
  }

  /** What was promised counts no more: the configuration has changed, or time was lost. */
  void(): void {
    this.#notBeforeMs = Math.max(this.#notBeforeMs, this.#core.nowMs);
    this.#untilMs = Number.NEGATIVE_INFINITY;
    this.#isStale = true;
  }

  /** For the rest of the term: nothing that comes later brings it back. */
  end(): void {
    this.#notBeforeMs = Number.POSITIVE_INFINITY;
    this.#untilMs = Number.NEGATIVE_INFINITY;
  }

  /**
   * A monotonic clock may stand still while the machine is asleep, and no clock shows its own
   * rate: what the two disagree about is a sign of either.
   */
  watchClocks(nowMs: number, wallMs: number): void {
    const offsetMs = wallMs - nowMs;
    const jumpMs = Math.abs(offsetMs - this.#offsetMs);
    this.#offsetMs = offsetMs;
    if (jumpMs > this.#core.options.timing.maxClockJumpMs) this.void();
  }

  holds(nowMs: number): boolean {
    if (this.#core.planted.leaseByRole === true) return true;
    if (nowMs < this.#untilMs) return true;
    if (!this.#isStale) return false;
    this.#isStale = false;
    const sentAtMs = this.#followers.quorumSentAtMs();
    // The leader's own answer is always of now, and so is all that a lone leader needs.
    if (sentAtMs < this.#notBeforeMs) return false;
    const { leaseMs } = this.#core.options.timing;
    if (this.#core.options.health.loopLagMs() > leaseMs / 2) return false;
    this.#untilMs = sentAtMs + leaseMs;
    return nowMs < this.#untilMs;
  }
}
