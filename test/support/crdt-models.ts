import type { OperationDot } from "../../src/core/contracts/resolver.ts";
import { actorId } from "../../src/core/model/actor-name.ts";
import { encodeValue } from "../../src/core/model/values.ts";
import type { OrSetState } from "../../src/resolvers/crdt/or-set.ts";
import { type CrdtModel, eventsIn, type ScriptEvent } from "./crdt-script.ts";

/**
 * The dumb twins: what a CRDT's value is, from the operations that are known and from what each of
 * them knew. Nothing here has a state, a context or a join.
 */

type SetOperation = { readonly add: unknown } | { readonly remove: unknown };

function textOf(value: unknown): string {
  return Buffer.from(encodeValue(value)).toString("latin1");
}

/** Texts by their code units, then all else by its bytes: the order in which sets are read. */
function inOrder(elements: readonly unknown[]): unknown[] {
  const byText = new Map(elements.map((each) => [textOf(each), each]));
  const texts = [...byText.values()].filter((each) => typeof each === "string").sort();
  const others = [...byText].filter(([, each]) => typeof each !== "string");
  others.sort(([a], [b]) => (a < b ? -1 : 1));
  return [...texts, ...others.map(([, each]) => each)];
}

/** An actor's later amount says all that it added before. */
export const COUNTER_MODEL: CrdtModel = {
  value: (events, seen) => {
    const known = eventsIn(events, seen);
    const counted = events.filter(({ dot }) =>
      known.some((each) => each.dot.actor === dot.actor && each.dot.counter >= dot.counter),
    );
    return counted.reduce((sum, { operation }) => {
      const { increment = 0, decrement = 0 } = operation as Record<string, number>;
      return sum + increment - decrement;
    }, 0);
  },
};

export const G_SET_MODEL: CrdtModel = {
  value: (events, seen) =>
    inOrder(eventsIn(events, seen).map(({ operation }) => (operation as { add: unknown }).add)),
};

/** `note` of an event: the bits of the additions that it takes away. */
export function liveAdditions(events: readonly ScriptEvent[], seen: number): ScriptEvent[] {
  const known = eventsIn(events, seen);
  const dead = known.reduce((bits, { note }) => bits | (note as number), 0);
  return known.filter(({ at }) => (dead & (1 << at)) === 0);
}

function bitsOf(events: readonly ScriptEvent[]): number {
  return events.reduce((bits, { at }) => bits | (1 << at), 0);
}

export const OR_SET_MODEL: CrdtModel = {
  note: (events, seen, operation) => {
    const change = operation as SetOperation;
    const element = textOf("add" in change ? change.add : change.remove);
    const live = liveAdditions(events, seen).filter(
      (each) =>
        "add" in (each.operation as SetOperation) &&
        textOf((each.operation as { add: unknown }).add) === element,
    );
    return bitsOf(live);
  },
  value: (events, seen) =>
    inOrder(
      liveAdditions(events, seen).flatMap(({ operation }) => {
        const change = operation as SetOperation;
        return "add" in change ? [change.add] : [];
      }),
    ),
  // An addition stands for those that it saw: as many dots as additions that no other knew.
  problemOf: (state, events, seen) => {
    const { entries } = state as OrSetState;
    const live = liveAdditions(events, seen).filter(
      ({ operation }) => "add" in (operation as object),
    );
    const dots = entries.reduce((sum, [, list]) => sum + list.length, 0);
    return dots === live.length ? undefined : `${dots} dots keep ${live.length} additions`;
  },
};

export const FLAG_MODEL: CrdtModel = {
  note: (events, seen) => bitsOf(liveAdditions(events, seen)),
  value: (events, seen) =>
    liveAdditions(events, seen).some(({ operation }) => "enable" in (operation as object)),
};

export const MV_REGISTER_MODEL: CrdtModel = {
  note: (events, seen) => bitsOf(liveAdditions(events, seen)),
  value: (events, seen) =>
    inOrder(
      liveAdditions(events, seen).map(({ operation }) => (operation as { set: unknown }).set),
    ),
};

interface Timed {
  readonly time: number;
  readonly event: ScriptEvent;
}

/** `note`: the time of the value, above what it replaced. */
export const LWW_REGISTER_MODEL: CrdtModel = {
  note: (events, seen, _operation, dot) =>
    Math.max(dot.time, (latest(events, seen)?.time ?? -1) + 1),
  value: (events, seen) =>
    (latest(events, seen)?.event.operation as { set: unknown } | undefined)?.set ?? null,
};

function latest(events: readonly ScriptEvent[], seen: number): Timed | undefined {
  const timed = eventsIn(events, seen).map((event) => ({ time: event.note as number, event }));
  return timed.sort((a, b) => {
    const [dotA, dotB] = [a.event.dot, b.event.dot];
    if (a.time !== b.time) return b.time - a.time;
    if (dotA.actor !== dotB.actor) return dotA.actor < dotB.actor ? 1 : -1;
    return dotB.counter - dotA.counter;
  })[0];
}

