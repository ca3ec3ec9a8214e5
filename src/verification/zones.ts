import { type KeyValueOperation, OPEN_ENDED, type RegisterValue } from "./operation.ts";
import { nameOfValue } from "./register-values.ts";

/** A write and all reads of what it wrote, as far as their order with others goes. */
interface Cluster {
  readonly calledAt: number;
  readonly returnedAt: number;
  /** The first return and the last call among them. */
  minReturn: number;
  maxCall: number;
}

/**
 * Decides about one register without a search, in O(n log n), where every read can have found what
 * one write wrote and no other's; otherwise undefined, and a search has to.
 *
 * In any order the reads of a write stand between it and the next one, so that writes with their
 * reads have an order as a whole: X stands before Y if anything of X returned before anything of Y
 * was called. The history is legal exactly if no read returned before its write was called and no
 * two each stand before the other (Gibbons and Korach, "Testing Shared Memories", 1997, §3; zones
 * as in Golab, Li and Shah, "Analyzing Consistency Properties for Fun and Profit", 2011, §3.1).
 */
export function decideByZones(
  history: readonly KeyValueOperation[],
): "legal" | "illegal" | undefined {
  const isSimple = history.every(
    ({ input, output }) =>
      (input.type === "put" || input.type === "delete" || input.type === "get") &&
      output?.siblings === undefined,
  );
  if (!isSimple) return undefined;
  const writes = new WriteClusters(history);
  let isAmbiguous = false;
  for (const { input, output, calledAt, returnedAt } of history) {
    if (input.type !== "get" || output === undefined) continue;
    const causes = writes.causesOf(output.value, calledAt, returnedAt);
    const cause = causes[0];
    if (cause === undefined) return "illegal";
    isAmbiguous ||= causes.length > 1;
    cause.minReturn = Math.min(cause.minReturn, returnedAt);
    cause.maxCall = Math.max(cause.maxCall, calledAt);
  }
  // One choice of causes that has an order is as good as any; one without says little.
  if (!haveConflict(writes.all)) return "legal";
  return isAmbiguous ? undefined : "illegal";
}

class WriteClusters {
  readonly all: Cluster[] = [];
  readonly #byValue = new Map<string, Cluster[]>();
  /** In the order of the returns, each with the latest call among those up to it. */
  readonly #returns: readonly { readonly returnedAt: number; readonly latestCall: number }[];

  constructor(history: readonly KeyValueOperation[]) {
    // Nothing is there as if written before everything else.
    this.#add(undefined, -OPEN_ENDED, -OPEN_ENDED);
    for (const { input, calledAt, returnedAt } of history) {
      if (input.type === "put") this.#add(input.value, calledAt, returnedAt);
      else if (input.type === "delete") this.#add(undefined, calledAt, returnedAt);
    }
    let latestCall = -OPEN_ENDED;
    this.#returns = [...this.all]
      .sort((a, b) => compare(a.returnedAt, b.returnedAt))
      .map(({ calledAt, returnedAt }) => {
        latestCall = Math.max(latestCall, calledAt);
        return { returnedAt, latestCall };
      });
  }

  /**
   * The writes of the value that were called before the read returned, and that no other write
   * overwrote before it was called. First the one that was called last before the read was.
   */
  causesOf(value: RegisterValue, calledAt: number, returnedAt: number): readonly Cluster[] {
    const overwritten = this.#latestCallBefore(calledAt);
    const causes = (this.#byValue.get(nameOfValue(value)) ?? []).filter(
      (each) => each.calledAt <= returnedAt && each.returnedAt >= overwritten,
    );
    if (causes.length < 2) return causes;
    const rank = (each: Cluster): number => Math.abs(calledAt - each.calledAt);
    return causes.sort((a, b) => compare(rank(a), rank(b)));
  }

  #add(value: RegisterValue, calledAt: number, returnedAt: number): void {
    const cluster = { calledAt, returnedAt, minReturn: returnedAt, maxCall: calledAt };
    this.all.push(cluster);
    const name = nameOfValue(value);
    const same = this.#byValue.get(name);
    if (same === undefined) this.#byValue.set(name, [cluster]);
    else same.push(cluster);
  }

  /** The latest call of a write that returned before `at`. */
  #latestCallBefore(at: number): number {
    const count = countBelow(this.#returns, ({ returnedAt }) => returnedAt < at);
    return this.#returns[count - 1]?.latestCall ?? -OPEN_ENDED;
  }
}

/** Whether there are two of which each stands before the other. */
function haveConflict(clusters: readonly Cluster[]): boolean {
  // Of some something had returned before another part was called: they hold all in between.
  const forward = clusters
    .filter(({ minReturn, maxCall }) => minReturn < maxCall)
    .sort((a, b) => compare(a.minReturn, b.minReturn));
  for (const [index, { minReturn }] of forward.entries()) {
    const before = forward[index - 1];
    if (before !== undefined && minReturn < before.maxCall) return true;
  }
  // Of the others all parts overlap: they fit beside each other, and not into a forward one.
  return clusters
    .filter(({ minReturn, maxCall }) => minReturn >= maxCall)
    .some(({ minReturn, maxCall }) => {
      const count = countBelow(forward, (each) => each.minReturn < maxCall);
      const last = forward[count - 1];
      return last !== undefined && minReturn < last.maxCall;
    });
}

/** How many elements at the front have the property; those behind have it not. */
function countBelow<Element>(
  sorted: readonly Element[],
  isBelow: (element: Element) => boolean,
): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBelow(sorted[middle] as Element)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The difference of two open ends is no number. */
function compare(a: number, b: number): number {
  return a === b ? 0 : a - b;
}
