import type { ByteReader, ByteWriter } from "../../core/model/bytes.ts";
import { MalformedBytesError } from "../../core/model/malformed-bytes-error.ts";
import type { Actor } from "../../core/model/stamp.ts";
import type { Relation } from "../leaderless/record-rules.ts";

/** One event of one actor: the name of one client operation. `counter` counts in a shard, from 1. */
export interface EventDot {
  readonly actor: Actor;
  readonly counter: number;
}

const MAX_ENTRIES = 65_535;
const TWO_POW_32 = 4_294_967_296;
/** Eight bytes of actor and six of counter. */
const ENTRY_BYTES = 14;
const MAX_COUNTER = 2 ** 48 - 1;

/**
 * Which events of a key are known: of each actor the greatest counter, sorted by actor. Immutable.
 *
 * A counter stands for *all* events that the actor has minted for the key up to it, and is exact
 * because
 * - an actor mints only upon a copy that holds all its earlier events of the key (whoever loses a
 *   copy takes another actor),
 * - copies travel whole, or as what was added to a copy that the receiver includes,
 * - clients hand back only what they were given.
 *
 * So the set of known events is closed per actor, and the union of two such sets is the greater
 * counter of each (Almeida, Baquero, Gonçalves, Preguiça, Fonte, "Scalable and Accurate Causality
 * Tracking for Eventually Consistent Stores", 2014, §5: dotted version vector sets).
 */
export class CausalContext {
  static readonly EMPTY: Readonly<CausalContext> = Object.freeze(new CausalContext([]));
  readonly entries: readonly EventDot[];

  private constructor(entries: readonly EventDot[]) {
    this.entries = entries;
  }

  static of(dots: Iterable<EventDot>): CausalContext {
    let context = CausalContext.EMPTY;
    for (const dot of dots) context = context.with(dot);
    return context;
  }

  get byteLength(): number {
    return 2 + this.entries.length * ENTRY_BYTES;
  }

  counterOf(actor: Actor): number {
    for (const entry of this.entries) {
      const order = compareActors(entry.actor, actor);
      if (order === 0) return entry.counter;
      if (order > 0) return 0;
    }
    return 0;
  }

  covers(dot: EventDot): boolean {
    return dot.counter <= this.counterOf(dot.actor);
  }

  with(dot: EventDot): CausalContext {
    return this.merge(new CausalContext([dot]));
  }

  /** The events of both; one of the two itself where it includes the other. */
  merge(other: CausalContext): CausalContext {
    const relation = this.relationTo(other);
    if (relation === "included" || relation === "equal") return this;
    return relation === "succeeded"
      ? other
      : new CausalContext(unionOf(this.entries, other.entries));
  }

  /** How this context, as the held one, stands to an incoming one. */
  relationTo(other: CausalContext): Relation {
    const [mine, theirs] = [this.entries, other.entries];
    let [hasMore, lacks] = [false, false];
    for (let i = 0, j = 0; i < mine.length || j < theirs.length; ) {
      const [own, foreign] = [mine[i], theirs[j]];
      const order = own === undefined ? 1 : foreign === undefined ? -1 : orderOf(own, foreign);
      if (order < 0) {
        hasMore = true;
        i++;
      } else if (order > 0) {
        lacks = true;
        j++;
      } else {
        const difference = (own as EventDot).counter - (foreign as EventDot).counter;
        if (difference > 0) hasMore = true;
        if (difference < 0) lacks = true;
        i++;
        j++;
      }
    }
    if (hasMore) return lacks ? "apart" : "included";
    return lacks ? "succeeded" : "equal";
  }

  includes(other: CausalContext): boolean {
    const relation = this.relationTo(other);
    return relation === "included" || relation === "equal";
  }

  write(writer: ByteWriter): void {
    writer.u16(this.entries.length);
    for (const entry of this.entries) writeDot(writer, entry);
  }

  /** @throws MalformedBytesError for anything but the canonical form. */
  static read(reader: ByteReader): CausalContext {
    const count = reader.u16();
    if (count * ENTRY_BYTES > reader.remaining) {
      throw new MalformedBytesError(`a context of ${count} actors in ${reader.remaining} bytes`);
    }
    const entries: EventDot[] = [];
    for (let i = 0; i < count; i++) {
      const dot = readDot(reader);
      const previous = entries[i - 1];
      if (previous !== undefined && orderOf(previous, dot) >= 0) {
        throw new MalformedBytesError("the actors of a context are not in their order");
      }
      entries.push(dot);
    }
    return count === 0 ? CausalContext.EMPTY : new CausalContext(entries);
  }
}

export function compareActors(a: Actor, b: Actor): number {
  return a.high !== b.high ? a.high - b.high : a.low - b.low;
}

/** Actor, then counter. */
export function compareDots(a: EventDot, b: EventDot): number {
  const byActor = compareActors(a.actor, b.actor);
  return byActor !== 0 ? byActor : a.counter - b.counter;
}

/** `actor-counter`, the actor in 16 hex digits. */
export function describeDot({ actor, counter }: EventDot): string {
  return `${actorText(actor)}-${counter}`;
}

/** The name that resolvers know an actor by. */
export function actorText({ high, low }: Actor): string {
  return high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0");
}

export function writeDot(writer: ByteWriter, { actor, counter }: EventDot): void {
  writer.u32(actor.high);
  writer.u32(actor.low);
  writer.u16(Math.floor(counter / TWO_POW_32));
  writer.u32(counter % TWO_POW_32);
}

export function readDot(reader: ByteReader): EventDot {
  const actor = { high: reader.u32(), low: reader.u32() };
  const counter = reader.u16() * TWO_POW_32 + reader.u32();
  if (counter === 0 || counter > MAX_COUNTER) throw new MalformedBytesError("a dot that counts 0");
  return { actor, counter };
}

function orderOf(a: EventDot, b: EventDot): number {
  return compareActors(a.actor, b.actor);
}

function unionOf(mine: readonly EventDot[], theirs: readonly EventDot[]): EventDot[] {
  const merged: EventDot[] = [];
  for (let i = 0, j = 0; i < mine.length || j < theirs.length; ) {
    const [own, foreign] = [mine[i], theirs[j]];
    const order = own === undefined ? 1 : foreign === undefined ? -1 : orderOf(own, foreign);
    const isOwn = order < 0 || (order === 0 && (own?.counter ?? 0) >= (foreign?.counter ?? 0));
    merged.push((isOwn ? own : foreign) as EventDot);
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
  if (merged.length > MAX_ENTRIES) throw new RangeError(`a context of ${merged.length} actors`);
  return merged;
}
