import type { CrdtResolver, Resolver } from "../../core/contracts/resolver.ts";
import { describeValue } from "../../core/model/configuration-problems.ts";
import { CapstanError } from "../../core/model/errors.ts";
import { crdtLaws, drawSteps, showSteps } from "./crdt-laws.ts";
import { type Law, problemUnder, shrink } from "./law.ts";
import { type LawRandom, SeededLawRandom } from "./law-random.ts";
import { drawVersions, showVersions, valueLaws } from "./value-laws.ts";

/** A list to draw from, or a function that draws; the same draws must give the same. */
export type Drawn<T> = readonly T[] | ((random: LawRandom) => T);

export interface LawOptions {
  /** What clients could write: for resolvers of plain values. */
  readonly values?: Drawn<unknown>;
  /** What clients could send to `update`: for CRDTs. Each has to pass `checkOperation`. */
  readonly operations?: Drawn<unknown>;
  /** Examples that each law is tried on. Default 500. */
  readonly runs?: number;
  /** Where the draws begin. Default 1. */
  readonly seed?: number;
}

export interface BrokenLaw {
  readonly law: string;
  /** What came out, and what should have. */
  readonly problem: string;
  /** The history or the versions, of which nothing can be left out. */
  readonly example: readonly string[];
  /** `checkResolverLaws` with `{ seed, runs: 1 }` begins with this example. */
  readonly seed: number;
}

export interface LawReport {
  readonly ok: boolean;
  /** Examples tried, each under every law that held until then. */
  readonly runs: number;
  /** The names of all laws that were tried. */
  readonly laws: readonly string[];
  readonly broken: readonly BrokenLaw[];
  /** All of it, for people. */
  readonly text: string;
}

const DEFAULT_RUNS = 500;
const MAX_RUNS = 10_000_000;

interface Trial<Part> {
  readonly laws: readonly Law<readonly Part[]>[];
  readonly draw: (random: LawRandom) => readonly Part[];
  readonly show: (parts: readonly Part[]) => readonly string[];
  readonly leastParts: number;
}

/**
 * Tries a resolver on random examples, and names each law that it breaks with the smallest example
 * that was found. Nothing random about it but the seed. A report without broken laws is evidence,
 * and no proof.
 *
 * @throws CapstanError `INVALID_ARGUMENT` for options that name nothing to draw from, and for what is
 * no resolver.
 */
export function checkResolverLaws(
  resolver: Resolver | CrdtResolver,
  options: LawOptions = {},
): LawReport {
  checkResolver(resolver);
  if ("join" in resolver) {
    const draw = drawerOf(options.operations, "operations", "a CRDT");
    return run(resolver.name, options, {
      laws: crdtLaws(resolver),
      draw: (random) => drawSteps(random, () => draw(random)),
      show: showSteps,
      leastParts: 0,
    });
  }
  const draw = drawerOf(options.values, "values", "a resolver of plain values");
  return run(resolver.name, options, {
    laws: valueLaws(resolver),
    draw: (random) => drawVersions(random, () => draw(random)),
    show: showVersions,
    leastParts: 2,
  });
}

function checkResolver(resolver: unknown): void {
  const isObject = typeof resolver === "object" && resolver !== null;
  if (isObject && ("join" in resolver || "resolve" in resolver)) return;
  throw new CapstanError(
    "INVALID_ARGUMENT",
    `checkResolverLaws takes a resolver, as of defineResolver, not ${describeValue(resolver)}`,
  );
}

function run<Part>(name: string, options: LawOptions, trial: Trial<Part>): LawReport {
  const runs = wholeNumber(options.runs ?? DEFAULT_RUNS, "runs", 1, MAX_RUNS);
  const first = wholeNumber(options.seed ?? 1, "seed", 0, 2 ** 32 - 1);
  const broken: BrokenLaw[] = [];
  let open = trial.laws;
  for (let seed = first; seed < first + runs && open.length > 0; seed += 1) {
    const parts = trial.draw(new SeededLawRandom(seed));
    const found = open.filter((law) => problemUnder(law, parts) !== undefined);
    if (found.length === 0) continue;
    broken.push(...found.map((law) => brokenLaw(law, parts, seed, trial)));
    open = open.filter((law) => !found.includes(law));
  }
  const laws = trial.laws.map((law) => law.name);
  const text = describe(name, runs, laws.length, broken);
  return { ok: broken.length === 0, runs, laws, broken, text };
}

function brokenLaw<Part>(
  law: Law<readonly Part[]>,
  parts: readonly Part[],
  seed: number,
  { leastParts, show }: Trial<Part>,
): BrokenLaw {
  const isBroken = (fewer: readonly Part[]): boolean => problemUnder(law, fewer) !== undefined;
  const smallest = shrink(parts, leastParts, isBroken);
  const problem = problemUnder(law, smallest) ?? "it differs from one time to the next";
  return { law: law.name, problem, example: show(smallest), seed };
}

function describe(name: string, runs: number, laws: number, broken: readonly BrokenLaw[]): string {
  if (broken.length === 0) return `${name} kept ${laws} laws over ${runs} examples.`;
  const lines = broken.map(({ law, problem, example, seed }) => {
    const steps = example.map((each) => `    ${each}`).join("\n");
    return `  ${law}: broken (seed ${seed})\n${steps}\n    → ${problem}`;
  });
  return `${name} broke ${broken.length} of ${laws} laws:\n${lines.join("\n")}`;
}

function drawerOf(
  drawn: Drawn<unknown> | undefined,
  option: string,
  what: string,
): (random: LawRandom) => unknown {
  if (typeof drawn === "function") return drawn;
  if (Array.isArray(drawn) && drawn.length > 0) return (random) => random.pick(drawn);
  throw new CapstanError(
    "INVALID_ARGUMENT",
    `to check ${what}, give ${option}: a list that is not empty, or a function that draws one`,
    { details: { option } },
  );
}

function wholeNumber(value: number, option: string, min: number, max: number): number {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw new CapstanError(
    "INVALID_ARGUMENT",
    `${option} is ${String(value)}; allowed: a whole number from ${min} to ${max}`,
    { details: { option } },
  );
}
