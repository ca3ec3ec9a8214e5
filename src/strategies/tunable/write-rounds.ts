import type { Effects } from "../../core/contracts/machine.ts";
import { IdTable } from "../../core/model/id-table.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { CopyMessage, LeaderlessMessage } from "../leaderless/messages.ts";
import { atEpoch } from "../leaderless/place/place-messages.ts";
import { makeKeyedRecord } from "../leaderless/record.ts";
import type { ReplicaMask } from "../leaderless/replica-answers.ts";
import type { PendingWrite } from "./pending-write.ts";

type Fx = Effects<LeaderlessMessage>;

/**
 * What writes ask of replicas, round by round. Each round has an id of its own and counts answers
 * from nothing: a late one to an earlier round meets nobody.
 */
export class WriteRounds {
  readonly #nextRoundId: () => number;
  readonly #pending = new IdTable<PendingWrite>();

  constructor(nextRoundId: () => number) {
    this.#nextRoundId = nextRoundId;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** The write whose round this is. */
  of(roundId: number): PendingWrite | undefined {
    return this.#pending.get(roundId);
  }

  pending(): Iterable<PendingWrite> {
    return this.#pending.values();
  }

  end({ roundId }: PendingWrite): void {
    this.#pending.delete(roundId);
  }

  /** Asks for the newest stamps that replicas have. */
  learn(pending: PendingWrite, reachable: ReplicaMask, nowMs: number, effects: Fx): void {
    pending.phase = "learn";
    this.#begin(pending, reachable, nowMs);
    const { key, shardIndex } = pending.request.operation;
    for (const node of pending.answers.nodesOf(reachable)) {
      const message: CopyMessage = {
        type: "read",
        requestId: pending.roundId,
        stampOnly: true,
        key,
      };
      effects.send(node, "replica", shardIndex, atEpoch(pending.answers.placement, message));
    }
  }

  /** Sends the stamped write: the same version, whenever it is sent. */
  send(pending: PendingWrite, reachable: ReplicaMask, nowMs: number, effects: Fx): void {
    const { operation } = pending.request;
    const keyed = makeKeyedRecord(
      operation.key,
      pending.stamp,
      operation.type === "delete" ? undefined : operation.value,
      pending.expiresAtMs,
    );
    this.#begin(pending, reachable, nowMs);
    pending.sentTo |= reachable;
    const { placement } = pending.answers;
    const message = atEpoch<CopyMessage>(placement, {
      type: "write",
      requestId: pending.roundId,
      kind: "first-hand",
      proof: pending.proof,
      keyed,
    });
    const { replicas } = placement;
    for (let i = 0; i < replicas.length; i++) {
      if ((reachable & (1 << i)) === 0) continue;
      // Before this node's own copy is durable: the message vouches for nothing, each replica
      // answers for itself, and none of the answers is given before that copy is durable there.
      effects.sendBeforeDurable(replicas[i] as NodeId, "replica", operation.shardIndex, message);
    }
  }

  /** The same in a new round: the write learns or is sent again, as it did before. */
  repeat(pending: PendingWrite, reachable: ReplicaMask, nowMs: number, effects: Fx): void {
    if (pending.phase === "learn") this.learn(pending, reachable, nowMs, effects);
    else this.send(pending, reachable, nowMs, effects);
  }

  #begin(pending: PendingWrite, reachable: ReplicaMask, nowMs: number): void {
    this.#pending.delete(pending.roundId);
    pending.beginRound(this.#nextRoundId(), reachable, nowMs);
    this.#pending.set(pending.roundId, pending);
  }
}
