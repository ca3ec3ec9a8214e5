import type { HybridTime, Stamp } from "../../core/model/stamp.ts";

const MAX_REMEMBERED = 65_536;
/** Starts of coordinators, each with how far its operations have been forgotten. */
const MAX_HORIZONS = 4_096;

/**
 * Which operations this replica has minted, since it was made: a second copy of a message, and a
 * client's retry, must not be a second event.
 *
 * Bounded: the oldest are forgotten first. A coordinator names its operations with rising stamps,
 * so that what is forgotten is told from what never came by the newest forgotten stamp of each.
 */
export class RememberedWrites {
  /** Key of the write, by the operation's name. */
  readonly #writes = new Map<string, Uint8Array>();
  readonly #horizons = new Map<string, HybridTime>();
  readonly #limit: number;

  constructor(limit = MAX_REMEMBERED) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#writes.size;
  }

  keyOf(operation: Stamp): Uint8Array | undefined {
    return this.#writes.get(nameOf(operation));
  }

  /** It may have been minted here, and been forgotten since. */
  isBeyondMemory({ time, actorHigh, actorLow }: Stamp): boolean {
    const horizon = this.#horizons.get(`${actorHigh}.${actorLow}`);
    return horizon !== undefined && time <= horizon;
  }

  remember(operation: Stamp, key: Uint8Array): void {
    this.#writes.set(nameOf(operation), key);
    if (this.#writes.size <= this.#limit) return;
    const oldest = this.#writes.keys().next().value;
    if (oldest === undefined) return;
    this.#writes.delete(oldest);
    this.#forgot(oldest);
  }

  #forgot(name: string): void {
    const at = name.indexOf("@");
    const [actor, time] = [name.slice(at + 1), Number(name.slice(0, at))];
    const horizon = Math.max(time, this.#horizons.get(actor) ?? 0);
    // The one that was moved longest ago comes first.
    this.#horizons.delete(actor);
    this.#horizons.set(actor, horizon);
    if (this.#horizons.size <= MAX_HORIZONS) return;
    const stalest = this.#horizons.keys().next().value;
    if (stalest !== undefined) this.#horizons.delete(stalest);
  }
}

function nameOf({ time, actorHigh, actorLow }: Stamp): string {
  return `${time}@${actorHigh}.${actorLow}`;
}
