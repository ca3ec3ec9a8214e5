export { type EnvironmentHarness, environmentConformance } from "./environment.ts";
export { logStoreConformance } from "./log-store.ts";
export { type ObserverHarness, observerConformance } from "./observer.ts";
export { type ResolverHarness, resolverConformance } from "./resolver.ts";
export { type CrdtHarness, crdtConformance } from "./resolver-crdt.ts";
export { stateStoreConformance } from "./state-store.ts";
export { storageConformance } from "./storage.ts";
export type { StorageFaults, StorageHarness } from "./storage-harness.ts";
export { engineConformance } from "./strategy-engine.ts";
export type { EngineHarness, EngineUnderTest } from "./strategy-engine-harness.ts";
export { type StrategyHarness, strategyConformance } from "./strategy-engine-settings.ts";
export type { ConformanceCase, ConformanceSuite, SuiteClock } from "./suite.ts";
export { ConformanceFailure } from "./suite.ts";
export {
  type TransportConformanceOptions,
  type TransportTestbed,
  transportConformance,
} from "./transport.ts";
