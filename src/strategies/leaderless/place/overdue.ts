import type { Effects, ReplicaContext } from "../../../core/contracts/machine.ts";
import type { NodeId } from "../../../core/model/ids.ts";
import type { LeaderlessMessage } from "../messages.ts";
import type { ReplicaPlace } from "./replica-place.ts";
import { membersOf, stageOf } from "./shard-map.ts";

const TIMER = "place-overdue";
/** Whoever asked for the change has lost it, or is slow, when so long no other map has come. */
const OVERDUE_MS = 5_000;

type Fx = Effects<LeaderlessMessage>;

/**
 * Sees that a change is finished whose caller does so no more: each copy that knows of one, and hears
 * of no other map for a while, tells the first node of the map that it can reach. That one takes the
 * change on, whoever else does: all that is decided is decided by the old replicas' votes.
 *
 * Nothing of it is kept: a copy that comes back has the map, and its vote, and waits anew.
 */
export class Overdue {
  readonly #context: ReplicaContext;
  readonly #place: ReplicaPlace;
  /** The epoch that is waited for to be followed by another; 0: nothing is. */
  #armedFor = 0;

  constructor(context: ReplicaContext, place: ReplicaPlace) {
    this.#context = context;
    this.#place = place;
  }

  /** After all that may have changed the map, or the vote. */
  review(effects: Fx): void {
    const isOpen = this.#goal !== undefined;
    const wanted = isOpen ? this.#place.map.epoch : 0;
    if (wanted === this.#armedFor) return;
    if (this.#armedFor !== 0) effects.cancelTimer(TIMER);
    this.#armedFor = wanted;
    if (isOpen) effects.setTimer(TIMER, OVERDUE_MS);
  }

  /** False: the timer is another's. */
  onTimer(timer: string, effects: Fx): boolean {
    if (timer !== TIMER) return false;
    this.#armedFor = 0;
    const goal = this.#goal;
    if (goal !== undefined) {
      const { map } = this.#place;
      const { shardIndex } = this.#context;
      const message = { type: "place-overdue", map, goal } as const;
      effects.send(this.#firstReachable, "coordinator", shardIndex, message, "control");
    }
    this.review(effects);
    return true;
  }

  /** Where the change goes that is under way, as far as this copy knows; undefined: there is none. */
  get #goal(): readonly NodeId[] | undefined {
    const { map, vote, isMember } = this.#place;
    if (!isMember) return undefined;
    const next = vote?.epoch === map.epoch ? vote.accepted?.map : undefined;
    if (next !== undefined) return next.pending ?? next.replicas;
    return stageOf(map) === "settled" ? undefined : (map.pending ?? map.replicas);
  }

  get #firstReachable(): NodeId {
    const { self, isReachable } = this.#context;
    const isThere = (node: NodeId) => node === self.node || isReachable(node);
    return membersOf(this.#place.map).find(isThere) ?? self.node;
  }
}
