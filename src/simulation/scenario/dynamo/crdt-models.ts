import { actorId } from "../../../core/model/actor-name.ts";
import { nameOfDot, type Performed } from "./watched-crdt.ts";

/** What a CRDT's value has to be, from the operations that are known and what each of them found. */
export interface CrdtModel {
  valueOf(known: readonly Performed[]): unknown;
}

type Dotted = readonly [actor: string, counter: number, ...unknown[]];
type SetOperation = { readonly add: string } | { readonly remove: string };
type Amounts = { readonly increment?: number; readonly decrement?: number };

/** The model of each CRDT that a configuration can name. */
export function modelOf(resolver: string): CrdtModel {
  switch (resolver) {
    case "g-counter":
    case "pn-counter":
      return { valueOf: (known) => known.reduce((sum, each) => sum + amountOf(each.operation), 0) };
    case "g-set":
      return { valueOf: (known) => distinct(known.map(({ operation }) => elementOf(operation))) };
    case "or-set":
      return { valueOf: (known) => distinct(additionsLeft(known)) };
    case "flag":
      return {
        valueOf: (known) =>
          left(known, dotsOfFlag).some(({ operation }) => "enable" in (operation as object)),
      };
    case "mv-register":
      return {
        valueOf: (known) =>
          distinct(left(known, dotsOfRegister).map(({ operation }) => setOf(operation))),
      };
    case "lww-register":
      return { valueOf: (known) => setOf(known.toSorted(byTimeOfRegister).at(-1)?.operation) };
    case "or-map":
      return { valueOf: valueOfMap };
    default:
      throw new Error(`there is no model of the resolver ${JSON.stringify(resolver)}`);
  }
}

/** What an operation of a counter adds. */
export function amountOf(operation: unknown): number {
  const { increment = 0, decrement = 0 } = operation as Amounts;
  return increment - decrement;
}

function elementOf(operation: unknown): string {
  const change = operation as SetOperation;
  return "add" in change ? change.add : change.remove;
}

function setOf(operation: unknown): string | null {
  return (operation as { readonly set: string } | undefined)?.set ?? null;
}

function distinct<T>(values: readonly T[]): readonly T[] {
  return [...new Set(values)].sort();
}

/** Those that no other one has found and replaced, or removed. */
function left(
  known: readonly Performed[],
  foundBy: (event: Performed) => readonly Dotted[],
): readonly Performed[] {
  const gone = new Set(
    known.flatMap((each) => foundBy(each).map(([actor, counter]) => nameOfDot(actor, counter))),
  );
  return known.filter(({ name }) => !gone.has(name));
}

function additionsLeft(known: readonly Performed[]): readonly string[] {
  return left(known, dotsOfElement).flatMap(({ operation }) => {
    const change = operation as SetOperation;
    return "add" in change ? [change.add] : [];
  });
}

function dotsOfElement({ before, operation }: Performed): readonly Dotted[] {
  const { entries } = before as {
    readonly entries: readonly (readonly [unknown, readonly Dotted[]])[];
  };
  return entries.find(([element]) => element === elementOf(operation))?.[1] ?? [];
}

function dotsOfFlag({ before }: Performed): readonly Dotted[] {
  return (before as { readonly dots: readonly Dotted[] }).dots;
}

function dotsOfRegister({ before }: Performed): readonly Dotted[] {
  return (before as { readonly values: readonly Dotted[] }).values;
}

/** Above the time of what it replaced, then by actor, then by counter. */
function byTimeOfRegister(a: Performed, b: Performed): number {
  const [timeA, timeB] = [timeOfRegister(a), timeOfRegister(b)];
  if (timeA !== timeB) return timeA - timeB;
  if (a.dot.actor !== b.dot.actor) return a.dot.actor < b.dot.actor ? -1 : 1;
  return a.dot.counter - b.dot.counter;
}

function timeOfRegister({ before, dot }: Performed): number {
  const [earlier = -1] = before as readonly number[];
  return Math.max(dot.time, earlier + 1);
}

type MapOperation =
  | {
      readonly update: {
        readonly key: string;
        readonly operation: Readonly<Record<string, unknown>>;
      };
    }
  | { readonly remove: string };

function fieldOf(operation: unknown): string {
  const change = operation as MapOperation;
  return "remove" in change ? change.remove : change.update.key;
}

function dotsOfField({ before, operation }: Performed): readonly Dotted[] {
  const { entries } = before as {
    readonly entries: readonly (readonly [string, readonly Dotted[]])[];
  };
  return entries.find(([field]) => field === fieldOf(operation))?.[1] ?? [];
}

/**
 * A field is what its last updates left, each of which had what it found of the field before. What is
 * in a field is of the kind that its operations name.
 */
function valueOfMap(known: readonly Performed[]): unknown {
  const updates = left(known, dotsOfField).filter(
    ({ operation }) => "update" in (operation as object),
  );
  const byName = new Map(known.map((each) => [each.name, each]));
  const fields = distinct(updates.map(({ operation }) => fieldOf(operation)));
  return Object.fromEntries(
    fields.map((field) => {
      const ends = updates.filter(({ operation }) => fieldOf(operation) === field);
      return [field, valueOfField(ends, byName)];
    }),
  );
}

/** An operation within a field, and what it found there. */
interface Inner {
  readonly kind: string;
  readonly operation: unknown;
  /** What stood in the field then. */
  readonly found: readonly Performed[];
}

