import { contextOfRecord } from "../../../built-ins.ts";
import { actorId } from "../../../core/model/actor-name.ts";
import { isPromised } from "../../../verification/lost-writes.ts";
import type { LossOfNode } from "../topology.ts";
import type { CausalContext } from "./copies.ts";
import { nameOfDot, type Performed, type WatchedCrdt } from "./watched-crdt.ts";

/** Hexadecimal digits of half an actor. */
const DIGITS = 8;

/** A copy has come to know something. */
export interface Held {
  readonly node: string;
  /** The one that the node had then. */
  readonly storeId: string;
  readonly at: number;
}

/** Operations that a copy knows, by what its context says. */
export interface Known {
  readonly sure: readonly Performed[];
  /**
   * Settled, which a floor says of whatever is older than itself: also of what was lost with all who
   * held it before anybody else heard of it.
   */
  readonly unsure: readonly Performed[];
}

/** Which operations copies know, and who has held them. */
export class CrdtEvents {
  readonly #watched: WatchedCrdt;
  readonly #storeIdOf: (node: string) => string;
  /**
   * By key, then by `nameOfDot`. Counters count in a shard: that a record of `key` names `c` of an actor
   * says `∀ e ∈ events(key): actor(e) = a ∧ counter(e) ≤ c ⇒ e is held`, and of the counters between
   * that are events of other keys it says nothing. Whoever counted those as held would miss what was
   * lost with a node that had it alone.
   */
  readonly #holders = new Map<string, Map<string, Held[]>>();

  /** @param storeIdOf the store that the node has now. */
  constructor(watched: WatchedCrdt, storeIdOf: (node: string) => string) {
    this.#watched = watched;
    this.#storeIdOf = storeIdOf;
  }

  /** Before a copy of the key becomes this record. */
  note(key: string, held: Uint8Array | undefined, record: Uint8Array, by: Held): void {
    const before = held && contextOfRecord(held);
    const ofKey = this.#holders.get(key) ?? new Map<string, Held[]>();
    this.#holders.set(key, ofKey);
    for (const { actor, counter } of contextOfRecord(record).entries) {
      // Of several steps that change a key only the last may be seen.
      for (let each = (before?.counterOf(actor) ?? 0) + 1; each <= counter; each += 1) {
        const name = nameOfDot(textOf(actor), each);
        const holders = ofKey.get(name) ?? [];
        ofKey.set(name, holders);
        holders.push(by);
      }
    }
  }

  knownBy(key: string, context: CausalContext, losses: readonly LossOfNode[]): Known {
    const named = new Map(context.entries.map(({ actor, counter }) => [textOf(actor), counter]));
    const sure: Performed[] = [];
    const unsure: Performed[] = [];
    for (const each of this.#watched.performedOn(key)) {
      const { dot, name } = each;
      if ((named.get(actorId(dot.actor)) ?? 0) >= dot.counter) sure.push(each);
      else if (dot.time > context.base) continue;
      else if (this.#isStillHeld(key, name, losses)) sure.push(each);
      else unsure.push(each);
    }
    return { sure, unsure };
  }

  #isStillHeld(key: string, name: string, losses: readonly LossOfNode[]): boolean {
    const holders = this.#holders.get(key)?.get(name) ?? [];
    return holders.some(
      (held) =>
        !this.#wasSetAside(held, losses) &&
        isPromised({ key, version: name, acknowledgedAt: held.at, holders: [held.node] }, losses),
    );
  }

  /**
   * The node has another store now, and one was lost that explains it. A loss is dated when a store
   * is found to be an older copy, and the next start sets it aside. What had been handed to the
   * state by then is still committed, later than the loss, and goes with that store all the same.
   * A store that is another for no loss at all excuses nothing.
   */
  #wasSetAside({ node, storeId }: Held, losses: readonly LossOfNode[]): boolean {
    return storeId !== this.#storeIdOf(node) && losses.some((loss) => loss.node === node);
  }
}

/** As resolvers know the actor. */
function textOf({ high, low }: CausalContext["entries"][number]["actor"]): string {
  return hex(high) + hex(low);
}

function hex(half: number): string {
  return half.toString(16).padStart(DIGITS, "0");
}
