import type { CoordinatorContext, Sender } from "../../core/contracts/machine.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { StandingMessage } from "./messages.ts";
import type { ReplicaAnswers, ReplicaMask } from "./replica-answers.ts";

/** A replica that is being rebuilt says so again this often, to everybody. */
export const SAID_AGAIN_MS = 2_000;
/** For so long it is believed: two of its words may be lost. */
const BELIEVED_MS = 3 * SAID_AGAIN_MS;

/** A coordinator's context that knows which peers' replicas are being rebuilt. */
export interface AbleContext extends CoordinatorContext {
  readonly rebuilding?: RebuildingPeers;
}

/**
 * Replicas of peers that have said that they are being rebuilt. What such a replica answers would not
 * count, so that nothing is begun that could only be met with it. It is never more than a forecast:
 * what counts is what an answer says of itself.
 *
 * What was said goes with the identity that said it, with a word or an answer that says otherwise, and
 * with time, so that a word that was lost shuts nobody out.
 */
export class RebuildingPeers {
  readonly #byShard = new Map<number, Map<NodeId, number>>();
  #dueAtMs = Number.POSITIVE_INFINITY;

  /** See `Swept`. */
  get sweepAtMs(): number {
    return this.#dueAtMs;
  }

  onStanding(from: Sender, shardIndex: number, { serving }: StandingMessage, nowMs: number): void {
    if (serving) {
      this.onServing(from.node, shardIndex);
      return;
    }
    const untilMs = nowMs + BELIEVED_MS;
    const peers = this.#byShard.get(shardIndex);
    if (peers === undefined) this.#byShard.set(shardIndex, new Map([[from.node, untilMs]]));
    else peers.set(from.node, untilMs);
    this.#dueAtMs = Math.min(this.#dueAtMs, untilMs);
  }

  /** The replica has given an answer that counts. */
  onServing(node: NodeId, shardIndex: number): void {
    if (this.#byShard.size === 0) return;
    const peers = this.#byShard.get(shardIndex);
    if (peers?.delete(node) === true && peers.size === 0) this.#byShard.delete(shardIndex);
  }

  /** Somebody else is there now, and says of itself what there is to say. */
  onIdentity(node: NodeId): void {
    for (const shardIndex of [...this.#byShard.keys()]) this.onServing(node, shardIndex);
  }

  sweep(nowMs: number): void {
    if (nowMs < this.#dueAtMs) return;
    this.#dueAtMs = Number.POSITIVE_INFINITY;
    for (const [shardIndex, peers] of [...this.#byShard]) {
      for (const [node, untilMs] of [...peers]) {
        if (nowMs >= untilMs) this.onServing(node, shardIndex);
        else this.#dueAtMs = Math.min(this.#dueAtMs, untilMs);
      }
    }
  }

  maskOf(answers: ReplicaAnswers, shardIndex: number): ReplicaMask {
    let mask = 0;
    for (const node of this.#byShard.get(shardIndex)?.keys() ?? []) mask |= answers.bitOf(node);
    return mask;
  }
}
