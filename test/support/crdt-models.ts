import type { OperationDot } from "../../src/core/contracts/resolver.ts";
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

/** What is inside a key, as explicit sets: which dots were seen, and what each wrote. */
interface Inside {
  readonly seen: ReadonlySet<string>;
  readonly live: ReadonlyMap<string, unknown>;
}

interface KeyNote {
  readonly dead: number;
  readonly inside: Inside | undefined;
}

type MapOperation =
  | { readonly update: { readonly key: string; readonly operation: SetOperation } }
  | { readonly remove: string };

function joinInside(a: Inside, b: Inside): Inside {
  const keeps =
    (other: Inside) =>
    ([dot]: [string, unknown]) =>
      other.live.has(dot) || !other.seen.has(dot);
  return {
    seen: new Set([...a.seen, ...b.seen]),
    live: new Map([...[...a.live].filter(keeps(b)), ...[...b.live].filter(keeps(a))]),
  };
}

const NOTHING: Inside = { seen: new Set(), live: new Map() };

function keyOf(operation: MapOperation): string {
  return "remove" in operation ? operation.remove : operation.update.key;
}

function liveUpdates(events: readonly ScriptEvent[], seen: number): ScriptEvent[] {
  const known = eventsIn(events, seen);
  const dead = known.reduce((bits, { note }) => bits | (note as KeyNote).dead, 0);
  return known.filter(
    ({ at, note }) => (dead & (1 << at)) === 0 && (note as KeyNote).inside !== undefined,
  );
}

function insideOf(updates: readonly ScriptEvent[]): Inside {
  return updates.map(({ note }) => (note as KeyNote).inside as Inside).reduce(joinInside, NOTHING);
}

/** A map whose keys are sets: each update leaves the key's whole set in place of those it saw. */
export const OR_MAP_MODEL: CrdtModel = {
  note: (events, seen, operation, dot): KeyNote => {
    const change = operation as MapOperation;
    const replaced = liveUpdates(events, seen).filter(
      (each) => keyOf(each.operation as MapOperation) === keyOf(change),
    );
    if ("remove" in change) return { dead: bitsOf(replaced), inside: undefined };
    const before = insideOf(replaced);
    // What the actor wrote earlier and does not hold any more is what it saw removed.
    const own = events.filter((each) => each.dot.actor === dot.actor).map(nameOfEvent);
    const known = new Set([...before.seen, ...own, nameOf(dot)]);
    const inner = change.update.operation;
    const element = textOf("add" in inner ? inner.add : inner.remove);
    const live = new Map([...before.live].filter(([, each]) => textOf(each) !== element));
    if ("add" in inner) live.set(nameOf(dot), inner.add);
    const seenInside = "add" in inner ? known : before.seen;
    return { dead: bitsOf(replaced), inside: { seen: seenInside, live } };
  },
  value: (events, seen) => {
    const live = liveUpdates(events, seen);
    const keys = [...new Set(live.map((each) => keyOf(each.operation as MapOperation)))];
    return Object.fromEntries(
      keys.map((key) => {
        const updates = live.filter((each) => keyOf(each.operation as MapOperation) === key);
        return [key, inOrder([...insideOf(updates).live.values()])];
      }),
    );
  },
};

function nameOf({ actor, counter }: OperationDot): string {
  return `${actor} ${counter}`;
}

function nameOfEvent({ dot }: ScriptEvent): string {
  return nameOf(dot);
}
