import { open, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { isCapstanError } from "../../core/model/errors.ts";
import { type Caution, cautionsOf } from "../../simulation/verify/cautions.ts";
import { runHistory } from "../../simulation/verify/run-history.ts";
import { inspectSubject, keyspaceNamesOf, type Subject } from "../../simulation/verify/subject.ts";
import { Tally } from "../../simulation/verify/tally.ts";
import { EXIT } from "../exit-codes.ts";
import { loadConfiguration } from "../load-configuration.ts";
import { loadResolvers } from "../load-resolvers.ts";
import { ownCommand, shellWord } from "../own-command.ts";
import { printLine, type Surroundings } from "../surroundings.ts";
import { UsageError } from "../usage-error.ts";
import { htmlReport } from "./html-report.ts";
import { plainReport } from "./plain-report.ts";
import { type KeyspaceLaws, lawCautions, tryLaws } from "./resolver-laws.ts";
import { textReport } from "./text-report.ts";
import type { VerifyOptions } from "./verify-options.ts";
import { VerifyProgress } from "./verify-progress.ts";

/** What was found, for whichever form it is told in. */
export interface Verification {
  readonly options: VerifyOptions;
  readonly subjects: readonly Subject[];
  readonly cautions: readonly Caution[];
  /** Of resolvers that the configuration brings along. */
  readonly laws: readonly KeyspaceLaws[];
  readonly tally: Tally;
  readonly wasInterrupted: boolean;
  /** The command that runs one history of one keyspace again. */
  readonly repeat: (keyspace: string, seed: number) => string;
}

export async function runVerification(
  options: VerifyOptions,
  surroundings: Surroundings,
): Promise<number> {
  const { directory, stdout, env, interruption } = surroundings;
  const subjects = await loadSubjects(options, directory);
  if (options.report !== undefined) await mustBeWritable(options.report, directory);
  const tally = await runAll(subjects, options, surroundings);
  const laws = subjects.flatMap((subject) => tryLaws(subject) ?? []);
  const verification: Verification = {
    ...{ options, subjects, tally, laws },
    cautions: [
      ...subjects.flatMap((subject) => cautionsOf(subject, options.workload)),
      ...lawCautions(subjects, laws),
    ],
    wasInterrupted: interruption.requested,
    repeat: (keyspace, seed) => repeatCommand(options, surroundings, { keyspace, seed }),
  };
  if (options.report !== undefined) await writeReport(verification, options.report, directory);
  if (options.json) printLine(stdout, JSON.stringify(plainReport(verification)));
  else printLine(stdout, textReport(verification, stdout, env));
  if (verification.wasInterrupted) return EXIT.interrupted;
  return isViolated(verification) ? EXIT.violation : EXIT.done;
}

/** A resolver that breaks its laws needs no history to be wrong. */
export function isViolated({ tally, laws }: Verification): boolean {
  return tally.totals().violated > 0 || laws.some(({ report }) => !report.ok);
}

async function loadSubjects(
  options: VerifyOptions,
  directory: string,
): Promise<readonly Subject[]> {
  const loaded = await loadResolvers(await loadConfiguration(options.config, directory));
  const configuration = { ...loaded };
  try {
    const names =
      options.keyspace === undefined ? keyspaceNamesOf(configuration) : [options.keyspace];
    const subjects: Subject[] = [];
    for (const name of names) subjects.push(await inspectSubject(configuration, name));
    if (options.workload === "counter") subjects.forEach(mustTakeNumbers);
    return subjects;
  } catch (error) {
    throw isCapstanError(error) ? new UsageError(`${options.config}: ${error.message}`) : error;
  }
}

function mustTakeNumbers({ keyspace, values }: Subject): void {
  if (values.kind === "plain" || values.takesNumbers) return;
  throw new UsageError(
    `--workload counter writes 1, 2, 3, …, which the schema of keyspace ${keyspace.name} refuses; ` +
      "name a keyspace that takes numbers with --keyspace.",
  );
}

/** Seed by seed, so that an early end leaves every keyspace with as many histories. */
async function runAll(
  subjects: readonly Subject[],
  { seed: first, seeds, workload, json }: VerifyOptions,
  surroundings: Surroundings,
): Promise<Tally> {
  const { environment, interruption } = surroundings;
  const tally = new Tally();
  const progress = new VerifyProgress(seeds * subjects.length, json === true, surroundings);
  try {
    for (let seed = first; seed < first + seeds; seed += 1) {
      for (const subject of subjects) {
        // A history is computed in one go: signals are heard between two of them.
        await new Promise<void>((done) => environment.soon(done));
        if (interruption.requested) return tally;
        tally.add(await runHistory(subject, seed, workload));
        progress.update(tally.totals());
      }
    }
    return tally;
  } finally {
    progress.end();
  }
}

/** Found out before the histories, which may take hours, and not after them. */
async function mustBeWritable(file: string, directory: string): Promise<void> {
  try {
    const handle = await open(resolve(directory, file), "a");
    await handle.close();
  } catch (error) {
    throw unwritable(file, error);
  }
}

function unwritable(file: string, error: unknown): UsageError {
  return new UsageError(`${file} cannot be written: ${(error as Error).message}.`);
}

async function writeReport(
  verification: Verification,
  file: string,
  directory: string,
): Promise<void> {
  try {
    await writeFile(resolve(directory, file), htmlReport(verification));
  } catch (error) {
    throw unwritable(file, error);
  }
}

function repeatCommand(
  { config, workload }: VerifyOptions,
  { script, directory, env }: Surroundings,
  { keyspace, seed }: { readonly keyspace: string; readonly seed: number },
): string {
  const words = ["verify", "--config", config, "--keyspace", keyspace];
  if (workload !== "register") words.push("--workload", workload);
  words.push("--seed", String(seed), "--seeds", "1");
  return `${ownCommand(script, directory, env)} ${words.map(shellWord).join(" ")}`;
}
