import type { CrdtResolver, OperationDot } from "../../core/contracts/resolver.ts";
import { actorName } from "../../core/model/actor-name.ts";
import {
  HYBRID_COUNTER_SPAN,
  type HybridTime,
  hybridTimeOf,
  wallMsOf,
} from "../../core/model/stamp.ts";
import { decodeValue, encodeValue } from "../../core/model/values.ts";
import { difference, type Law, showValue } from "./law.ts";
import type { LawRandom } from "./law-random.ts";

/** One step of a history: a replica applies an operation, or hears of all that another knows. */
export type Step =
  | { readonly at: number; readonly operation: unknown }
  | { readonly at: number; readonly from: number };

const REPLICAS = 3;
const MOST_STEPS = 10;
const START = hybridTimeOf(Date.UTC(2026, 0, 1));
const SECOND = 1_000 * HYBRID_COUNTER_SPAN;
/** How long an actor mints under one name, where names end. */
const SPAN_MS = 4_000;
/** After every history. */
const LATER = START + 3_600 * SECOND;

export function drawSteps(random: LawRandom, drawOperation: () => unknown): readonly Step[] {
  return Array.from({ length: 1 + random.below(MOST_STEPS) }, () =>
    random.below(3) === 0
      ? { at: random.below(REPLICAS), from: random.below(REPLICAS) }
      : { at: random.below(REPLICAS), operation: drawOperation() },
  );
}

export function showSteps(steps: readonly Step[]): string[] {
  const name = (at: number): string => "abc"[at] ?? "?";
  return steps.map((step) =>
    "from" in step
      ? `${name(step.at)} hears from ${name(step.from)}`
      : `${name(step.at)}: ${showValue(step.operation)}`,
  );
}

/** Where a history leads: the states of the replicas, and an operation that is still to come. */
class Outcome {
  readonly resolver: CrdtResolver;
  readonly states: readonly [unknown, unknown, unknown];
  readonly operation: unknown;
  readonly #counters = new Map<string, number>();

  constructor(resolver: CrdtResolver, steps: readonly Step[]) {
    this.resolver = resolver;
    const states = Array.from({ length: REPLICAS }, () => resolver.initial());
    let operation: unknown;
    for (const step of steps) {
      const before = states[step.at];
      if ("from" in step) states[step.at] = resolver.join(before, states[step.from]);
      else {
        // Its own copy each time: a resolver may change what it is given.
        operation = decodeValue(encodeValue(step.operation));
        states[step.at] = resolver.mutate(before, operation, this.dot("abc"[step.at] as string));
      }
    }
    this.states = states as unknown as [unknown, unknown, unknown];
    this.operation = operation;
  }

  /** Counters skip, as those of a shard do; clocks differ. */
  dot(actor: string): OperationDot {
    const before = this.#counters.get(actor) ?? 0;
    const counter = before + 1 + (before % 2);
    this.#counters.set(actor, counter);
    return this.#named(actor, counter, START + counter * SECOND - actor.charCodeAt(0) * 7);
  }

  /** After all that the history has. */
  laterDot(actor: string): OperationDot {
    return this.#named(actor, 1, LATER + SECOND);
  }

  #named(actor: string, counter: number, time: HybridTime): OperationDot {
    if (this.resolver.retireActors === undefined) return { actor, counter, time };
    const endsAtMs = (Math.floor(wallMsOf(time) / SPAN_MS) + 1) * SPAN_MS;
    return { actor: actorName(actor, endsAtMs), counter, time };
  }

  readonly join = (a: unknown, b: unknown): unknown => this.resolver.join(a, b);
}

type Check = (outcome: Outcome) => string | undefined;

