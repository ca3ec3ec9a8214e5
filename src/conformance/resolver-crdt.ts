import type { CrdtResolver, OperationDot } from "../core/contracts/resolver.ts";
import { actorName } from "../core/model/actor-name.ts";
import { isCapstanError } from "../core/model/errors.ts";
import {
  HYBRID_COUNTER_SPAN,
  type HybridTime,
  hybridTimeOf,
  wallMsOf,
} from "../core/model/stamp.ts";
import { decodeValue, encodeValue } from "../core/model/values.ts";
import { ORDERS } from "./resolver.ts";
import { type ConformanceSuite, check, checkEqual, checkThrows } from "./suite.ts";

/** What the suite needs to put a CRDT to the test. */
export interface CrdtHarness<State, Op, Value> {
  readonly resolver: CrdtResolver<State, Op, Value>;
  /** Operations that clients could send: at least three, of every kind that there is. */
  readonly operations: readonly Op[];
  /** What `checkOperation` is to refuse. */
  readonly refusedOperations: readonly unknown[];
}

type Case<State, Op, Value> = (bench: CrdtBench<State, Op, Value>) => void;

const LEAST_OPERATIONS = 3;
const REPLICAS = ["a1", "b2", "c3"] as const;
const CLOCKS_BEHIND: Readonly<Record<string, number>> = Object.freeze({ b2: 25, c3: 50 });
const ROUNDS = 8;
const START = hybridTimeOf(1_767_225_600_000);
const SECOND = 1_000 * HYBRID_COUNTER_SPAN;
/** How long an actor mints under one name, where names end. */
const SPAN_MS = 4_000;
/** After every history. */
const LATER = START + 3_600 * SECOND;

class CrdtBench<State, Op, Value> {
  readonly harness: CrdtHarness<State, Op, Value>;
  readonly resolver: CrdtResolver<State, Op, Value>;
  readonly #counters = new Map<string, number>();

  constructor(harness: CrdtHarness<State, Op, Value>) {
    check(
      harness.operations.length >= LEAST_OPERATIONS,
      `give at least ${LEAST_OPERATIONS} operations`,
    );
    this.harness = harness;
    this.resolver = harness.resolver;
  }

  readonly join = (a: State, b: State): State => this.resolver.join(a, b);

  /** Counters skip, as those of a shard do, and clocks differ. */
  dot(actor: string): OperationDot {
    const before = this.#counters.get(actor) ?? 0;
    const counter = before + 1 + (before % 3);
    this.#counters.set(actor, counter);
    return this.#named(actor, counter, START + counter * SECOND - (CLOCKS_BEHIND[actor] ?? 0));
  }

  /** After all that the history has. */
  mutateLater(state: State, operation: Op, actor: string): State {
    return this.resolver.mutate(state, operation, this.#named(actor, 1, LATER + SECOND));
  }

  #named(actor: string, counter: number, time: HybridTime): OperationDot {
    if (this.resolver.retireActors === undefined) return { actor, counter, time };
    const endsAtMs = (Math.floor(wallMsOf(time) / SPAN_MS) + 1) * SPAN_MS;
    return { actor: actorName(actor, endsAtMs), counter, time };
  }

  mutate(state: State, operation: Op, actor: string): State {
    return this.resolver.mutate(state, operation, this.dot(actor));
  }

  operation(at: number): Op {
    return this.harness.operations[at % this.harness.operations.length] as Op;
  }

  bytes(state: State): Uint8Array {
    return encodeValue(state);
  }

  /**
   * States of three replicas that each mutate, and hear of one another now and then: concurrent,
   * with parts in common.
   */
  states(round: number): [State, State, State] {
    const states = REPLICAS.map(() => this.resolver.initial());
    for (let step = 0; step <= round; step += 1) {
      REPLICAS.forEach((actor, at) => {
        const operation = this.operation(step * 2 + at * 3 + round);
        states[at] = this.mutate(states[at] as State, operation, actor);
      });
      if (step % 3 === 1) {
        const [to, from] = [(step + 1) % 3, step % 3];
        states[to] = this.resolver.join(states[to] as State, states[from] as State);
      }
    }
    return states as [State, State, State];
  }
}

