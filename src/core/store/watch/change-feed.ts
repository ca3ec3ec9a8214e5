import type { ChangesReached, MachineChange } from "../../contracts/machine-change.ts";
import type { ChangeType } from "../../model/operations.ts";

/** A place in one order of a shard's changes; `offset` counts the changes of one `sequence`. */
export interface FeedPosition {
  readonly order: string;
  readonly sequence: number;
  /** −1: before the first change of the sequence. */
  readonly offset: number;
}

/** A change as it is kept for those who read on. */
export interface KeptChange {
  readonly type: Exclude<ChangeType, "synced" | "gap">;
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
  readonly siblings: readonly Uint8Array[] | undefined;
  readonly version: string | undefined;
  readonly sequence: number;
  readonly offset: number;
}

/** What lies behind a position. */
export interface FeedPage {
  readonly events: readonly KeptChange[];
  /** How far the feed was looked through: read on from here. */
  readonly position: FeedPosition;
  /** Why changes between the position asked for and `events` are missing. */
  readonly gap: string | undefined;
  /** There is more behind `position` already. */
  readonly more: boolean;
  /** Nothing that this replica has lies behind `position`. */
  readonly caughtUp: boolean;
}

export interface FeedLimits {
  readonly maxChanges: number;
  /** Of all that are kept, unless it is only one. */
  readonly maxBytes: number;
}

/** Of a change, beside its bytes. */
const OVERHEAD_BYTES = 64;
/** Dropped entries are cut off the list when there are as many as others, and not before. */
const CUT_AT = 512;

/**
 * The latest changes of one replica, within bounds, for those who watch it and for those who come
 * back to it.
 *
 * Invariant: `base ≤` every kept change `≤ last`, in rising order; a reader that stands at or above
 * `base` misses nothing of what this replica knows.
 */
export class ChangeFeed {
  readonly #limits: FeedLimits;
  readonly #ownOrder: () => string;
  readonly #reached: () => ChangesReached | undefined;
  #order: string | undefined;
  #base: Place = NOWHERE;
  #last: Place = NOWHERE;
  #kept: (KeptChange | undefined)[] = [];
  #head = 0;
  #bytes = 0;
  /** Why what was before `base` cannot be told. */
  #gap: string | undefined;

  /**
   * @param ownOrder names the order of changes that have no position; another one is a gap.
   * @param reached how far a replica with positions of its own has come, changes or none.
   */
  constructor(
    limits: FeedLimits,
    ownOrder: () => string,
    reached: () => ChangesReached | undefined = () => undefined,
  ) {
    this.#limits = limits;
    this.#ownOrder = ownOrder;
    this.#reached = reached;
  }

