import type { Effects, MachineEvent } from "../../core/contracts/machine.ts";

/** A follower's answer leaves at the end of the first turn; it applies at the end of the second. */
const TURNS = 2;

/**
 * A leader waits for a follower's answer, and nobody for its state: what a message commits is
 * applied once the answer to that message has left, while the leader is at work on it.
 */
export class AnswerFirst {
  /** Ends of turns that are waited for; 0: none. */
  #turns = 0;

  /**
   * Whether what is committed waits. What else happens meanwhile waits with it: an end of a turn
   * is at hand.
   *
   * @param isBehind whether this is a follower with entries that are committed and not applied.
   */
  holds(type: MachineEvent<unknown>["type"], isBehind: boolean, effects: Effects<never>): boolean {
    if (type === "turn-end") {
      if (this.#turns > 0) this.#turns--;
      if (this.#turns > 0) effects.atTurnEnd();
    } else if (type === "message" && isBehind && this.#turns === 0) {
      this.#turns = TURNS;
    }
    return this.#turns > 0;
  }
}
