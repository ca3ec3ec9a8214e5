import type { CrdtResolver, OperationDot } from "../../src/core/contracts/resolver.ts";
import { actorName } from "../../src/core/model/actor-name.ts";
import {
  HYBRID_COUNTER_SPAN,
  type HybridTime,
  hybridTimeOf,
  wallMsOf,
} from "../../src/core/model/stamp.ts";
import { decodeValue, encodeValue } from "../../src/core/model/values.ts";
import { SeededRandom } from "./seeded-random.ts";

/**
 * Random histories of a CRDT on three replicas: operations, whole states and deltas that come late,
 * doubled or never, actors that begin anew, and names of ended actors that go at one replica or
 * another, as soon as it knows all events up to then. After every event the replica's value is
 * compared with a model that knows the operations alone, as sets of events; in the end everybody
 * hears of everything, in two orders, and all have to be equal to the byte.
 */
export interface ScriptEvent {
  readonly at: number;
  readonly operation: unknown;
  readonly dot: OperationDot;
  /** Bits of the events that the replica knew before. */
  readonly seen: number;
  /** Whatever the model keeps of it. */
  readonly note: unknown;
}

export interface CrdtModel {
  /** What the model keeps of an operation, from the events that its replica knows. */
  note?(
    events: readonly ScriptEvent[],
    seen: number,
    operation: unknown,
    dot: OperationDot,
  ): unknown;
  value(events: readonly ScriptEvent[], seen: number): unknown;
  /** What is wrong with a state, though its value may be right. */
  problemOf?(state: unknown, events: readonly ScriptEvent[], seen: number): string | undefined;
}

export interface CrdtUnderTest {
  readonly resolver: CrdtResolver;
  readonly model: CrdtModel;
  readonly operations: readonly unknown[];
}

const REPLICAS = 3;
/** Events are bits of a number. */
const MAX_STEPS = 28;
const START = hybridTimeOf(Date.UTC(2026, 0, 1));
const SECOND = 1_000 * HYBRID_COUNTER_SPAN;
/** How long an actor mints under one name. */
const SPAN_MS = 3_000;

interface Replica {
  state: unknown;
  seen: number;
  actor: string;
  counter: number;
}

interface Parcel {
  readonly delta: unknown;
  readonly event: number;
  readonly from: Replica;
}

export class CrdtScript {
  readonly #test: CrdtUnderTest;
  readonly #random: SeededRandom;
  readonly #events: ScriptEvent[] = [];
  readonly #parcels: Parcel[] = [];
  readonly #replicas: Replica[];
  #actors = 0;
  #now: HybridTime = START;
  /** No event begins any more with such a time or an earlier one. */
  #fence: HybridTime = START;
  /** How often names have gone. */
  retirements = 0;

