import type { CrdtResolver, Dot } from "../core/contracts/resolver.ts";
import { isCapstanError } from "../core/model/errors.ts";
import { ORDERS } from "./resolver.ts";
import { type ConformanceSuite, check, checkEqual, checkThrows } from "./suite.ts";

/** What the suite needs to put a CRDT to the test. */
export interface CrdtHarness<State, Op, Value> {
  readonly resolver: CrdtResolver<State, Op, Value>;
  /** Operations that clients could send: at least three, of every kind that there is. */
  readonly operations: readonly Op[];
  /** What `checkOperation` is to refuse. */
  readonly refusedOperations: readonly unknown[];
  /** The encoding under which equal states, and equal values, are equal bytes. */
  encode(stateOrValue: State | Value): Uint8Array;
}

type Case<State, Op, Value> = (bench: CrdtBench<State, Op, Value>) => void;

const LEAST_OPERATIONS = 3;
const REPLICAS = ["a1", "b2", "c3"] as const;
const ROUNDS = 8;

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

  dot(actor: string): Dot {
    const counter = (this.#counters.get(actor) ?? 0) + 1;
    this.#counters.set(actor, counter);
    return { actor, counter };
  }

  mutate(state: State, operation: Op, actor: string): State {
    return this.resolver.mutate(state, operation, this.dot(actor));
  }

  operation(at: number): Op {
    return this.harness.operations[at % this.harness.operations.length] as Op;
  }

  bytes(state: State): Uint8Array {
    return this.harness.encode(state);
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
      const value = bench.harness.encode(bench.resolver.value(joined[0]));
      for (const each of joined) {
        checkEqual(bench.bytes(each), bench.bytes(joined[0]), "a replica's state");
        checkEqual(bench.harness.encode(bench.resolver.value(each)), value, "a replica's value");
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
  "a delta, where there is one, brings what the mutation brought": (bench) => {
    const { join } = bench;
    overStates(bench, ([a], round) => {
      const [operation, dot] = [bench.operation(round), bench.dot("d4")];
      const delta = bench.resolver.delta?.(a, operation, dot);
      if (delta === undefined) return;
      const whole = bench.resolver.mutate(a, operation, dot);
      checkEqual(bench.bytes(join(a, delta)), bench.bytes(whole), "join(state, delta)");
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
