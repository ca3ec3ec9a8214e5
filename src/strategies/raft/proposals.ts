import type { Sender } from "../../core/contracts/machine.ts";
import type { NodeId } from "../../core/model/ids.ts";

/** Who waits for what becomes of an entry. */
export interface Waiter {
  readonly index: number;
  readonly term: number;
  /** The coordinator's. */
  readonly from: Sender;
  readonly requestId: number;
}

type ById = Map<number, Waiter>;

/**
 * The entries that this replica appended as leader and whose askers have not heard yet. Appended in
 * order, applied in order: a queue.
 *
 * What became of an entry is known when its index is applied: with another term it was another
 * entry (Log Matching, extended paper §5.3), and this one never takes effect.
 *
 * Who asks again is looked for by the number of the request. The index for that is made when somebody does,
 * and kept until all are answered who waited then: where nothing is late there is none.
 */
export class Proposals {
  readonly #waiters: Waiter[] = [];
  #head = 0;
  #byNode: Map<NodeId, ById> | undefined;
  /** The newest entry that somebody waited for when it was last looked for one. */
  #lookedUpTo = 0;

  get size(): number {
    return this.#waiters.length - this.#head;
  }

  /** Whether there is an index, which costs something for each entry. */
  get isIndexed(): boolean {
    return this.#byNode !== undefined;
  }

  add(waiter: Waiter): void {
    // A new leader's log may be shorter than what this node had appended as leader before.
    this.#waiters.push(waiter);
    if (this.#byNode !== undefined) note(this.#byNode, waiter);
  }

  /** Whether the entry of this request was appended in `term`, and is not answered. */
  has({ node, incarnation, storeId }: Sender, requestId: number, term: number): boolean {
    if (this.size === 0) return false;
    this.#byNode ??= this.#indexed();
    this.#lookedUpTo = (this.#waiters.at(-1) as Waiter).index;
    const found = this.#byNode.get(node)?.get(requestId);
    if (found === undefined || found.term !== term) return false;
    // An earlier process of the node may have given the same number to something else.
    return found.from.incarnation === incarnation && found.from.storeId === storeId;
  }

  /** The waiter of the entry at `index`, and no longer; those before it are nobody's. */
  take(index: number): Waiter | undefined {
    while (this.#head < this.#waiters.length) {
      const next = this.#waiters[this.#head] as Waiter;
      if (next.index > index) return undefined;
      this.#advance(next);
      if (next.index === index) return next;
    }
    return undefined;
  }

  /** Everybody who still waits, and no longer: leadership is lost, and with it all certainty. */
  takeAll(): readonly Waiter[] {
    const all = this.#waiters.slice(this.#head);
    this.#waiters.length = 0;
    this.#head = 0;
    this.#byNode = undefined;
    return all;
  }

  #indexed(): Map<NodeId, ById> {
    const byNode = new Map<NodeId, ById>();
    for (let at = this.#head; at < this.#waiters.length; at++) {
      note(byNode, this.#waiters[at] as Waiter);
    }
    return byNode;
  }

  #advance(taken: Waiter): void {
    this.#head++;
    if (this.#byNode !== undefined) this.#forget(this.#byNode, taken);
    if (this.#head < 1_024 || this.#head * 2 < this.#waiters.length) return;
    this.#waiters.splice(0, this.#head);
    this.#head = 0;
  }

  #forget(byNode: Map<NodeId, ById>, { from, requestId, index }: Waiter): void {
    if (index >= this.#lookedUpTo) this.#byNode = undefined;
    else byNode.get(from.node)?.delete(requestId);
  }
}

/** Of two with one number, of two processes of a node, the later one. */
function note(byNode: Map<NodeId, ById>, waiter: Waiter): void {
  const { node } = waiter.from;
  const ofNode = byNode.get(node);
  if (ofNode === undefined) byNode.set(node, new Map([[waiter.requestId, waiter]]));
  else ofNode.set(waiter.requestId, waiter);
}
