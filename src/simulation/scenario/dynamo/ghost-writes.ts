import { descends, type GhostVersion } from "../../../verification/ghosts.ts";
import type { CausalContext } from "./copies.ts";

/** The event of a write, as the store has named it. */
export type NamedEvent = CausalContext["entries"][number];

interface GhostWrite extends GhostVersion {
  readonly isDeletion: boolean;
}

/** A deletion's event: its writer had not seen it, and the answer knew it. */
interface DeletedWithin {
  readonly seen: CausalContext;
  readonly answered: CausalContext;
}

/** What every write of a run truly descends from, which only a simulation knows. */
export class GhostWrites {
  readonly #ghosts = new Map<string, GhostWrite>();
  /** By the id of a write: those that descend from it. */
  readonly #successors = new Map<string, string[]>();
  /** Of puts: the names that records have for them. */
  readonly #events = new Map<string, NamedEvent[]>();
  readonly #deletions = new Map<string, DeletedWithin>();
  readonly #refused = new Set<string>();
  /** Replaced by writes whose contexts leave something out. */
  readonly #mayStay = new Set<string>();

  /**
   * A write that is about to be sent, by a client that has seen these versions.
   *
   * @param mayLeave its context leaves something out, so that more may stay than it has seen.
   */
  add(id: string, seen: readonly string[], isDeletion = false, mayLeave = false): void {
    const descendsFrom = new Set<string>();
    for (const each of seen) {
      descendsFrom.add(each);
      for (const earlier of this.#ghosts.get(each)?.descendsFrom ?? []) descendsFrom.add(earlier);
    }
    this.#ghosts.set(id, { id, descendsFrom, isDeletion });
    if (mayLeave) for (const each of descendsFrom) this.#mayStay.add(each);
    for (const each of descendsFrom) {
      const successors = this.#successors.get(each);
      if (successors === undefined) this.#successors.set(each, [id]);
      else successors.push(id);
    }
  }

  /** A record calls the value's write so. */
  named(id: string, { actor, counter, time }: NamedEvent): void {
    const events = this.#events.get(id) ?? [];
    const isKnown = (each: NamedEvent) =>
      each.counter === counter && each.actor.high === actor.high && each.actor.low === actor.low;
    if (!events.some(isKnown)) this.#events.set(id, [...events, { actor, counter, time }]);
  }

  /**
   * The deletion was answered. How it is called nobody says: the answer is what its maker knew by
   * then, and that may be more.
   */
  deleted(id: string, within: DeletedWithin): void {
    this.#deletions.set(id, within);
  }

  /** Its client was told that it was not applied: nothing is gone because of it. */
  refused(id: string): void {
    this.#refused.add(id);
  }

  descends(newer: string, older: string): boolean {
    const [version, from] = [this.#ghosts.get(newer), this.#ghosts.get(older)];
    return version !== undefined && from !== undefined && descends(version, from);
  }

  /** Whether the older may not stand where the newer is known. */
  replaces(newer: string, older: string): boolean {
    return this.descends(newer, older) && !this.#mayStay.has(older);
  }

  /**
   * Whether the write may be gone where these others are there and so much is known: one of those
   * descends from it, or a write that does may be known. A value that was kept nowhere has replaced
   * nothing; a deletion that was never answered may have done so everywhere.
   */
  mayBeGone(id: string, alive: readonly string[], known: CausalContext): boolean {
    if (alive.some((newer) => this.descends(newer, id))) return true;
    return (this.#successors.get(id) ?? []).some((successor) => {
      if (this.#refused.has(successor)) return false;
      if (this.#ghosts.get(successor)?.isDeletion !== true) {
        const events = this.#events.get(successor) ?? [];
        return events.some((event) => known.covers(event, event.time));
      }
      const within = this.#deletions.get(successor);
      return within === undefined || mayKnow(known, within);
    });
  }
}

/** Of some actor that the answer knew more of than the writer had seen, more is known here too. */
function mayKnow(known: CausalContext, { seen, answered }: DeletedWithin): boolean {
  const news = answered.entries.filter(({ actor, time }) => time > seen.timeOf(actor));
  // None where all of it lies below the floor of who made it.
  return news.length === 0 || news.some(({ actor }) => known.timeOf(actor) > seen.timeOf(actor));
}
