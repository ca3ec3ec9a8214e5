import { nameOfPair } from "../../simulation/verify/promised-checks.ts";
import type { Subject } from "../../simulation/verify/subject.ts";
import type { TallyRow } from "../../simulation/verify/tally.ts";

/** What a check demands, in words that need no paper. */
export const CHECK_SENTENCES: Readonly<Record<TallyRow["check"], string>> = Object.freeze({
  linearizable: "one copy of each key would have answered the same",
  regular: "a read finds what was written last before it, or beside it",
  "read-your-writes": "a client reads nothing older than what it wrote itself",
  "monotonic-reads": "a client reads nothing older than what it has read",
  "monotonic-writes": "a client's later write is the newer one",
  "writes-follow-reads": "a client's write is newer than what it had read",
  "no-lost-write": "what was acknowledged is there in the end, or something newer",
  "truthful-outcome": "what was said not to be applied is never seen",
  "no-silent-loss":
    "what was acknowledged is there in the end, or was replaced by somebody who had seen it",
  "sees-acknowledged":
    "a read finds what was acknowledged before, or what somebody who had seen it put in its place",
  "every-increment-counts": "every acknowledged increment is in the count",
  "operations-add-up": "a read shows what the operations that it knows come to, each of them once",
  "conditional-writes": "one copy of each key would have done and refused the same writes",
  "one-winner-per-version": "of the writes on the condition of one version one at most is done",
  "refused-leaves-nothing": "what a condition refused is never seen",
  "all-or-nothing": "the writes of a batch are seen together, or none of them is",
  "batch-per-key": "each write of a batch keeps what is promised of a write of its own",
  "serves-again": "once the faults are over every replica serves again",
  "no-fault-of-its-own": "no node fails but for the faults",
});

/** `strong`; the levels of calls that name none are marked. */
export function describeLevel(row: TallyRow, subject: Subject | undefined): string {
  const name = nameOfPair(row.pair);
  return subject !== undefined && isDefault(row, subject) ? `${name} *` : name;
}

export function isDefault({ pair }: TallyRow, { defaults }: Subject): boolean {
  return pair.write === defaults.write && pair.read === defaults.read;
}

/** Checks of the keyspace as a whole, whatever level is asked. */
export function isOfKeyspace({ check }: TallyRow): boolean {
  return check === "serves-again" || check === "no-fault-of-its-own";
}

/** Never "proved": a history that was not tried may break it. */
export function describeResult(row: TallyRow): string {
  const { histories, broken, undecided, isPromised, judged, first } = row;
  if (judged === 0 && broken === 0 && !isOfKeyspace(row)) return "nothing came to be judged";
  const noun = histories === 1 ? "history" : "histories";
  const rest = undecided === 0 ? "" : ` (undecided in ${undecided})`;
  if (broken === 0) return `no violation found in ${histories} ${noun}${rest}`;
  const word = isPromised ? "VIOLATED" : "broken";
  const seed = first === undefined ? "" : `, first by seed ${first.seed}`;
  return `${word} in ${broken} of ${histories} ${noun}${seed}${rest}`;
}
