import type { Resolution, Resolver, ResolverVersion } from "../core/contracts/resolver.ts";
import { type ConformanceSuite, check, checkEqual, shown } from "./suite.ts";

/** What the suite needs to put a resolver to the test. */
export interface ResolverHarness<Value> {
  readonly resolver: Resolver<Value>;
  /** Values that clients could write: at least three, all different. */
  readonly values: readonly Value[];
  /** The encoding under which equal values are equal bytes. */
  encode(value: Value): Uint8Array;
}

type Version<Value> = ResolverVersion<Value>;
type Case<Value> = (bench: ResolverBench<Value>) => void;

const LEAST_VALUES = 3;
const WALL_MS = 1_767_225_600_000;

/** Versions to resolve, and their resolutions as comparable bytes. */
class ResolverBench<Value> {
  readonly resolver: Resolver<Value>;
  readonly #encode: (value: Value) => Uint8Array;
  readonly #values: readonly Value[];

  constructor(harness: ResolverHarness<Value>) {
    check(harness.values.length >= LEAST_VALUES, `give at least ${LEAST_VALUES} values`);
    this.resolver = harness.resolver;
    this.#values = harness.values;
    this.#encode = (value) => harness.encode(value);
  }

  /**
   * Sets of three concurrent versions: apart in time, in the counter alone, in the actor alone, and
   * of equal values.
   */
  triples(): Version<Value>[][] {
    const stamps = [
      [
        [0, 0],
        [1, 0],
        [2, 0],
      ],
      [
        [2, 0],
        [0, 0],
        [1, 0],
      ],
      [
        [0, 1],
        [0, 2],
        [0, 0],
      ],
      [
        [0, 0],
        [0, 0],
        [0, 0],
      ],
    ] as const;
    const actors = ["a1", "b2", "c3"];
    const distinct = stamps.map((row) =>
      row.map(([ms, counter], at): Version<Value> => {
        const value = this.#values[at] as Value;
        return { value, wallMs: WALL_MS + ms, counter, actor: actors[at] as string };
      }),
    );
    const equal = distinct.map((row) =>
      row.map((version) => ({ ...version, value: this.#values[0] as Value })),
    );
    return [...distinct, ...equal];
  }

  resolve(versions: readonly Version<Value>[]): Resolution<Value> {
    return this.resolver.resolve(versions);
  }

  bytes(resolution: Resolution<Value>): Uint8Array | "siblings" {
    return resolution.type === "value" ? this.#encode(resolution.value) : "siblings";
  }

  bytesOf(versions: readonly Version<Value>[]): Uint8Array | "siblings" {
    return this.bytes(this.resolve(versions));
  }

  encoded(versions: readonly Version<Value>[]): unknown[] {
    return versions.map((each) => ({ ...each, value: this.#encode(each.value) }));
  }

  /** What stands for the resolved ones from then on: their value, under the greatest stamp. */
  combined(versions: readonly Version<Value>[]): Version<Value> | undefined {
    const resolution = this.resolve(versions);
    if (resolution.type === "siblings") return undefined;
    const greatest = [...versions].sort(compareStamps).at(-1) as Version<Value>;
    return { ...greatest, value: resolution.value };
  }
}

function compareStamps(a: Version<unknown>, b: Version<unknown>): number {
  if (a.wallMs !== b.wallMs) return a.wallMs - b.wallMs;
  if (a.counter !== b.counter) return a.counter - b.counter;
  return a.actor < b.actor ? -1 : a.actor > b.actor ? 1 : 0;
}

/** All orders of three. */
export const ORDERS = Object.freeze([
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
] as const);

const CASES: Readonly<Record<string, Case<unknown>>> = {
  "the answer is a value, or siblings where the capabilities say so": (bench) => {
    for (const versions of bench.triples()) {
      const resolution = bench.resolve(versions);
      const isKnown = resolution.type === "value" || resolution.type === "siblings";
      check(isKnown, `resolve answered ${shown(resolution)}`);
      check(
        resolution.type === "value" || bench.resolver.capabilities.siblings,
        "siblings, though the capabilities say that there are none",
      );
    }
  },
  "resolve is deterministic to the byte": (bench) => {
    for (const versions of bench.triples()) {
      const copy = versions.map((each) => ({ ...each }));
      checkEqual(bench.bytesOf(copy), bench.bytesOf(versions), "the second resolution");
    }
  },
  "resolve is commutative": (bench) => {
    for (const versions of bench.triples()) {
      const first = bench.bytesOf(versions);
      for (const order of ORDERS) {
        const shuffled = order.map((at) => versions[at] as Version<unknown>);
        checkEqual(bench.bytesOf(shuffled), first, `resolution in the order ${order}`);
      }
    }
  },
  "resolve is idempotent: a version that comes twice changes nothing": (bench) => {
    for (const versions of bench.triples()) {
      const first = bench.bytesOf(versions);
      for (const twice of versions) {
        checkEqual(bench.bytesOf([...versions, twice]), first, "resolution with one version twice");
      }
      const combined = bench.combined(versions);
      if (combined === undefined) continue;
      checkEqual(
        bench.bytesOf([combined, combined]),
        first,
        "resolution of the result with itself",
      );
      checkEqual(bench.bytesOf([combined, ...versions]), first, "of the result with its parts");
    }
  },
  "resolve is associative: in steps as at once": (bench) => {
    for (const versions of bench.triples()) {
      const atOnce = bench.bytesOf(versions);
      for (const order of ORDERS) {
        const [a, b, c] = order.map((at) => versions[at]) as Version<unknown>[];
        if (a === undefined || b === undefined || c === undefined) continue;
        const step = bench.combined([a, b]);
        if (step === undefined) continue;
        checkEqual(bench.bytesOf([step, c]), atOnce, `resolution in steps, in the order ${order}`);
      }
    }
  },
  "resolve does not change what it is given": (bench) => {
    for (const versions of bench.triples()) {
      const before = bench.encoded(versions);
      bench.resolve(versions);
      checkEqual(bench.encoded(versions), before, "versions after resolve");
      const frozen = Object.freeze(versions.map((each) => Object.freeze({ ...each })));
      checkEqual(bench.bytesOf(frozen), bench.bytesOf(versions), "resolution of frozen versions");
    }
  },
};

/** One case for each obligation of the `Resolver` contract. */
export function resolverConformance<Value>(harness: ResolverHarness<Value>): ConformanceSuite {
  const cases = Object.entries(CASES).map(([name, run]) => ({
    name,
    run: async () => (run as Case<Value>)(new ResolverBench(harness)),
  }));
  return { name: "Resolver", cases };
}
