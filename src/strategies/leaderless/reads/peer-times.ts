import type { NodeId } from "../../../core/model/ids.ts";

/** Of a peer that has not answered yet. */
const UNKNOWN_MS = 10;
/** What nobody has confirmed for so long is forgotten: a peer that was slow gets another chance. */
const FORGET_AFTER_MS = 10_000;
/** For how long a peer that was not waited for, or does not count, is asked last. */
const AVOID_MS = 1_000;
/** A peer that takes longer than the fastest by this, and twice as long, is farther away. */
const FARTHER_MS = 1;

interface PeerTime {
  meanMs: number;
  deviationMs: number;
  seenAtMs: number;
  avoidUntilMs: number;
}

/** How peers are to be preferred; the least first. */
export type PeerRank = 0 | 1 | 2;

/**
 * How long peers take to answer reads, as TCP estimates it (Jacobson 1988; RFC 6298 §2): the mean
 * and four times the mean deviation, which for answers whose times fall off exponentially is about
 * the 98th percentile, without keeping any of them.
 */
export class PeerTimes {
  readonly #times = new Map<NodeId, PeerTime>();

  note(node: NodeId, tookMs: number, nowMs: number): void {
    const time = this.#times.get(node);
    if (time === undefined || nowMs - time.seenAtMs > FORGET_AFTER_MS) {
      const avoidUntilMs = time?.avoidUntilMs ?? 0;
      this.#times.set(node, {
        ...{ meanMs: tookMs, deviationMs: tookMs / 2 },
        ...{ seenAtMs: nowMs, avoidUntilMs },
      });
      return;
    }
    time.deviationMs += (Math.abs(tookMs - time.meanMs) - time.deviationMs) / 4;
    time.meanMs += (tookMs - time.meanMs) / 8;
    time.seenAtMs = nowMs;
  }

  /** It was not waited for, or is being rebuilt. */
  avoid(node: NodeId, nowMs: number): void {
    const time = this.#times.get(node);
    if (time !== undefined) time.avoidUntilMs = nowMs + AVOID_MS;
    else {
      const avoidUntilMs = nowMs + AVOID_MS;
      const seenAtMs = Number.NEGATIVE_INFINITY;
      this.#times.set(node, { meanMs: 0, deviationMs: 0, seenAtMs, avoidUntilMs });
    }
  }

  /** Somebody else is there now. */
  forget(node: NodeId): void {
    this.#times.delete(node);
  }

  /** By when nearly every answer of the node is there. */
  usualMs(node: NodeId, nowMs: number): number {
    const time = this.#known(node, nowMs);
    return time === undefined ? UNKNOWN_MS : time.meanMs + 4 * time.deviationMs;
  }

  /** Mean time of an answer; 0 where nothing is known, so that it comes to be. */
  meanMs(node: NodeId, nowMs: number): number {
    return this.#known(node, nowMs)?.meanMs ?? 0;
  }

  rankOf(node: NodeId, fastestMs: number, nowMs: number): PeerRank {
    if (nowMs < (this.#times.get(node)?.avoidUntilMs ?? 0)) return 2;
    return this.meanMs(node, nowMs) > 2 * fastestMs + FARTHER_MS ? 1 : 0;
  }

  #known(node: NodeId, nowMs: number): PeerTime | undefined {
    const time = this.#times.get(node);
    return time === undefined || nowMs - time.seenAtMs > FORGET_AFTER_MS ? undefined : time;
  }
}
