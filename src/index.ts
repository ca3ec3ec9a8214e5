/** Capstan: a replicated key-value store inside your own process. Names, no logic. */
export { builtIns, createMemoryHub, type MemoryHub, natsPermissions } from "./built-ins.ts";
export type { Environment } from "./core/contracts/environment.ts";
export { type Observer, SILENT_OBSERVER } from "./core/contracts/observer.ts";
// `export *`: only so `declare module "capstan" { interface Strategies { … } }` merges.
export * from "./core/contracts/registry.ts";
export type { StandardSchema } from "./core/contracts/standard-schema.ts";
export type { Guarantee } from "./core/contracts/strategy.ts";
export type {
  Duration,
  GroupBy,
  KeyspaceInput,
  NodeInput,
  PartitionPolicy,
  Size,
  StoreConfigurationInput,
} from "./core/model/configuration-types.ts";

export { DURABILITIES, type Durability } from "./core/model/durability.ts";
export {
  CapstanError,
  type CapstanErrorOptions,
  ERRORS,
  type ErrorCode,
  type ErrorDefinition,
  isCapstanError,
} from "./core/model/errors.ts";
export { STORE_EVENTS, type StoreEventType } from "./core/model/event-registry.ts";
export { LEVELS, type Level } from "./core/model/levels.ts";
export type { Outcome, RetryAdvice } from "./core/model/outcome.ts";
export type { Receipt, ReceiptReplicas } from "./core/model/receipt.ts";
export type { LackReason, LogEnd, ShardLack, UnservedShards } from "./core/model/shard-lack.ts";
export { VersionVector } from "./core/model/version-vector.ts";
export * from "./core/store/api.ts";
export {
  type Counted,
  type CountingObserver,
  type CountingObserverOptions,
  countingObserver,
} from "./core/store/counting-observer.ts";
export { defineConfig } from "./core/store/define-config.ts";
export {
  capstanModule,
  IDENTIFIERS,
  type ModulePlugIns,
  type StoreModule,
} from "./core/store/modules.ts";
export type { FrameFilter } from "./core/store/seams.ts";
export type {
  DefaultKeyspaces,
  DynamicName,
  KeyspaceConfiguration,
  KeyspaceOf,
  KeyspacesConfiguration,
  KeyspacesOf,
  RemoteKeyspaceOf,
  StoreConfiguration,
  TypedStore,
} from "./core/store/typed-store.ts";
export { valuesOf } from "./core/store/value-schema.ts";
export { type OpenStoreOptions, openStore } from "./open-store.ts";