/** What is inside the keys of a map, told by itself. */
interface InsideModel<Inside> {
  readonly nothing: Inside;
  join(a: Inside, b: Inside): Inside;
  /** `own`: all earlier events of the actor that writes. */
  apply(before: Inside, operation: never, dot: OperationDot, own: readonly ScriptEvent[]): Inside;
  value(inside: Inside): unknown;
}

interface KeyNote<Inside> {
  readonly dead: number;
  /** Undefined for a removal. */
  readonly inside: Inside | undefined;
}

type MapOperation =
  | { readonly update: { readonly key: string; readonly operation: never } }
  | { readonly remove: string };

function keyOf({ operation }: ScriptEvent): string {
  const change = operation as MapOperation;
  return "remove" in change ? change.remove : change.update.key;
}

function liveUpdates(events: readonly ScriptEvent[], seen: number): ScriptEvent[] {
  const known = eventsIn(events, seen);
  const dead = known.reduce((bits, { note }) => bits | (note as KeyNote<unknown>).dead, 0);
  return known.filter(
    ({ at, note }) => (dead & (1 << at)) === 0 && (note as KeyNote<unknown>).inside !== undefined,
  );
}

/** Each update leaves all that its key is in place of what it saw of the key. */
function mapModel<Inside>(model: InsideModel<Inside>): CrdtModel {
  const insideOf = (updates: readonly ScriptEvent[]): Inside =>
    updates.reduce(
      (sum, { note }) => model.join(sum, (note as KeyNote<Inside>).inside as Inside),
      model.nothing,
    );
  return {
    note: (events, seen, operation, dot): KeyNote<Inside> => {
      const change = operation as MapOperation;
      const key = "remove" in change ? change.remove : change.update.key;
      const replaced = liveUpdates(events, seen).filter((each) => keyOf(each) === key);
      const dead = bitsOf(replaced);
      if ("remove" in change) return { dead, inside: undefined };
      // Inside a key no name ends.
      const actor = actorId(dot.actor);
      const own = events.filter((each) => actorId(each.dot.actor) === actor);
      const { operation: inner } = change.update;
      const inside = model.apply(insideOf(replaced), inner, { ...dot, actor }, own);
      return { dead, inside };
    },
    value: (events, seen) => {
      const live = liveUpdates(events, seen);
      const keys = [...new Set(live.map(keyOf))];
      return Object.fromEntries(
        keys.map((key) => [key, model.value(insideOf(live.filter((each) => keyOf(each) === key)))]),
      );
    },
  };
}

/** A set inside a key, as explicit sets: which dots were seen, and what each wrote. */
interface InsideSet {
  readonly seen: ReadonlySet<string>;
  readonly live: ReadonlyMap<string, unknown>;
}

const INSIDE_SET: InsideModel<InsideSet> = {
  nothing: { seen: new Set(), live: new Map() },
  join: (a, b) => {
    const keeps =
      (other: InsideSet) =>
      ([dot]: [string, unknown]) =>
        other.live.has(dot) || !other.seen.has(dot);
    return {
      seen: new Set([...a.seen, ...b.seen]),
      live: new Map([...[...a.live].filter(keeps(b)), ...[...b.live].filter(keeps(a))]),
    };
  },
  apply: (before, operation, dot, own) => {
    const change = operation as SetOperation;
    const element = textOf("add" in change ? change.add : change.remove);
    const live = new Map([...before.live].filter(([, each]) => textOf(each) !== element));
    if ("remove" in change) return { seen: before.seen, live };
    live.set(nameOf(dot), change.add);
    // What the actor wrote earlier and does not hold any more is what it saw removed.
    return { seen: new Set([...before.seen, ...own.map(nameOfEvent), nameOf(dot)]), live };
  },
  value: ({ live }) => inOrder([...live.values()]),
};

/** A map whose keys are sets. */
export const OR_MAP_MODEL: CrdtModel = mapModel(INSIDE_SET);

/** A counter inside a key: what each actor has added, and when it last did. */
type InsideCounter = ReadonlyMap<string, { readonly last: number; readonly sum: number }>;

const INSIDE_COUNTER: InsideModel<InsideCounter> = {
  nothing: new Map(),
  join: (a, b) => {
    const newer = [...b].filter(([actor, { last }]) => last > (a.get(actor)?.last ?? 0));
    return new Map([...a, ...newer]);
  },
  apply: (before, operation, { actor, counter }) => {
    const { increment = 0, decrement = 0 } = operation as Record<string, number>;
    const sum = (before.get(actor)?.sum ?? 0) + increment - decrement;
    return new Map([...before, [actor, { last: counter, sum }]]);
  },
  value: (sums) => [...sums.values()].reduce((total, { sum }) => total + sum, 0),
};

/** A map whose keys are counters. */
export const COUNTER_MAP_MODEL: CrdtModel = mapModel(INSIDE_COUNTER);

function nameOf({ actor, counter }: OperationDot): string {
  return `${actorId(actor)} ${counter}`;
}

function nameOfEvent({ dot }: ScriptEvent): string {
  return nameOf(dot);
}
