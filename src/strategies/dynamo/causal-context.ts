import type { ByteReader, ByteWriter } from "../../core/model/bytes.ts";
import { MalformedBytesError } from "../../core/model/malformed-bytes-error.ts";
import type { Actor, HybridTime } from "../../core/model/stamp.ts";
import { readHybridTime } from "../../core/model/wire-fields.ts";
import type { Relation } from "../leaderless/record-rules.ts";

/** One event of one actor: the name of one client operation. `counter` counts in a shard, from 1. */
export interface EventDot {
  readonly actor: Actor;
  readonly counter: number;
}

/** A dot with the hybrid time of its event. Of one key, an actor's times rise with its counters. */
export interface TimedDot extends EventDot {
  readonly time: HybridTime;
}

const MAX_ENTRIES = 65_535;
/** Eight bytes of actor, six of counter and eight of time. */
export const CONTEXT_ENTRY_BYTES = 22;
/** Eight bytes of base, two of the number of entries. */
export const CONTEXT_HEADER_BYTES = 8 + 2;
const MAX_COUNTER = 2 ** 48 - 1;

/**
 * Which events of a key are known: all of those up to a *base* in time, and of each actor that wrote
 * later the greatest counter, sorted by actor. Immutable.
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
 *
 * The base is what keeps a context small when actors come and go with every start of a node: a
 * replica that knows every event of its shard up to a time (its floor, `leaderless/settling`) says
 * so in the records that it makes, and leaves out whose last event is not newer. The statement
 * stands for itself: whoever reads the record needs no list of who was left out.
 *
 * Invariants: `entry.time > base` for every entry; an event is known if and only if
 * `time ≤ base`, or `counter ≤ counterOf(actor)`.
 */
export class CausalContext {
  static readonly EMPTY: Readonly<CausalContext> = Object.freeze(new CausalContext(0, []));
  readonly base: HybridTime;
  readonly entries: readonly TimedDot[];

  private constructor(base: HybridTime, entries: readonly TimedDot[]) {
    this.base = base;
    this.entries = entries;
  }

  static of(dots: Iterable<TimedDot>): CausalContext {
    let context = CausalContext.EMPTY;
    for (const dot of dots) context = context.with(dot);
    return context;
  }

  /** All events up to that time, and no others. */
  static upTo(base: HybridTime): CausalContext {
    return base === 0 ? CausalContext.EMPTY : new CausalContext(base, []);
  }

  get byteLength(): number {
    return CONTEXT_HEADER_BYTES + this.entries.length * CONTEXT_ENTRY_BYTES;
  }

  /** Of the actors that are not left out. */
  counterOf(actor: Actor): number {
    for (const entry of this.entries) {
      const order = compareActors(entry.actor, actor);
      if (order === 0) return entry.counter;
      if (order > 0) return 0;
    }
    return 0;
  }

  /** Up to when all events of the actor are known. */
  timeOf(actor: Actor): HybridTime {
    const entry = this.entries.find((each) => compareActors(each.actor, actor) === 0);
    return entry?.time ?? this.base;
  }

  covers(dot: EventDot, time: HybridTime): boolean {
    return time <= this.base || dot.counter <= this.counterOf(dot.actor);
  }

  /** What is known here, and that event with all earlier ones of its actor. */
  with({ actor, counter, time }: TimedDot): CausalContext {
    const dot = { actor, counter, time };
    if (this.covers(dot, time)) return this;
    const { entries } = this;
    let at = 0;
    while (at < entries.length && compareActors((entries[at] as TimedDot).actor, actor) < 0) at++;
    const known = entries[at];
    const isNamed = known !== undefined && compareActors(known.actor, actor) === 0;
    const merged = isNamed ? entries.slice() : [...entries.slice(0, at), dot, ...entries.slice(at)];
    if (isNamed) merged[at] = dot;
    return new CausalContext(this.base, bounded(merged));
  }

  /**
   * What is known here, and all events up to `base`, without the names that this makes needless.
   * This very context where there are none. Only of a base below which whoever asks knows everything.
   */
  settledUpTo(base: HybridTime): CausalContext {
    return this.entries.every(({ time }) => time > base) ? this : this.raisedTo(base);
  }

  /** What is known here, and all events up to `base`, also where this makes no name needless. */
  raisedTo(base: HybridTime): CausalContext {
    return base <= this.base ? this : new CausalContext(base, entriesAbove(this.entries, base));
  }

  /**
   * What is known here but for these events: of their actors nothing, since a counter stands for all
   * before it, and nothing of what is settled, if one of them is.
   */
  without(events: readonly TimedDot[]): CausalContext {
    const base = events.some(({ time }) => time <= this.base) ? 0 : this.base;
    const isNamed = ({ actor }: EventDot) =>
      events.some((each) => compareActors(each.actor, actor) === 0);
    return new CausalContext(
      base,
      this.entries.filter((entry) => !isNamed(entry)),
    );
  }

