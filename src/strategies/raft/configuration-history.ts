import type { Configuration } from "./configuration.ts";

interface Placed {
  readonly index: number;
  readonly configuration: Configuration;
}

/** Before anything is known: nobody votes, nobody is asked. */
export const NO_CONFIGURATION: Configuration = Object.freeze({
  voters: [],
  outgoing: [],
  learners: [],
  goal: undefined,
});

/**
 * The configurations of the log, oldest first. The newest is in force, committed or not (extended
 * paper §6: a server uses the latest configuration in its log); with its entry it goes.
 */
export class ConfigurationHistory {
  #placed: Placed[] = [{ index: 0, configuration: NO_CONFIGURATION }];

  reset(index: number, configuration: Configuration): void {
    this.#placed = [{ index, configuration }];
  }

  get current(): Configuration {
    return (this.#placed.at(-1) as Placed).configuration;
  }

  /** Where the newest one stands in the log. */
  get index(): number {
    return (this.#placed.at(-1) as Placed).index;
  }

  append(index: number, configuration: Configuration): void {
    this.#placed.push({ index, configuration });
  }

  /** The log ends at `index` now. True if another configuration is in force thereby. */
  truncate(index: number): boolean {
    const before = this.#placed.length;
    while (this.#placed.length > 1 && this.index > index) this.#placed.pop();
    return this.#placed.length !== before;
  }

  /** The one that was in force at `index`. */
  at(index: number): Placed {
    for (let i = this.#placed.length - 1; i > 0; i--) {
      const placed = this.#placed[i] as Placed;
      if (placed.index <= index) return placed;
    }
    return this.#placed[0] as Placed;
  }

  /** Those in force at `index` and after it. */
  since(index: number): readonly Configuration[] {
    const first = this.at(index);
    return this.#placed
      .filter((placed) => placed.index >= first.index)
      .map((placed) => placed.configuration);
  }

  /** Those before the one in force at `index` are not asked for again. */
  forgetBefore(index: number): void {
    while (this.#placed.length > 1 && (this.#placed[1] as Placed).index <= index) {
      this.#placed.shift();
    }
  }
}
