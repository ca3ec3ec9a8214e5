import type { KeyValueOperation } from "../../verification/index.ts";
import { nameOfValue } from "../../verification/register-values.ts";
import { describeCall, type Judgement } from "./judge.ts";

/** Which values clients had seen when they wrote, by key: what their writes replaced. */
export class SeenValues {
  readonly #seen = new Map<string, Set<string>>();

  /** A write of `value` (undefined: a deletion) comes with the context of these values. */
  note(key: string, value: unknown, seen: readonly unknown[]): void {
    const name = nameOf(key, nameOfValue(value));
    const before = this.#seen.get(name) ?? new Set();
    this.#seen.set(name, before);
    for (const each of seen) before.add(nameOfValue(each));
  }

  /** For each value, the place of the earliest call that may have replaced it. */
  replacements(writes: readonly Write[]): ReadonlyMap<string, number> {
    const earliest = new Map<string, number>();
    for (const { key, name, operation } of writes) {
      for (const replaced of this.#seen.get(nameOf(key, name)) ?? []) {
        if (replaced === name) continue;
        const at = nameOf(key, replaced);
        const { calledAt } = operation;
        earliest.set(at, Math.min(earliest.get(at) ?? calledAt, calledAt));
      }
    }
    return earliest;
  }
}

/**
 * Every acknowledged value is there in the end, or a write that may have taken effect had seen it,
 * and so replaced it.
 *
 * @param finals what a read of all replicas found in the end, by key.
 */
export function judgeSilentLoss(
  history: readonly KeyValueOperation[],
  seen: SeenValues,
  finals: ReadonlyMap<string, readonly unknown[]>,
): Judgement {
  const writes = writesOf(history);
  const replacements = seen.replacements(writes);
  let judged = 0;
  for (const write of writes.filter(isAcknowledged)) {
    const { key, name } = write;
    const found = finals.get(key);
    if (found === undefined) continue;
    judged += 1;
    if (replacements.has(nameOf(key, name))) continue;
    if (found.some((each) => nameOfValue(each) === name)) continue;
    const last = history.findLast((each) => each.client === "final" && keyOf(each) === key);
    const sentence = `${describeCall(write.operation)} was acknowledged, nobody who had seen it wrote again, and it is gone in the end.`;
    const operations = [write.operation, ...(last === undefined ? [] : [last])];
    return { verdict: "illegal", judged, broken: { sentence, operations, violated: last } };
  }
  return { verdict: "legal", judged };
}

/**
 * Every read finds each value that was acknowledged before it was called, or what a write that had
 * seen it may have put in its place.
 */
export function judgeSeesAcknowledged(
  history: readonly KeyValueOperation[],
  seen: SeenValues,
): Judgement {
  const writes = writesOf(history);
  const replacements = seen.replacements(writes);
  const acknowledged = writes.filter(isAcknowledged);
  let judged = 0;
  for (const read of history) {
    const { input, output, outcome } = read;
    if (input.type !== "get" || outcome !== "applied" || output === undefined) continue;
    judged += 1;
    const values = output.siblings ?? (output.value === undefined ? [] : [output.value]);
    const found = new Set(values.map(nameOfValue));
    const missed = acknowledged.find(({ key, name, operation }) => {
      if (key !== input.key || found.has(name) || operation.returnedAt >= read.calledAt)
        return false;
      const replacedAt = replacements.get(nameOf(key, name));
      return replacedAt === undefined || replacedAt > read.returnedAt;
    });
    if (missed === undefined) continue;
    const sentence = `${describeCall(read)} does not find what ${describeCall(missed.operation)} had written before, and nobody who had seen it wrote again.`;
    const broken = { sentence, operations: [missed.operation, read], violated: read };
    return { verdict: "illegal", judged, broken };
  }
  return { verdict: "legal", judged };
}

interface Write {
  readonly operation: KeyValueOperation;
  readonly key: string;
  /** Of its value. */
  readonly name: string;
}

/** Those that may have taken effect. */
function writesOf(history: readonly KeyValueOperation[]): readonly Write[] {
  return history.flatMap((operation): Write[] => {
    const { input, outcome } = operation;
    if (outcome === "not-applied" || input.type === "get" || input.type === "batch") return [];
    const name = nameOfValue(input.type === "put" ? input.value : undefined);
    return [{ operation, key: input.key, name }];
  });
}

function isAcknowledged({ operation }: Write): boolean {
  return operation.outcome === "applied" && operation.input.type === "put";
}

function keyOf({ input }: KeyValueOperation): string | undefined {
  return input.type === "batch" ? undefined : input.key;
}

function nameOf(key: string, name: string): string {
  return JSON.stringify([key, name]);
}
