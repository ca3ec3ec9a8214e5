/**
 * `capstan/simulation`: the real store, strategies and log under virtual time, in one process, with
 * machines, networks and disks that fail as one seed says.
 */
export { MachineClock } from "./machine-clock.ts";
export { type ConnectionMode, GOOD_NETWORK, type NetworkConditions } from "./network-conditions.ts";
export { FAULT_KINDS, type FaultKind, type ScenarioPlan } from "./scenario/plan.ts";
export { runScenario, type ScenarioOptions, type ScenarioReport } from "./scenario/run-scenario.ts";
export { type Sometimes, sometimesNames } from "./scenario/sometimes.ts";
export { STRATEGY_SCENARIOS } from "./scenario/strategies.ts";
export type {
  CheckReport,
  Circumstances,
  KeyspaceKnobs,
  KeyspacePlan,
  KeyspaceRun,
  KeyspaceScene,
  MachinesPlan,
  StrategyScenario,
  Violation,
} from "./scenario/strategy-scenario.ts";
export { SeededRandom } from "./seeded-random.ts";
export { SimEnvironment, type SimEnvironmentOptions } from "./sim-environment.ts";
export { SimNetwork, type SimNetworkOptions } from "./sim-network.ts";
export { type CrashOptions, SimWorld, type SimWorldOptions } from "./sim-world.ts";
export { type SimulatedNodes, Simulation, type SimulationOptions, simulate } from "./simulate.ts";
export type { CutEffect } from "./simulated-file.ts";
export { VirtualTime } from "./virtual-time.ts";