  /** The events of both; one of the two itself where it includes the other. */
  merge(other: CausalContext): CausalContext {
    const relation = this.relationTo(other);
    if (relation === "included" || relation === "equal") return this;
    if (relation === "succeeded") return other;
    const base = Math.max(this.base, other.base);
    return new CausalContext(base, entriesAbove(unionOf(this.entries, other.entries), base));
  }

  /** How this context, as the held one, stands to an incoming one. */
  relationTo(other: CausalContext): Relation {
    const lacks = !knows(this, other);
    const hasMore = !knows(other, this);
    if (hasMore) return lacks ? "apart" : "included";
    return lacks ? "succeeded" : "equal";
  }

  includes(other: CausalContext): boolean {
    return knows(this, other);
  }

  write(writer: ByteWriter): void {
    writer.u64(this.base);
    writer.u16(this.entries.length);
    for (const entry of this.entries) {
      writeDot(writer, entry);
      writer.u64(entry.time);
    }
  }

  /** @throws MalformedBytesError for anything but the canonical form. */
  static read(reader: ByteReader): CausalContext {
    const base = readHybridTime(reader);
    const count = reader.u16();
    if (count * CONTEXT_ENTRY_BYTES > reader.remaining) {
      throw new MalformedBytesError(`a context of ${count} actors in ${reader.remaining} bytes`);
    }
    // Of the length that it has: one that grows by `push` begins with room for seventeen.
    const entries: TimedDot[] = new Array(count);
    for (let i = 0; i < count; i++) {
      const actor = readActor(reader);
      const entry = { actor, counter: readCounter(reader), time: readHybridTime(reader) };
      const previous = entries[i - 1];
      if (previous !== undefined && compareActors(previous.actor, entry.actor) >= 0) {
        throw new MalformedBytesError("the actors of a context are not in their order");
      }
      if (entry.time <= base) throw new MalformedBytesError("a context that names what is settled");
      entries[i] = entry;
    }
    return base === 0 && count === 0 ? CausalContext.EMPTY : new CausalContext(base, entries);
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
  writer.u48(counter);
}

export function readDot(reader: ByteReader): EventDot {
  const actor = readActor(reader);
  return { actor, counter: readCounter(reader) };
}

/** Any events, in any order: unlike the entries of a context they stand for none but themselves. */
export function writeTimedDots(writer: ByteWriter, dots: readonly TimedDot[]): void {
  writer.u16(dots.length);
  for (const dot of dots) {
    writeDot(writer, dot);
    writer.u64(dot.time);
  }
}

/** @throws MalformedBytesError */
export function readTimedDots(reader: ByteReader): TimedDot[] {
  const count = reader.u16();
  if (count * CONTEXT_ENTRY_BYTES > reader.remaining) {
    throw new MalformedBytesError(`${count} events in ${reader.remaining} bytes`);
  }
  return Array.from({ length: count }, () => ({
    ...readDot(reader),
    time: readHybridTime(reader),
  }));
}

function readActor(reader: ByteReader): Actor {
  return { high: reader.u32(), low: reader.u32() };
}

function readCounter(reader: ByteReader): number {
  const counter = reader.u48();
  if (counter === 0 || counter > MAX_COUNTER) throw new MalformedBytesError("a dot that counts 0");
  return counter;
}

/** Whether all that `b` knows is known to `a`. Both lists of entries are sorted by actor. */
function knows(a: CausalContext, b: CausalContext): boolean {
  if (b.base > a.base) return false;
  let at = 0;
  for (const { actor, counter, time } of b.entries) {
    if (time <= a.base) continue;
    let own = a.entries[at];
    while (own !== undefined && compareActors(own.actor, actor) < 0) own = a.entries[++at];
    if (own === undefined || compareActors(own.actor, actor) !== 0 || own.counter < counter) {
      return false;
    }
  }
  return true;
}

function entriesAbove(entries: readonly TimedDot[], base: HybridTime): readonly TimedDot[] {
  return base === 0 ? entries : entries.filter(({ time }) => time > base);
}

function unionOf(mine: readonly TimedDot[], theirs: readonly TimedDot[]): TimedDot[] {
  const merged: TimedDot[] = [];
  for (let i = 0, j = 0; i < mine.length || j < theirs.length; ) {
    const [own, foreign] = [mine[i], theirs[j]];
    const order =
      own === undefined ? 1 : foreign === undefined ? -1 : compareActors(own.actor, foreign.actor);
    const isOwn = order < 0 || (order === 0 && (own?.counter ?? 0) >= (foreign?.counter ?? 0));
    merged.push((isOwn ? own : foreign) as TimedDot);
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
  return bounded(merged);
}

function bounded(entries: TimedDot[]): TimedDot[] {
  if (entries.length > MAX_ENTRIES) throw new RangeError(`a context of ${entries.length} actors`);
  return entries;
}
