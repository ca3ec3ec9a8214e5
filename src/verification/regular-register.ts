import { type KeyValueOperation, type KeyValueWrite, SUPERSEDED, writesOf } from "./operation.ts";
import { nameOfValue } from "./register-values.ts";

/** A read that no order of the writes explains. */
export type RegularViolation = {
  readonly key: string;
  readonly read: KeyValueOperation;
} & (
  | {
      /** Nobody wrote what it found, or only later, or only somebody whose write was refused. */
      readonly reason: "never-written";
    }
  | {
      /** What it found had been overwritten before it was called. */
      readonly reason: "overwritten";
      /** The write of what it found; undefined: it found nothing. */
      readonly found: KeyValueOperation | undefined;
      /** Called when the former had returned, and returned before the read was called. */
      readonly overwrittenBy: KeyValueOperation;
    }
);

export interface RegularResult {
  readonly verdict: "legal" | "illegal";
  /** Reads that were judged. */
  readonly judged: number;
  readonly violations: readonly RegularViolation[];
}

/**
 * Whether every read finds what was written last before it, or is being written beside it: a
 * regular register with many writers, in the weakest of its senses (Shao, Welch, Pierce and Lee,
 * "Multiwriter Consistency Conditions for Shared Memory Registers", 2011, MWRegWeak). For each read
 * alone there is an order of the writes that keeps their real order and explains it; two reads may
 * need two orders. Operations whose outcome is unknown may take effect at any later time.
 *
 * With siblings, each of them has to be a value that is not yet overwritten.
 */
export function checkRegularRegister(history: readonly KeyValueOperation[]): RegularResult {
  const registers = new Map<string, RegisterWrites>();
  const writes = history.filter(({ outcome }) => outcome !== "not-applied");
  for (const operation of writes) {
    for (const written of writesOf(operation.input)) {
      const register = registers.get(written.key) ?? new RegisterWrites();
      registers.set(written.key, register);
      register.add(operation, written);
    }
  }
  const violations: RegularViolation[] = [];
  let judged = 0;
  for (const read of history) {
    const { input, output, outcome } = read;
    if (input.type !== "get" || outcome !== "applied" || output === undefined) continue;
    judged += 1;
    const register = registers.get(input.key) ?? new RegisterWrites();
    for (const value of output.siblings ?? [output.value]) {
      const violation = register.judge(read, input.key, value);
      if (violation === undefined) continue;
      violations.push(violation);
      break;
    }
  }
  return { verdict: violations.length === 0 ? "legal" : "illegal", judged, violations };
}

/** The writes of one key, by what they wrote, and by when they returned. */
class RegisterWrites {
  readonly #byValue = new Map<string, KeyValueOperation[]>();
  readonly #all: KeyValueOperation[] = [];
  /** In the order of the returns, each with the latest called one among those up to it. */
  #latest:
    | readonly { readonly returnedAt: number; readonly write: KeyValueOperation }[]
    | undefined;

  add(operation: KeyValueOperation, { value }: KeyValueWrite): void {
    const name = nameOfValue(value);
    const same = this.#byValue.get(name);
    if (same === undefined) this.#byValue.set(name, [operation]);
    else same.push(operation);
    this.#all.push(operation);
    this.#latest = undefined;
  }

  judge(read: KeyValueOperation, key: string, value: unknown): RegularViolation | undefined {
    const called = (this.#byValue.get(nameOfValue(value)) ?? []).filter(
      ({ calledAt }) => calledAt <= read.returnedAt,
    );
    const last = this.#lastBefore(read.calledAt);
    if (value === undefined && last === undefined) return undefined;
    if (value !== undefined && called.length === 0) return { key, read, reason: "never-written" };
    if (last === undefined || called.some((write) => write.returnedAt >= last.calledAt)) {
      return undefined;
    }
    const found = called.reduce<KeyValueOperation | undefined>(
      (best, write) => (best === undefined || write.returnedAt > best.returnedAt ? write : best),
      undefined,
    );
    return { key, read, reason: "overwritten", found, overwrittenBy: last };
  }

  /** Among the writes that returned before `at`, the one that was called last. */
  #lastBefore(at: number): KeyValueOperation | undefined {
    this.#latest ??= this.#sortedLatest();
    let low = 0;
    let high = this.#latest.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#latest[middle]?.returnedAt as number) < at) low = middle + 1;
      else high = middle;
    }
    return this.#latest[low - 1]?.write;
  }

  #sortedLatest() {
    let write: KeyValueOperation | undefined;
    return [...this.#all]
      .filter(({ outcome, achieved }) => outcome === "applied" && achieved !== SUPERSEDED)
      .sort((a, b) => a.returnedAt - b.returnedAt)
      .map((each) => {
        if (write === undefined || each.calledAt > write.calledAt) write = each;
        return { returnedAt: each.returnedAt, write };
      });
  }
}