  constructor(test: CrdtUnderTest, seed: number) {
    this.#test = test;
    this.#random = new SeededRandom(seed, test.resolver.name);
    this.#replicas = Array.from({ length: REPLICAS }, () => ({
      ...{ state: test.resolver.initial(), seen: 0 },
      ...{ actor: this.#newActor(), counter: 0 },
    }));
  }

  /** Says what is wrong; undefined if nothing is. */
  run(): string | undefined {
    const steps = 4 + this.#below(MAX_STEPS - 4);
    for (let step = 0; step < steps; step += 1) {
      const replica = this.#replicas[this.#below(REPLICAS)] as Replica;
      this.#step(replica);
      const problem = this.#compare(replica, `after step ${step}`);
      if (problem !== undefined) return problem;
    }
    return this.#converge();
  }

  #step(replica: Replica): void {
    const drawn = this.#below(100);
    if (drawn < 45) this.#operate(replica);
    else if (drawn < 65) this.#hearAll(replica, this.#replicas[this.#below(REPLICAS)] as Replica);
    else if (drawn < 92) this.#hearDelta(replica);
    else if (drawn < 94) replica.state = decodeValue(encodeValue(replica.state));
    else if (drawn < 97) this.#retire(replica);
    else Object.assign(replica, { actor: this.#newActor(), counter: 0 });
  }

  #operate(replica: Replica): void {
    const { resolver, model, operations } = this.#test;
    const operation = operations[this.#below(operations.length)];
    replica.counter += 1 + this.#below(3);
    const { counter, seen } = replica;
    const time = this.#time();
    const dot = { actor: this.#nameOf(replica, time), counter, time };
    const at = this.#events.length;
    const note = model.note?.(this.#events, seen, operation, dot);
    this.#events.push({ at, operation, dot, seen, note });
    const delta = resolver.delta?.(replica.state, operation, dot);
    replica.state = resolver.mutate(replica.state, operation, dot);
    replica.seen |= 1 << at;
    if (delta !== undefined) this.#parcels.push({ delta, event: at, from: replica });
  }

  /** Clocks differ by seconds, and what is over for all is over for each. */
  #time(): HybridTime {
    this.#now += this.#below(2) * SECOND;
    const time = this.#now - this.#below(3) * SECOND;
    return Math.max(this.#fence + 1, time) + this.#below(40);
  }

  #nameOf({ actor }: Replica, time: HybridTime): string {
    if (this.#test.resolver.retireActors === undefined) return actor;
    return actorName(actor, (Math.floor(wallMsOf(time) / SPAN_MS) + 1) * SPAN_MS);
  }

  /** Up to a time at which the replica knows all that there is, and ever will be. */
  #retire(replica: Replica): void {
    const { retireActors } = this.#test.resolver;
    const unseen = this.#events.filter(({ at }) => (replica.seen & (1 << at)) === 0);
    const first = Math.min(this.#now, ...unseen.map(({ dot }) => dot.time - 1));
    const upTo = first - this.#below(2) * this.#below(4) * SECOND;
    if (retireActors === undefined || upTo <= START) return;
    this.#fence = Math.max(this.#fence, upTo);
    replica.state = retireActors(replica.state, upTo);
    this.retirements += 1;
  }

  #hearAll(replica: Replica, from: Replica): void {
    replica.state = this.#test.resolver.join(replica.state, from.state);
    replica.seen |= from.seen;
  }

  /** One that does not follow is joined all the same, or the whole state asked for instead. */
  #hearDelta(replica: Replica): void {
    const at = this.#below(this.#parcels.length);
    const parcel = this.#parcels[at];
    if (parcel === undefined) return;
    const { resolver } = this.#test;
    const follows = resolver.follows?.(replica.state, parcel.delta) ?? true;
    if (!follows && this.#below(2) === 0) this.#hearAll(replica, parcel.from);
    else {
      replica.state = resolver.join(replica.state, parcel.delta);
      replica.seen |= 1 << parcel.event;
    }
    if (this.#below(3) > 0) this.#parcels.splice(at, 1);
  }

  #compare({ state, seen }: Replica, when: string): string | undefined {
    const { resolver, model } = this.#test;
    const actual = encodeValue(resolver.value(state));
    const expected = encodeValue(model.value(this.#events, seen));
    if (Buffer.compare(actual, expected) === 0) {
      const problem = model.problemOf?.(state, this.#events, seen);
      return problem === undefined ? undefined : `${when} ${problem}`;
    }
    const [is, says] = [actual, expected].map((bytes) => show(decodeValue(bytes)));
    const history = this.#events.map(({ operation, dot, seen: knew }) => [operation, dot, knew]);
    return `${when} the value is ${is}, the model says ${says}, of ${show(history)}`;
  }

  #converge(): string | undefined {
    const { join } = this.#test.resolver;
    const [a, b, c] = this.#replicas.map(({ state }) => state);
    const joined = join(join(a, b), c);
    const bytes = encodeValue(joined);
    for (const other of [join(c, join(b, a)), join(join(c, a), b), join(joined, join(b, c))]) {
      if (Buffer.compare(encodeValue(other), bytes) !== 0) {
        return `joins in other orders differ: ${show(joined)} and ${show(other)}`;
      }
    }
    if (join(joined, a) !== joined) return "a join that adds nothing made a new state";
    const seen = (1 << this.#events.length) - 1;
    return this.#compare({ state: joined, seen, actor: "", counter: 0 }, "in the end");
  }

  #newActor(): string {
    this.#actors += 1;
    // Names in another order than they came.
    return `${"hcfadbge"[this.#actors % 8]}${this.#actors}`;
  }

  #below(bound: number): number {
    return bound === 0 ? 0 : this.#random.uint32() % bound;
  }
}

function show(value: unknown): string {
  return JSON.stringify(value, (_name, each) => (typeof each === "bigint" ? `${each}n` : each));
}

/** The bits that are set in `seen`, as events. */
export function eventsIn(events: readonly ScriptEvent[], seen: number): ScriptEvent[] {
  return events.filter(({ at }) => (seen & (1 << at)) !== 0);
}
