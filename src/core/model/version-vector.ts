import { ByteReader, ByteWriter } from "./bytes.ts";
import { CapstanError } from "./errors.ts";
import { MalformedBytesError } from "./malformed-bytes-error.ts";
import { isWellFormed } from "./utf8.ts";

const FORMAT = 1;
const MAX_ACTORS = 65_535;
const MAX_ACTOR_BYTES = 255;
const COUNTER_ALLOWED = `a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`;

/**
 * A version vector (Parker et al. 1983): how many events of each actor a state includes. Immutable.
 * An actor that is not named has counted 0, so that 0 and absence are the same.
 */
export class VersionVector {
  /** Without zeros, sorted by actor. */
  readonly #counters: ReadonlyMap<string, number>;

  /**
   * @param entries pairs of actor and counter; of an actor that comes twice, the last.
   * @throws CapstanError `INVALID_ARGUMENT` for a counter that is not a safe integer ≥ 0, or an
   * actor that is not text of 1 to 255 bytes.
   */
  constructor(entries: Iterable<readonly [actor: string, counter: number]> = []) {
    const counters = new Map<string, number>();
    for (const [actor, counter] of entries) {
      checkActor(actor);
      if (!Number.isSafeInteger(counter) || counter < 0) throw badCounter(actor, counter);
      if (counter > 0) counters.set(actor, counter);
      else counters.delete(actor);
    }
    this.#counters = new Map([...counters].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** The actor's counter; 0 if it has none. */
  get(actor: string): number {
    return this.#counters.get(actor) ?? 0;
  }

  /** Actors with counters above 0, in the order of their names. */
  entries(): IterableIterator<[actor: string, counter: number]> {
    return new Map(this.#counters).entries();
  }

  /** One more event of `actor`. */
  increment(actor: string): VersionVector {
    return new VersionVector([...this.#counters, [actor, this.get(actor) + 1]]);
  }

  /** The events of both: the greater counter of each actor. */
  merge(other: VersionVector): VersionVector {
    const merged = new Map(this.#counters);
    for (const [actor, counter] of other.#counters) {
      if (counter > this.get(actor)) merged.set(actor, counter);
    }
    return new VersionVector(merged);
  }

  /** Includes every event of `other`: no counter is below the other's. */
  dominates(other: VersionVector): boolean {
    for (const [actor, counter] of other.#counters) {
      if (counter > this.get(actor)) return false;
    }
    return true;
  }

  equals(other: VersionVector): boolean {
    return this.dominates(other) && other.dominates(this);
  }

  /** All of its events are among the other's, which has more. */
  happensBefore(other: VersionVector): boolean {
    return other.dominates(this) && !this.dominates(other);
  }

  /** Each has an event that the other lacks. */
  concurrentWith(other: VersionVector): boolean {
    return !this.dominates(other) && !other.dominates(this);
  }

  /** `{ actor: counter }`. */
  toJSON(): Record<string, number> {
    return Object.fromEntries(this.#counters);
  }

  /**
   * @param json as `toJSON` gives it.
   * @throws CapstanError `INVALID_ARGUMENT`.
   */
  static fromJSON(json: unknown): VersionVector {
    if (typeof json !== "object" || json === null || Array.isArray(json)) {
      throw new CapstanError("INVALID_ARGUMENT", "a version vector is an object of counters");
    }
    return new VersionVector(Object.entries(json));
  }

  /** The one encoding of this vector: equal vectors have equal bytes. */
  encode(): Uint8Array {
    if (this.#counters.size > MAX_ACTORS) {
      throw new RangeError(`${this.#counters.size} actors are above the allowed ${MAX_ACTORS}`);
    }
    const writer = new ByteWriter();
    writer.u8(FORMAT);
    writer.u16(this.#counters.size);
    for (const [actor, counter] of this.#counters) {
      writer.string(actor);
      writer.u64(counter);
    }
    return writer.copy();
  }

  /**
   * @param maxActors vectors with more are refused.
   * @throws MalformedBytesError for anything but one whole encoding.
   */
  static decode(bytes: Uint8Array, maxActors = MAX_ACTORS): VersionVector {
    const reader = new ByteReader(bytes);
    if (reader.u8() !== FORMAT) throw new MalformedBytesError("not a version vector");
    const count = reader.u16();
    if (count > maxActors) {
      throw new MalformedBytesError(`${count} actors are above the allowed ${maxActors}`);
    }
    const entries: [string, number][] = [];
    let previous = "";
    for (let index = 0; index < count; index++) {
      const actor = reader.string(MAX_ACTOR_BYTES);
      const counter = reader.u64();
      if (actor <= previous || counter === 0) {
        throw new MalformedBytesError("a version vector in another than its canonical form");
      }
      entries.push([actor, counter]);
      previous = actor;
    }
    reader.end();
    return new VersionVector(entries);
  }
}

function checkActor(actor: unknown): void {
  const allowed = `text of 1 to ${MAX_ACTOR_BYTES} bytes`;
  const isText = typeof actor === "string" && isWellFormed(actor);
  const length = isText ? Buffer.byteLength(actor, "utf8") : 0;
  if (length >= 1 && length <= MAX_ACTOR_BYTES) return;
  throw new CapstanError(
    "INVALID_ARGUMENT",
    `the actor ${isText ? JSON.stringify(actor.slice(0, 40)) : "of a version vector"} is not ${allowed}`,
    { allowed: [allowed] },
  );
}

function badCounter(actor: string, counter: unknown): CapstanError {
  return new CapstanError(
    "INVALID_ARGUMENT",
    `the counter of actor ${JSON.stringify(actor)} is ${String(counter)}; allowed: ${COUNTER_ALLOWED}`,
    { allowed: [COUNTER_ALLOWED] },
  );
}
