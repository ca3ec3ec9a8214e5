import type { Guarantee, HistoryCheck } from "../../src/core/contracts/strategy.ts";
import type { Level } from "../../src/core/model/levels.ts";
import {
  type LevelPair,
  nameOfPair,
  promisedChecks,
} from "../../src/simulation/verify/promised-checks.ts";
import type { Finding } from "../../src/simulation/verify/run-history.ts";

/** One check of one line of a table, with the pairs of levels that this line speaks of itself. */
export interface PromiseRow {
  readonly promise: string;
  readonly check: HistoryCheck;
  readonly pairs: readonly string[];
  /** The pairs, or how many there are: for the name of a test. */
  readonly where: string;
}

const MOST_NAMED = 4;

/** Each level written with each level read. */
export function everyPairOf(levels: readonly Level[]): readonly LevelPair[] {
  return levels.flatMap((write) => levels.map((read) => ({ write, read })));
}

/** Of keys with so many copies. */
export function promiseRows(
  guarantees: readonly Guarantee[],
  everyPair: readonly LevelPair[],
  replicas: number,
): readonly PromiseRow[] {
  return guarantees.flatMap((guarantee) =>
    (guarantee.checked ?? []).flatMap(({ checks, between }) => {
      const alone = { ...guarantee, checked: [{ checks, between }] };
      const pairs = everyPair
        .filter((pair) => promisedChecks([alone], pair, replicas).size > 0)
        .map(nameOfPair);
      const isMany = pairs.length > MOST_NAMED;
      const where = isMany ? `${pairs.length} pairs of levels` : pairs.join(", ");
      return checks.map((check) => ({ promise: guarantee.promise, check, pairs, where }));
    }),
  );
}

/** What was found of a row's own pairs: what other rows have judged by the same check is no evidence. */
export function findingsOfRow(
  { check, pairs }: PromiseRow,
  findings: readonly Finding[],
): readonly Finding[] {
  return findings.filter(
    (each) => each.check === check && each.isPromised && pairs.includes(nameOfPair(each.pair)),
  );
}
