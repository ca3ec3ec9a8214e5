import type { MachineContext } from "../../core/contracts/machine.ts";
import type { Actor, HybridTime } from "../../core/model/stamp.ts";
import type { CausalContext, EventDot } from "./causal-context.ts";
import type { PlantedDynamoBugs } from "./planted-bugs.ts";

/**
 * The dots of new events: under which actor, and which number, the next one is minted.
 *
 * Invariants:
 * - a dot is minted once: the counter rises with every event of this shard here, whoever's dot it
 *   was, and the actor is drawn when the machine is made, and again whenever a copy of a key leaves
 *   it, since what was minted upon that copy is no longer held;
 * - no dot is minted that the copy's context covers: other copies would take it for replaced.
 */
export class DotSupply {
  readonly #context: Pick<MachineContext, "randomUint32" | "self">;
  readonly #shardIndex: number;
  readonly #planted: PlantedDynamoBugs;
  #actor: Actor;
  /** For keys whose context has this node's next events already: somebody has made one up. */
  #spareActor: Actor | undefined;
  #counter = 0;

  constructor(
    context: Pick<MachineContext, "randomUint32" | "self">,
    shardIndex: number,
    planted: PlantedDynamoBugs,
  ) {
    this.#context = context;
    this.#shardIndex = shardIndex;
    this.#planted = planted;
    this.#actor = this.#draw();
  }

  /** Events minted so far. */
  get minted(): number {
    return this.#counter;
  }

  /** The one that names events of nearly all keys. */
  get actor(): Actor {
    return this.#actor;
  }

  /** The next event's, under whichever actor. */
  get nextCounter(): number {
    return this.#counter + 1;
  }

  /**
   * The next event's, of a key with these contexts. One that a client made up may cover events of this
   * actor that are still to come. Such keys get events of another actor; all others keep theirs, so
   * that their contexts do not grow.
   */
  next(held: CausalContext, seen: CausalContext | undefined, time: HybridTime): EventDot {
    const counter = this.nextCounter;
    const isTaken = (dot: EventDot): boolean =>
      held.covers(dot, time) || seen?.covers(dot, time) === true;
    const dot = { actor: this.#actor, counter };
    if (!isTaken(dot)) return dot;
    this.#spareActor ??= this.#draw();
    if (isTaken({ actor: this.#spareActor, counter })) this.#spareActor = this.#draw();
    return { actor: this.#spareActor, counter };
  }

  /** The next dot names an event that is kept: nothing else may have it. */
  take(): void {
    this.#counter++;
  }

  /** A copy of a key has left this node, and with it what was minted upon it. */
  renew(): void {
    this.#actor = this.#draw();
    this.#spareActor = undefined;
  }

  /** A planted bug: dots that were given come again. */
  countAgain(): void {
    this.#counter = 0;
  }

  #draw(): Actor {
    return this.#planted.actorReused === true
      ? { high: this.#shardIndex, low: Buffer.from(this.#context.self.node).readUInt8(0) }
      : { high: this.#context.randomUint32(), low: this.#context.randomUint32() };
  }
}