  /** Where the newest change stands; undefined while no order has begun. */
  get tail(): FeedPosition | undefined {
    if (this.#order === undefined) return undefined;
    return { order: this.#order, sequence: this.#last.sequence, offset: this.#last.offset };
  }

  /** Somebody wants changes without a position, and nobody did: what was before is not known. */
  begin(): void {
    const order = this.#ownOrder();
    const sequence = this.#order === order ? this.#last.sequence + 1 : 0;
    this.#restart(order, { sequence, offset: 0 }, "nobody watched this replica for a while");
  }

  append(change: MachineChange): void {
    const { type, key, position } = change;
    const order = position?.order ?? this.#ownOrder();
    const kept =
      position === undefined
        ? new Kept(change, this.#last.sequence + 1, 0)
        : new Kept(change, position.sequence, position.offset ?? 0);
    if (type === "gap" || key === undefined) {
      this.#restart(order, placeOf(kept), change.reason ?? "changes are missing");
      return;
    }
    if (order !== this.#order) {
      const isFirst = this.#order === undefined;
      const before = { sequence: kept.sequence, offset: kept.offset - 1 };
      this.#restart(order, before, isFirst ? OPENED : "the replica has begun another order");
    }
    if (compare(kept, this.#last) > 0) this.#keep(kept);
  }

  /** Behind `from`, or from now on; undefined while no order has begun. */
  read(from: FeedPosition | undefined, prefix: Uint8Array | undefined, maxBytes: number) {
    const { tail } = this;
    if (tail === undefined) return undefined;
    if (from === undefined) return pageAt(tail, undefined, true);
    if (from.order !== this.#order) {
      return pageAt(
        tail,
        `changes are told by another replica from here on (${this.#order})`,
        true,
      );
    }
    if (compare(from, this.#base) < 0) {
      return pageAt(tail, this.#gap ?? "the changes behind it are not kept any more", true);
    }
    // Ahead of the last change here: either nothing has changed since, or this replica lags.
    if (compare(from, this.#last) > 0) return pageAt(from, undefined, this.#hasReached(from));
    return this.#behind(from, prefix, maxBytes);
  }

  #hasReached({ order, sequence }: FeedPosition): boolean {
    const reached = this.#reached();
    return reached?.order === order && sequence <= reached.sequence;
  }

  #behind(from: FeedPosition, prefix: Uint8Array | undefined, maxBytes: number): FeedPage {
    const events: KeptChange[] = [];
    let bytes = 0;
    let at = this.#firstBehind(from);
    let seen: Place = from;
    for (; at < this.#kept.length; at++) {
      const change = this.#kept[at] as KeptChange;
      if (prefix === undefined || startsWith(change.key, prefix)) {
        const size = sizeOf(change);
        if (events.length > 0 && bytes + size > maxBytes) break;
        bytes += size;
        events.push(change);
      }
      seen = change;
    }
    const more = at < this.#kept.length;
    const { sequence, offset } = more ? seen : this.#last;
    return {
      events,
      position: { order: from.order, sequence, offset },
      gap: undefined,
      more,
      caughtUp: !more,
    };
  }

  get #count(): number {
    return this.#kept.length - this.#head;
  }

  #firstBehind(place: Place): number {
    let low = this.#head;
    let high = this.#kept.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compare(this.#kept[middle] as KeptChange, place) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #keep(change: KeptChange): void {
    this.#kept.push(change);
    this.#bytes += sizeOf(change);
    this.#last = change;
    const { maxChanges, maxBytes } = this.#limits;
    // One change alone is always kept: else nobody would ever be told of a large value.
    while (this.#count > maxChanges || (this.#bytes > maxBytes && this.#count > 1)) {
      const dropped = this.#kept[this.#head] as KeptChange;
      this.#bytes -= sizeOf(dropped);
      this.#base = placeOf(dropped);
      this.#gap = undefined;
      // Its place in the list must not hold on to its bytes.
      this.#kept[this.#head] = undefined;
      this.#head++;
    }
    if (this.#head < CUT_AT || this.#head * 2 < this.#kept.length) return;
    this.#kept = this.#kept.slice(this.#head);
    this.#head = 0;
  }

  #restart(order: string, place: Place, gap: string): void {
    this.#order = order;
    this.#base = place;
    this.#last = place;
    this.#kept = [];
    this.#head = 0;
    this.#bytes = 0;
    this.#gap = gap;
  }
}

interface Place {
  readonly sequence: number;
  readonly offset: number;
}

/** A machine's change, at its place: nothing of it is read before somebody watches. */
class Kept implements KeptChange {
  readonly sequence: number;
  readonly offset: number;
  readonly #change: MachineChange;

  constructor(change: MachineChange, sequence: number, offset: number) {
    this.#change = change;
    this.sequence = sequence;
    this.offset = offset;
  }

  get type(): KeptChange["type"] {
    return this.#change.type as KeptChange["type"];
  }

  get key(): Uint8Array {
    return this.#change.key as Uint8Array;
  }

  get value(): Uint8Array | undefined {
    return this.#change.value;
  }

  get siblings(): readonly Uint8Array[] | undefined {
    return this.#change.siblings;
  }

  get version(): string | undefined {
    return this.#change.version;
  }
}

const NOWHERE: Place = Object.freeze({ sequence: 0, offset: 0 });
const OPENED = "the replica was opened here";

function pageAt(position: FeedPosition, gap: string | undefined, caughtUp: boolean): FeedPage {
  return { events: [], position, gap, more: false, caughtUp };
}

/** Holds on to nothing else. */
function placeOf({ sequence, offset }: Place): Place {
  return { sequence, offset };
}

function compare(a: Place, b: Place): number {
  return a.sequence === b.sequence ? a.offset - b.offset : a.sequence - b.sequence;
}

export function sizeOf({ key, value, siblings }: KeptChange): number {
  let bytes = OVERHEAD_BYTES + key.length + (value?.length ?? 0);
  for (const sibling of siblings ?? []) bytes += sibling.length;
  return bytes;
}

function startsWith(key: Uint8Array, prefix: Uint8Array): boolean {
  if (key.length < prefix.length) return false;
  for (let at = 0; at < prefix.length; at++) if (key[at] !== prefix[at]) return false;
  return true;
}