const CHECKS: Readonly<Record<string, Check>> = {
  "join is commutative": ({ join, states: [a, b] }) =>
    difference("join(b, a) is", join(b, a), join(a, b)),
  "join is associative": ({ join, states: [a, b, c] }) =>
    difference("join(join(a, b), c) is", join(join(a, b), c), join(a, join(b, c))),
  "join is idempotent": ({ join, states: [a, b] }) => {
    const both = join(a, b);
    return difference("join(a, a) is", join(a, a), a) ?? difference("again", join(both, b), both);
  },
  "the initial state adds nothing": ({ join, resolver, states: [a] }) =>
    difference("join(a, initial) is", join(a, resolver.initial()), a) ??
    difference("join(initial, a) is", join(resolver.initial(), a), a),
  "equal states have equal values": ({ join, resolver, states: [a, b, c] }) =>
    difference(
      "of one state joined in two orders, the value is",
      resolver.value(join(join(c, b), a)),
      resolver.value(join(a, join(b, c))),
    ),
  "a state that was encoded and decoded goes on as itself": (outcome) => {
    const { resolver, operation } = outcome;
    const [a, b] = outcome.states;
    const [copyA, copyB] = [a, b].map((state) => decodeValue(encodeValue(state)));
    const joined = difference("the join is", outcome.join(copyA, copyB), outcome.join(a, b));
    if (joined !== undefined || operation === undefined) return joined;
    const dot = outcome.dot("d");
    const mutated = resolver.mutate(copyA, operation, dot);
    return (
      difference("mutate gives", mutated, resolver.mutate(a, operation, dot)) ??
      difference("its value is", resolver.value(copyA), resolver.value(a))
    );
  },
  "mutate keeps what was there, and is deterministic": (outcome) => {
    const [a] = outcome.states;
    if (outcome.operation === undefined) return undefined;
    const dot = outcome.dot("d");
    const mutated = outcome.resolver.mutate(a, outcome.operation, dot);
    return (
      difference("join(a, mutated) is", outcome.join(a, mutated), mutated) ??
      difference("again", outcome.resolver.mutate(a, outcome.operation, dot), mutated)
    );
  },
  "nothing changes what it is given": (outcome) => {
    const { resolver, operation, states } = outcome;
    const before = encodeValue(states);
    outcome.join(states[0], states[1]);
    resolver.value(states[0]);
    if (operation !== undefined) {
      resolver.delta?.(states[0], operation, outcome.dot("d"));
      resolver.mutate(states[0], operation, outcome.dot("d"));
    }
    return Buffer.compare(encodeValue(states), before) === 0
      ? undefined
      : `a state is ${showValue(states)} afterwards`;
  },
  "a delta brings what the mutation brought": (outcome) => {
    const [a] = outcome.states;
    if (outcome.operation === undefined) return undefined;
    const dot = outcome.dot("d");
    const delta = outcome.resolver.delta?.(a, outcome.operation, dot);
    if (delta === undefined) return undefined;
    const mutated = outcome.resolver.mutate(a, outcome.operation, dot);
    if (outcome.resolver.follows?.(a, delta) === false) return "it does not follow its own state";
    return difference("join(a, delta) is", outcome.join(a, delta), mutated);
  },
  "a delta does no harm that comes early, late, twice or not at all": (outcome) => {
    const { join, operation, resolver } = outcome;
    const [a, b] = outcome.states;
    if (operation === undefined) return undefined;
    const [first, second] = [outcome.dot("d"), outcome.dot("d")];
    const middle = resolver.mutate(a, operation, first);
    const [early, late] = [
      resolver.delta?.(a, operation, first),
      resolver.delta?.(middle, operation, second),
    ];
    if (early === undefined || late === undefined) return undefined;
    const whole = resolver.mutate(middle, operation, second);
    const expected = join(b, whole);
    const jumbled = join(join(join(b, late), early), late);
    return (
      difference(
        "after two in the wrong order the whole state gives",
        join(jumbled, whole),
        expected,
      ) ??
      difference("after one was lost the whole state gives", join(join(b, late), whole), expected)
    );
  },
  "names of ended actors go, and the value stays": (outcome) => {
    const { join, operation, resolver } = outcome;
    if (resolver.retireActors === undefined || operation === undefined) return undefined;
    const without = (state: unknown, upTo: HybridTime): unknown =>
      resolver.retireActors?.(state, upTo);
    const [part] = outcome.states;
    const all = outcome.states.reduce(join);
    const right = resolver.mutate(part, operation, outcome.laterDot("e"));
    for (const upTo of [START + 2 * SECOND, START + 6 * SECOND, LATER]) {
      const settled = without(all, upTo);
      const left = resolver.mutate(settled, operation, outcome.laterDot("d"));
      const both = join(resolver.mutate(all, operation, outcome.laterDot("d")), right);
      const problem =
        difference("the value without is", resolver.value(settled), resolver.value(all)) ??
        difference("joined with what has them it is", join(left, right), without(both, upTo)) ??
        difference("the other way round", join(right, left), without(both, upTo)) ??
        difference(
          "the value of both is",
          resolver.value(join(left, right)),
          resolver.value(both),
        ) ??
        difference("once more", without(settled, upTo), settled) ??
        difference("later", without(settled, LATER), without(all, LATER));
      if (problem !== undefined) return problem;
    }
    return undefined;
  },
};

/** The laws of `CrdtResolver`. */
export function crdtLaws(resolver: CrdtResolver): readonly Law<readonly Step[]>[] {
  const checks = Object.entries(CHECKS).map(([name, check]) => ({
    name,
    problem: (steps: readonly Step[]) => check(new Outcome(resolver, steps)),
  }));
  return [
    {
      name: "checkOperation takes what clients send",
      problem: (steps) => {
        for (const step of steps) {
          if ("operation" in step) resolver.checkOperation(step.operation);
        }
        return undefined;
      },
    },
    ...checks,
  ];
}
