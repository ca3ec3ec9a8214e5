import type { FaultSpan } from "./fault-log.ts";
import type { BrokenPromise } from "./judge.ts";
import { type LevelPair, nameOfPair } from "./promised-checks.ts";
import type { Finding, HistoryReport } from "./run-history.ts";

/** A history in which a check was broken. */
export interface Instance extends BrokenPromise {
  readonly seed: number;
  readonly nodes: readonly string[];
  readonly faults: readonly FaultSpan[];
}

/** What all histories together say of one check at one pair of levels. */
export interface TallyRow {
  readonly keyspace: string;
  readonly pair: LevelPair;
  readonly check: Finding["check"];
  readonly isPromised: boolean;
  readonly histories: number;
  /** Of those: it was broken in so many, and the search came to no end in so many. */
  readonly broken: number;
  readonly undecided: number;
  /** Operations that were judged. */
  readonly judged: number;
  /** The first history that broke it. */
  readonly first: Instance | undefined;
}

export interface TallyTotals {
  readonly histories: number;
  readonly simulatedMs: number;
  readonly faults: number;
  readonly operations: number;
  /** Judged by the check that judged the most of them, for each pair and history. */
  readonly checked: number;
  /** Promises, not histories. */
  readonly violated: number;
}

/** Adds up histories. */
export class Tally {
  readonly #rows = new Map<string, { -readonly [Name in keyof TallyRow]: TallyRow[Name] }>();
  readonly #answered = new Map<string, number[]>();
  #histories = 0;
  #simulatedMs = 0;
  #faults = 0;
  #operations = 0;
  #checked = 0;

  add(report: HistoryReport): void {
    this.#histories += 1;
    this.#simulatedMs += report.simulatedMs;
    this.#faults += report.faults.length;
    this.#operations += report.operations;
    const judged = new Map<string, number>();
    for (const finding of report.findings) {
      const pair = nameOfPair(finding.pair);
      judged.set(pair, Math.max(judged.get(pair) ?? 0, finding.judged));
      this.#addFinding(report, finding);
    }
    for (const count of judged.values()) this.#checked += count;
    const answered = this.#answered.get(report.keyspace) ?? [];
    answered.push(report.answered);
    this.#answered.set(report.keyspace, answered);
  }

  /** In the order in which they were met. */
  rows(): readonly TallyRow[] {
    return [...this.#rows.values()];
  }

  /** Of the operations of a keyspace, the share that was answered under faults; undefined: none. */
  answered(keyspace: string): number | undefined {
    const shares = this.#answered.get(keyspace);
    return shares && shares.reduce((sum, share) => sum + share, 0) / shares.length;
  }

  totals(): TallyTotals {
    return {
      histories: this.#histories,
      simulatedMs: this.#simulatedMs,
      faults: this.#faults,
      operations: this.#operations,
      checked: this.#checked,
      violated: this.rows().filter(({ isPromised, broken }) => isPromised && broken > 0).length,
    };
  }

  #addFinding({ keyspace, seed, nodes, faults }: HistoryReport, finding: Finding): void {
    const { pair, check, isPromised, verdict, judged, broken } = finding;
    const name = JSON.stringify([keyspace, nameOfPair(pair), check]);
    const row = this.#rows.get(name) ?? {
      ...{ keyspace, pair, check, isPromised },
      ...{ histories: 0, broken: 0, undecided: 0, judged: 0, first: undefined },
    };
    this.#rows.set(name, row);
    row.histories += 1;
    row.judged += judged;
    if (verdict === "unknown") row.undecided += 1;
    if (verdict !== "illegal") return;
    row.broken += 1;
    if (row.first === undefined && broken !== undefined) {
      row.first = { ...broken, seed, nodes, faults };
    }
  }
}
