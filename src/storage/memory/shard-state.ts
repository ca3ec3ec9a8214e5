import {
  type Generation,
  SPACES,
  type Space,
  type StateMutation,
} from "../../core/contracts/storage.ts";
import { OrderedBytes } from "../ordered-bytes.ts";

/** One generation of one shard. Spaces are made when they are first written. */
export type Spaces = { [S in Space]?: OrderedBytes };

/** A shard that was never written has this as its (empty) current generation. */
const FIRST_GENERATION: Generation = 1;

export class ShardState {
  current: Spaces = {};
  #generation = FIRST_GENERATION;
  /** Greatest number given out or current. */
  #newest = FIRST_GENERATION;
  /** Given out since the last switch. Made only when one is. */
  #beside: Map<Generation, Spaces> | undefined;

  get generation(): Generation {
    return this.#generation;
  }

  get isEmpty(): boolean {
    return SPACES.every((space) => (this.current[space]?.size ?? 0) === 0);
  }

  isKnown(generation: Generation): boolean {
    return generation === this.#generation || (this.#beside?.has(generation) ?? false);
  }

  newGeneration(): Generation {
    this.#newest += 1;
    this.#beside ??= new Map();
    this.#beside.set(this.#newest, {});
    return this.#newest;
  }

  /** The mutation was checked: its generation is known. */
  apply(mutation: StateMutation): void {
    if (mutation.type === "switch-generation") return this.#switch(mutation.generation);
    const spaces = this.#spaces(mutation.generation);
    if (mutation.type === "put") {
      let space = spaces[mutation.space];
      if (space === undefined) {
        space = new OrderedBytes();
        spaces[mutation.space] = space;
      }
      space.set(mutation.key, mutation.value, mutation.text);
      return;
    }
    const space = spaces[mutation.space];
    if (mutation.type === "delete") space?.delete(mutation.key, mutation.text);
    else space?.deleteRange(mutation.from, mutation.to);
  }

  #switch(generation: Generation): void {
    this.current = this.#spaces(generation);
    this.#generation = generation;
    this.#beside = undefined;
  }

  #spaces(generation: Generation | undefined): Spaces {
    if (generation === undefined || generation === this.#generation) return this.current;
    return this.#beside?.get(generation) as Spaces;
  }
}
