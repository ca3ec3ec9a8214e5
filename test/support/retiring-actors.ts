import type { RetiredActors } from "../../src/core/contracts/resolver.ts";

/** What a strategy keeps of actors that are gone, once it has the proof that `retireActors` asks. */
export class RetiringActors {
  readonly #greatest = new Map<string, number>();
  readonly #offsets = new Map<string, number>();
  #upTo = 0;

  /** The actor has minted its last dot, and `greatest` is not below it. */
  note(actor: string, greatest: number): void {
    this.#greatest.set(actor, greatest);
  }

  retire(): RetiredActors {
    for (const [actor, greatest] of this.#greatest) {
      this.#offsets.set(actor, this.#upTo);
      this.#upTo += greatest;
    }
    this.#greatest.clear();
    return { offsets: new Map(this.#offsets), upTo: this.#upTo };
  }
}
