import { dynamoScenario } from "./dynamo/dynamo-scenario.ts";
import { raftScenario } from "./raft/raft-scenario.ts";
import type { StrategyScenario } from "./strategy-scenario.ts";
import { tunableScenario } from "./tunable/tunable-scenario.ts";

/** The strategies of which seeds draw keyspaces: one line for each. */
export const STRATEGY_SCENARIOS: readonly StrategyScenario[] = Object.freeze<StrategyScenario[]>([
  tunableScenario,
  dynamoScenario,
  raftScenario,
]);

/** @throws RangeError if there is none of that name. */
export function strategyScenario(strategy: string): StrategyScenario {
  const scenario = STRATEGY_SCENARIOS.find((each) => each.strategy === strategy);
  if (scenario !== undefined) return scenario;
  const known = STRATEGY_SCENARIOS.map((each) => each.strategy).join(", ");
  throw new RangeError(`strategy ${JSON.stringify(strategy)} has no scenario; allowed: ${known}`);
}
