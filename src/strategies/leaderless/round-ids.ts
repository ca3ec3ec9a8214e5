import type { CoordinatorContext } from "../../core/contracts/machine.ts";

const MAX_ROUND_ID = 0xffff_fffe;

/** Names of a coordinator's rounds: what is asked of replicas carries one, and so do their answers. */
export class RoundIds {
  #last: number;

  constructor(context: Pick<CoordinatorContext, "randomUint32">) {
    // Anywhere, so that an answer to an earlier start meets nobody.
    this.#last = context.randomUint32() % MAX_ROUND_ID;
  }

  next(): number {
    this.#last = this.#last >= MAX_ROUND_ID ? 1 : this.#last + 1;
    return this.#last;
  }
}
