import type { Instance, TallyRow } from "../../simulation/verify/tally.ts";
import { historyLines } from "../../verification/index.ts";
import { describeResult } from "./describe-rows.ts";
import { isViolated, type Verification } from "./run-verification.ts";

/** For programs; names in snake_case, as everywhere in the CLI's JSON. */
export function plainReport(verification: Verification): Readonly<Record<string, unknown>> {
  const { tally, cautions, wasInterrupted, options, subjects } = verification;
  const { histories, simulatedMs, faults, operations, checked } = tally.totals();
  return {
    verdict: isViolated(verification) ? "violated" : "no-violation-found",
    interrupted: wasInterrupted,
    first_seed: options.seed,
    histories,
    simulated_ms: Math.round(simulatedMs),
    faults,
    operations,
    checked,
    answered: Object.fromEntries(
      subjects.map(({ keyspace }) => [keyspace.name, tally.answered(keyspace.name)]),
    ),
    guarantees: tally.rows().map((row) => plainRow(row, verification)),
    resolvers: verification.laws.map(({ keyspace, report: { ok, runs, laws, broken } }) => ({
      ...{ keyspace, ok, runs, laws, broken },
    })),
    cautions,
  };
}

function plainRow(row: TallyRow, { repeat }: Verification): Readonly<Record<string, unknown>> {
  const { keyspace, pair, check, isPromised, histories, broken, undecided, judged, first } = row;
  return {
    ...{ keyspace, read: pair.read, write: pair.write, guarantee: check, promised: isPromised },
    ...{ histories, broken, undecided, judged, sentence: describeResult(row) },
    ...(first && {
      seed: first.seed,
      repeat: repeat(keyspace, first.seed),
      ...plainInstance(first),
    }),
  };
}

function plainInstance({ sentence, operations, violated, faults }: Instance) {
  return {
    counterexample: {
      sentence,
      operations: plainOperations(operations),
      violated: violated && plainOperations([violated])[0],
      faults: faults.map(({ kind, fromMs, toMs, nodes, cuts }) => ({
        ...{ kind, nodes, cuts },
        from_ms: Math.round(fromMs),
        to_ms: Math.round(toMs),
      })),
    },
  };
}

/** In the fields of a history file. */
function plainOperations(operations: Instance["operations"]): readonly unknown[] {
  const [, ...lines] = historyLines(operations);
  return lines.map((line): unknown => JSON.parse(line));
}
