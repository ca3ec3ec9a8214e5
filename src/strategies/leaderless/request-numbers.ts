import type { ReplicaContext } from "../../core/contracts/machine.ts";

/** A million: what is answered so much later is answered to nobody. */
const PER_MACHINE = 2 ** 20;
/** Of one place and process; far more than a node makes before it stops. */
const MACHINES = 2 ** 11;

/** Above all numbers of `RequestNumbers`, of which there are as many again in 32 bits. */
export const UPPER_HALF = PER_MACHINE * MACHINES;

/**
 * The numbers of a replica's own questions. One that is made in the place of another, which threw or
 * whose data was found damaged, has others than that: a late answer to the earlier one's question
 * would be taken for that to its own, which is about other keys, or other versions of them.
 */
export class RequestNumbers {
  readonly #base: number;
  #last = 0;

  constructor({ opening = 0 }: Pick<ReplicaContext, "opening">) {
    this.#base = (opening % MACHINES) * PER_MACHINE;
  }

  next(): number {
    this.#last = (this.#last % (PER_MACHINE - 1)) + 1;
    return this.#base + this.#last;
  }
}
