import type { Guarantee, StrategyCapabilities } from "../core/contracts/strategy.ts";
import { LEVELS } from "../core/model/levels.ts";
import { ANSWER_CASES, type EngineCase } from "./strategy-engine-answer-cases.ts";
import { FAULT_CASES } from "./strategy-engine-fault-cases.ts";
import type { EngineHarness } from "./strategy-engine-harness.ts";
import { EngineProbe } from "./strategy-engine-probe.ts";
import { WATCH_CASES } from "./strategy-engine-watch-cases.ts";
import { type ConformanceSuite, check, checkEqual } from "./suite.ts";

/** Every level that is offered is a word there is, and has a promise that names its test. */
export function checkPromises(
  capabilities: StrategyCapabilities,
  guarantees: readonly Guarantee[],
): void {
  const { readLevels, writeLevels, scanLevels } = capabilities;
  check(readLevels.length > 0 && writeLevels.length > 0, "no level to read or to write at");
  const offered = new Set([...readLevels, ...writeLevels, ...scanLevels]);
  for (const level of offered) {
    check((LEVELS as readonly string[]).includes(level), `${level} is not a level`);
    const promised = guarantees.some(({ levels }) => levels.includes(level));
    check(promised, `no guarantee speaks of the level ${level}, which is offered`);
  }
  for (const guarantee of guarantees) {
    for (const [field, text] of Object.entries(guarantee)) {
      check(text.length > 0, `a guarantee whose ${field} is empty`);
    }
    check(guarantee.shownBy.endsWith(".test.ts"), `${guarantee.shownBy} is not a test file`);
  }
}

const SELF_CASES: readonly EngineCase[] = [
  {
    name: "capabilities and guarantees speak of the same levels",
    run: async ({ under: { engine, level, scanLevel } }) => {
      checkPromises(engine.capabilities, engine.guarantees());
      check(engine.capabilities.readLevels.includes(level), `${level} is not offered to reads`);
      check(engine.capabilities.writeLevels.includes(level), `${level} is not offered to writes`);
      check(engine.capabilities.scanLevels.includes(scanLevel), `${scanLevel} is not for scans`);
    },
  },
  {
    name: "describe gives plain data",
    run: async (probe) => {
      await probe.written("k", "v");
      checkPlain(probe.under.engine.describe(), "describe()");
    },
  },
  {
    name: "an engine that can serve a level says that it is ready",
    run: async (probe) => {
      await probe.written("k", "v");
      checkEqual(probe.under.engine.isReady(probe.under.level), true, "isReady");
    },
  },
];

/** Objects, arrays, text, numbers, booleans and nothing: what HTTP and a console can show. */
function checkPlain(value: unknown, path: string): void {
  if (typeof value !== "object" || value === null) {
    const isPlain = ["string", "number", "boolean", "undefined"].includes(typeof value);
    check(isPlain || value === null, `${path} is a ${typeof value}`);
    return;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = Array.isArray(value) || prototype === Object.prototype || prototype === null;
  check(isPlain, `${path} is not a plain object`);
  for (const [name, each] of Object.entries(value)) checkPlain(each, `${path}.${name}`);
}

/** One case for each obligation of the `Engine` contract. */
export function engineConformance(harness: EngineHarness): ConformanceSuite {
  const cases = [...SELF_CASES, ...ANSWER_CASES, ...WATCH_CASES, ...FAULT_CASES].map(
    ({ name, run }) => ({
      name,
      run: async () => {
        const under = await harness.create();
        try {
          await run(new EngineProbe(under, harness));
        } finally {
          await under.dispose();
        }
      },
    }),
  );
  return { name: "Engine", cases };
}
