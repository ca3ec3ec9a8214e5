import type { Strategy } from "../core/contracts/strategy.ts";
import { isCapstanError } from "../core/model/errors.ts";
import type { Level } from "../core/model/levels.ts";
import { checkPromises } from "./strategy-engine.ts";
import { type ConformanceSuite, check, checkEqual, checkThrows } from "./suite.ts";

export interface StrategyHarness {
  readonly strategy: Strategy;
  /** Options of a keyspace that are not allowed, each with one that is to be named. */
  readonly refusedOptions: readonly {
    readonly options: Readonly<Record<string, unknown>>;
    readonly names: string;
  }[];
}

const PATH = "keyspaces.accounts";

type Case = (harness: StrategyHarness) => void;

const CASES: Readonly<Record<string, Case>> = {
  "it has a name and a kind": ({ strategy }) => {
    check(/^[a-z][a-z0-9-]*$/.test(strategy.name), `the name "${strategy.name}"`);
    check(strategy.kind === "silent" || strategy.kind === "engine", `the kind ${strategy.kind}`);
  },
  "capabilities and guarantees speak of the same levels": ({ strategy }) => {
    checkPromises(strategy.capabilities, strategy.guarantees());
  },
  "no options give settings, whose levels are offered": ({ strategy }) => {
    const settings = strategy.parseSettings({}, PATH);
    const { readLevels, writeLevels } = strategy.capabilities;
    const isOffered = (levels: readonly Level[], level: unknown): boolean =>
      level === undefined || levels.includes(level as Level);
    check(isOffered(readLevels, settings.read), `reads at ${String(settings.read)}`);
    check(isOffered(writeLevels, settings.write), `writes at ${String(settings.write)}`);
  },
  "the same options give the same settings, and are not changed": ({ strategy }) => {
    const options = Object.freeze({});
    const first = JSON.stringify(strategy.parseSettings(options, PATH));
    checkEqual(JSON.stringify(strategy.parseSettings(options, PATH)), first, "settings");
  },
  "options that are not allowed are refused, with their path": ({ strategy, refusedOptions }) => {
    const unknown = { options: { noSuchOption: 1 }, names: "noSuchOption" };
    for (const { options, names } of [unknown, ...refusedOptions]) {
      checkThrows(
        () => strategy.parseSettings(options, PATH),
        (error) =>
          isCapstanError(error) &&
          error.code === "INVALID_CONFIGURATION" &&
          error.message.includes(`${PATH}.${names}`),
        `parseSettings with a wrong ${names}`,
      );
    }
  },
};

/** One case for each obligation that every `Strategy` has, whatever its kind. */
export function strategyConformance(harness: StrategyHarness): ConformanceSuite {
  const cases = Object.entries(CASES).map(([name, run]) => ({
    name,
    run: async () => run(harness),
  }));
  return { name: "Strategy", cases };
}