/** Runs `use` over states of growing histories, each of the three in each place. */
function overStates<State, Op, Value>(
  bench: CrdtBench<State, Op, Value>,
  use: (states: [State, State, State], round: number) => void,
): void {
  for (let round = 0; round < ROUNDS; round += 1) {
    const [a, b, c] = bench.states(round);
    use([a, b, c], round);
    use([b, c, a], round);
    use([c, a, b], round);
  }
}

const CASES: Readonly<Record<string, Case<unknown, unknown, unknown>>> = {
  "join is commutative": (bench) => {
    const { join } = bench;
    overStates(bench, ([a, b]) => {
      checkEqual(bench.bytes(join(b, a)), bench.bytes(join(a, b)), "join(b, a)");
    });
  },
  "join is associative": (bench) => {
    const { join } = bench;
    overStates(bench, ([a, b, c]) => {
      checkEqual(
        bench.bytes(join(join(a, b), c)),
        bench.bytes(join(a, join(b, c))),
        "the grouping",
      );
    });
  },
  "join is idempotent": (bench) => {
    const { join } = bench;
    overStates(bench, ([a, b]) => {
      checkEqual(bench.bytes(join(a, a)), bench.bytes(a), "join(a, a)");
      const both = join(a, b);
      checkEqual(bench.bytes(join(both, b)), bench.bytes(both), "a join with what is in it");
    });
  },
  "the initial state adds nothing to a join": (bench) => {
    const { join } = bench;
    overStates(bench, ([a]) => {
      checkEqual(bench.bytes(join(a, bench.resolver.initial())), bench.bytes(a), "join with it");
      checkEqual(bench.bytes(join(bench.resolver.initial(), a)), bench.bytes(a), "join of it");
    });
  },
  "replicas that heard of everything are equal, in whatever order they did": (bench) => {
    const { join } = bench;
    overStates(bench, (states) => {
      const joined = ORDERS.map((order) =>
        order.map((at) => states[at]).reduce((sum, each) => join(sum, each)),
      );
      const value = encodeValue(bench.resolver.value(joined[0]));
      for (const each of joined) {
        checkEqual(bench.bytes(each), bench.bytes(joined[0]), "a replica's state");
        checkEqual(encodeValue(bench.resolver.value(each)), value, "a replica's value");
      }
    });
  },
  "mutate is deterministic, and its state holds what was there before": (bench) => {
    const { join } = bench;
    overStates(bench, ([a], round) => {
      const [operation, dot] = [bench.operation(round), bench.dot("d4")];
      const once = bench.resolver.mutate(a, operation, dot);
      const again = bench.resolver.mutate(a, operation, dot);
      checkEqual(bench.bytes(again), bench.bytes(once), "the same mutation again");
      checkEqual(
        bench.bytes(join(once, a)),
        bench.bytes(once),
        "the mutated state with the earlier",
      );
    });
  },
  "mutate, join and value do not change what they are given": (bench) => {
    const { join } = bench;
    overStates(bench, ([a, b], round) => {
      const before = [bench.bytes(a), bench.bytes(b)];
      join(a, b);
      bench.mutate(a, bench.operation(round), "d4");
      bench.resolver.value(a);
      checkEqual([bench.bytes(a), bench.bytes(b)], before, "states afterwards");
    });
  },
  "a state that was encoded and decoded goes on as the one that it was": (bench) => {
    overStates(bench, ([a, b], round) => {
      const [operation, dot] = [bench.operation(round), bench.dot("d4")];
      const copy = decodeValue(bench.bytes(a));
      const joined = bench.join(copy, decodeValue(bench.bytes(b)));
      checkEqual(bench.bytes(joined), bench.bytes(bench.join(a, b)), "the join of copies");
      checkEqual(
        bench.bytes(bench.resolver.mutate(copy, operation, dot)),
        bench.bytes(bench.resolver.mutate(a, operation, dot)),
        "the mutated copy",
      );
      const value = encodeValue(bench.resolver.value(a));
      checkEqual(encodeValue(bench.resolver.value(copy)), value, "the value of the copy");
    });
  },
  "resolve joins states": (bench) => {
    overStates(bench, (states) => {
      const versions = states.map((value, at) => ({
        ...{ value, wallMs: 0, counter: at },
        actor: REPLICAS[at] as string,
      }));
      const resolution = bench.resolver.resolve(versions);
      check(resolution.type === "value", "resolve answered siblings");
      const joined = states.reduce((sum, each) => bench.join(sum, each));
      checkEqual(bench.bytes(resolution.value), bench.bytes(joined), "resolve");
    });
  },
  "a delta, where there is one, brings what the mutation brought": (bench) => {
    const { join } = bench;
    overStates(bench, ([a], round) => {
      const [operation, dot] = [bench.operation(round), bench.dot("d4")];
      const before = bench.bytes(a);
      const delta = bench.resolver.delta?.(a, operation, dot);
      checkEqual(bench.bytes(a), before, "the state afterwards");
      if (delta === undefined) return;
      const whole = bench.resolver.mutate(a, operation, dot);
      checkEqual(bench.bytes(join(a, delta)), bench.bytes(whole), "join(state, delta)");
      check(
        bench.resolver.follows?.(a, delta) !== false,
        "the delta does not follow its own state",
      );
    });
  },
  "a delta does no harm that comes early, late or twice": (bench) => {
    const { join } = bench;
    overStates(bench, ([a, b], round) => {
      const first = bench.dot("d4");
      const delta = bench.resolver.delta?.(a, bench.operation(round), first);
      const middle = bench.resolver.mutate(a, bench.operation(round), first);
      const second = bench.dot("d4");
      const later = bench.resolver.delta?.(middle, bench.operation(round + 1), second);
      if (delta === undefined || later === undefined) return;
      const whole = bench.resolver.mutate(middle, bench.operation(round + 1), second);
      const expected = bench.bytes(join(b, whole));
      const early = join(join(b, later), delta);
      checkEqual(bench.bytes(join(early, whole)), expected, "after deltas in the wrong order");
      checkEqual(bench.bytes(join(join(b, later), whole)), expected, "after a delta was lost");
      checkEqual(bench.bytes(join(join(early, later), whole)), expected, "after one came twice");
    });
  },
  "names of actors that have ended go, and the value stays": (bench) => {
    const { join, resolver } = bench;
    if (resolver.retireActors === undefined) return;
    const forget = (state: unknown, upTo: HybridTime) => resolver.retireActors?.(state, upTo);
    overStates(bench, ([a, b, c], round) => {
      const all = join(join(a, b), c);
      const right = bench.mutateLater(a, bench.operation(round), "e5");
      for (const upTo of [START + 3 * SECOND, START + 9 * SECOND, LATER]) {
        const settled = forget(all, upTo);
        checkEqual(encodeValue(resolver.value(settled)), encodeValue(resolver.value(all)), "value");
        const left = bench.mutateLater(settled, bench.operation(round + 1), "d4");
        const both = join(bench.mutateLater(all, bench.operation(round + 1), "d4"), right);
        const expected = bench.bytes(forget(both, upTo));
        checkEqual(bench.bytes(join(left, right)), expected, "the join with a state that has them");
        checkEqual(bench.bytes(join(right, left)), expected, "the join of a state that has them");
        checkEqual(
          encodeValue(resolver.value(join(left, right))),
          encodeValue(resolver.value(both)),
          "the value of both",
        );
        checkEqual(bench.bytes(forget(settled, upTo)), bench.bytes(settled), "once more");
      }
    });
  },
  "checkOperation takes every operation, and refuses the others with a fault": (bench) => {
    const { operations, refusedOperations } = bench.harness;
    for (const operation of operations) bench.resolver.checkOperation(operation);
    check(refusedOperations.length > 0, "give operations that are to be refused");
    for (const operation of refusedOperations) {
      checkThrows(() => bench.resolver.checkOperation(operation), isCapstanError, "checkOperation");
    }
  },
  "the capabilities say that it joins at the replica and takes operations": (bench) => {
    const { joinsAt, operations } = bench.resolver.capabilities;
    checkEqual({ joinsAt, operations }, { joinsAt: "replica", operations: true }, "capabilities");
  },
};

/** One case for each obligation that the `CrdtResolver` contract adds to `Resolver`. */
export function crdtConformance<State, Op, Value>(
  harness: CrdtHarness<State, Op, Value>,
): ConformanceSuite {
  const cases = Object.entries(CASES).map(([name, run]) => ({
    name,
    run: async () => (run as Case<State, Op, Value>)(new CrdtBench(harness)),
  }));
  return { name: "CrdtResolver", cases };
}
