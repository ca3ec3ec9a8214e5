import type { ShardPlacement } from "../../core/contracts/machine.ts";
import type { NodeId } from "../../core/model/ids.ts";

/** Bits of a mask: bit i is `placement.replicas[i]`. A keyspace has at most 31 replicas. */
export type ReplicaMask = number;

export function countOf(mask: ReplicaMask): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/**
 * Lists of nodes by mask, each made once for a placement: a write would make several, and who counts
 * by list (facts) knows them again.
 */
export class NodeLists {
  readonly #lists = new WeakMap<readonly NodeId[], Map<ReplicaMask, readonly NodeId[]>>();

  of(answers: ReplicaAnswers, mask: ReplicaMask): readonly NodeId[] {
    const { replicas } = answers.placement;
    let byMask = this.#lists.get(replicas);
    if (byMask === undefined) {
      byMask = new Map();
      this.#lists.set(replicas, byMask);
    }
    let list = byMask.get(mask);
    if (list === undefined) {
      list = answers.nodesOf(mask);
      byMask.set(mask, list);
    }
    return list;
  }
}

/**
 * Who was asked and who has answered, for one round of one operation.
 *
 * Invariant: counted ⊆ answered ⊆ asked. A replica counts once, however often its answer comes,
 * and only as the identity that gave it.
 */
export class ReplicaAnswers {
  readonly placement: ShardPlacement;
  asked: ReplicaMask = 0;
  answered: ReplicaMask = 0;
  /** Answered by a replica that is not being rebuilt. */
  counted: ReplicaMask = 0;

  constructor(placement: ShardPlacement) {
    this.placement = placement;
  }

  get total(): number {
    return this.placement.replicas.length;
  }

  get complete(): boolean {
    return this.answered === this.asked;
  }

  get isEverybodyAsked(): boolean {
    return countOf(this.asked) === this.total;
  }

  bitOf(node: NodeId): ReplicaMask {
    const index = this.placement.replicas.indexOf(node);
    return index < 0 ? 0 : 1 << index;
  }

  /** Bit of a first answer from a replica that was asked; 0 for everything else. */
  take(node: NodeId, serving: boolean): ReplicaMask {
    const bit = this.bitOf(node) & this.asked & ~this.answered;
    this.answered |= bit;
    if (serving) this.counted |= bit;
    return bit;
  }

  /** The replica came back as somebody else: what its old self answered is void. */
  void(node: NodeId): ReplicaMask {
    const bit = this.bitOf(node) & this.answered;
    this.counted &= ~bit;
    return bit;
  }

  /** Those have not answered yet, after all. */
  withdraw(mask: ReplicaMask): void {
    this.answered &= ~mask;
    this.counted &= ~mask;
  }

  reachable(isReachable: (node: NodeId) => boolean): ReplicaMask {
    let mask = 0;
    const { replicas } = this.placement;
    for (let i = 0; i < replicas.length; i++) {
      if (isReachable(replicas[i] as NodeId)) mask |= 1 << i;
    }
    return mask;
  }

  nodesOf(mask: ReplicaMask): readonly NodeId[] {
    return this.placement.replicas.filter((_node, index) => (mask & (1 << index)) !== 0);
  }
}