function innerOf(event: Performed, byName: ReadonlyMap<string, Performed>): Inner {
  const { update } = event.operation as Extract<MapOperation, { readonly update: unknown }>;
  const [kind, operation] = Object.entries(update.operation)[0] as [string, unknown];
  const found = dotsOfField(event)
    .map(([actor, counter]) => byName.get(nameOfDot(actor, counter)))
    .filter((each) => each !== undefined);
  return { kind, operation, found };
}

function valueOfField(ends: readonly Performed[], byName: ReadonlyMap<string, Performed>): unknown {
  const [{ kind }] = ends.map((each) => innerOf(each, byName)) as [Inner];
  if (kind === "pn-counter") return new FieldOfCounter(byName).valueOf(ends);
  if (kind === "or-set") return new FieldOfSet(byName).valueOf(ends);
  if (kind === "lww-register") return new FieldOfRegister(byName).valueOf(ends);
  throw new Error(`there is no model of a field of kind ${JSON.stringify(kind)}`);
}

/** What a field was after each of the updates that led to it. */
abstract class Field<Content> {
  readonly #byName: ReadonlyMap<string, Performed>;
  readonly #after = new Map<string, Content>();

  constructor(byName: ReadonlyMap<string, Performed>) {
    this.#byName = byName;
  }

  valueOf(ends: readonly Performed[]): unknown {
    return this.shown(this.#together(ends));
  }

  protected abstract readonly nothing: Content;
  protected abstract join(a: Content, b: Content): Content;
  protected abstract apply(before: Content, operation: unknown, event: Performed): Content;
  protected abstract shown(content: Content): unknown;

  #together(events: readonly Performed[]): Content {
    return events
      .map((each) => this.#afterEvent(each))
      .reduce((a, b) => this.join(a, b), this.nothing);
  }

  #afterEvent(event: Performed): Content {
    const known = this.#after.get(event.name);
    if (known !== undefined) return known;
    const { found, operation } = innerOf(event, this.#byName);
    const content = this.apply(this.#together(found), operation, event);
    this.#after.set(event.name, content);
    return content;
  }
}

/** By actor: what it has added in all, and the counter of its last addition. */
type Sums = ReadonlyMap<string, { readonly last: number; readonly sum: number }>;

class FieldOfCounter extends Field<Sums> {
  protected readonly nothing: Sums = new Map();

  protected join(a: Sums, b: Sums): Sums {
    return new Map([
      ...a,
      ...[...b].filter(([actor, { last }]) => last > (a.get(actor)?.last ?? 0)),
    ]);
  }

  protected apply(before: Sums, operation: unknown, { dot }: Performed): Sums {
    const actor = actorId(dot.actor);
    const sum = (before.get(actor)?.sum ?? 0) + amountOf(operation);
    return new Map([...before, [actor, { last: dot.counter, sum }]]);
  }

  protected shown(sums: Sums): unknown {
    return [...sums.values()].reduce((total, { sum }) => total + sum, 0);
  }
}

/** By actor: up to which of its dots all are known here. By dot: the elements that it keeps. */
interface Elements {
  readonly seen: ReadonlyMap<string, number>;
  readonly kept: ReadonlyMap<
    string,
    { readonly dot: readonly [string, number]; readonly element: string }
  >;
}

class FieldOfSet extends Field<Elements> {
  protected readonly nothing: Elements = { seen: new Map(), kept: new Map() };

  protected join(a: Elements, b: Elements): Elements {
    const seen = new Map(a.seen);
    for (const [actor, upTo] of b.seen) seen.set(actor, Math.max(upTo, seen.get(actor) ?? 0));
    const stays =
      (other: Elements) =>
      ([name, { dot }]: [string, { readonly dot: readonly [string, number] }]) =>
        other.kept.has(name) || dot[1] > (other.seen.get(dot[0]) ?? 0);
    return {
      seen,
      kept: new Map([...[...a.kept].filter(stays(b)), ...[...b.kept].filter(stays(a))]),
    };
  }

  protected apply(before: Elements, operation: unknown, { name, dot }: Performed): Elements {
    const element = elementOf(operation);
    const kept = new Map([...before.kept].filter(([, each]) => each.element !== element));
    if ("remove" in (operation as SetOperation)) return { seen: before.seen, kept };
    const actor = actorId(dot.actor);
    kept.set(name, { dot: [actor, dot.counter], element });
    // What the actor wrote earlier and does not hold any more is what it saw removed.
    return { seen: new Map([...before.seen, [actor, dot.counter]]), kept };
  }

  protected shown({ kept }: Elements): unknown {
    return distinct([...kept.values()].map(({ element }) => element));
  }
}

interface Written {
  readonly time: number;
  readonly actor: string;
  readonly counter: number;
  readonly value: string | null;
}

class FieldOfRegister extends Field<Written> {
  protected readonly nothing: Written = { time: -1, actor: "", counter: 0, value: null };

  protected join(a: Written, b: Written): Written {
    if (a.time !== b.time) return a.time > b.time ? a : b;
    if (a.actor !== b.actor) return a.actor > b.actor ? a : b;
    return a.counter >= b.counter ? a : b;
  }

  protected apply(before: Written, operation: unknown, { dot }: Performed): Written {
    const time = Math.max(dot.time, before.time + 1);
    return { time, actor: actorId(dot.actor), counter: dot.counter, value: setOf(operation) };
  }

  protected shown({ value }: Written): unknown {
    return value;
  }
}
