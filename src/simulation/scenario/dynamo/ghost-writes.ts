import { descends, type GhostVersion } from "../../../verification/ghosts.ts";

/** What every write of a run truly descends from, which only a simulation knows. */
export class GhostWrites {
  readonly #ghosts = new Map<string, GhostVersion>();
  /** Ids that some write which was sent has seen. */
  readonly #replaced = new Set<string>();

  /** A write that is about to be sent, by a client that has seen these versions. */
  add(id: string, seen: readonly string[]): void {
    const descendsFrom = new Set<string>();
    for (const each of seen) {
      descendsFrom.add(each);
      for (const earlier of this.#ghosts.get(each)?.descendsFrom ?? []) descendsFrom.add(earlier);
    }
    this.#ghosts.set(id, { id, descendsFrom });
    for (const each of descendsFrom) this.#replaced.add(each);
  }

  descends(newer: string, older: string): boolean {
    const [version, from] = [this.#ghosts.get(newer), this.#ghosts.get(older)];
    return version !== undefined && from !== undefined && descends(version, from);
  }

  isReplaced(id: string): boolean {
    return this.#replaced.has(id);
  }

  /** Versions that the write has seen, and those that they had. */
  seenBy(id: string): ReadonlySet<string> {
    return this.#ghosts.get(id)?.descendsFrom ?? new Set();
  }
}
