/** `capstan/resolvers`: the built-in resolvers as objects, and what it takes to make your own. */
export * from "../core/contracts/resolver.ts";
export type { HybridTime } from "../core/model/stamp.ts";
export type { ActorSum, ActorSums } from "./crdt/actor-sums.ts";
export { type AnyCrdtState, anyCrdt, type CrdtKinds } from "./crdt/any-crdt.ts";
export type { CausalContext, Run } from "./crdt/causal-context.ts";
export { type Decrement, gCounter, type Increment, pnCounter } from "./crdt/counters.ts";
export type { CrdtDefinition } from "./crdt/define-crdt.ts";
export type { Dotted, DottedEntry, DottedList, DottedMap } from "./crdt/dotted.ts";
export { type FlagOperation, type FlagState, flag } from "./crdt/flag.ts";
export { type Add, type GSetState, gSet } from "./crdt/g-set.ts";
export { type LwwRegisterState, lwwRegister, type SetValue } from "./crdt/lww-register.ts";
export { type MvRegisterState, mvRegister } from "./crdt/mv-register.ts";
export { type MapOperation, type OrMapState, orMap } from "./crdt/or-map.ts";
export { type OrSetState, orSet, type Remove, type SetOperation } from "./crdt/or-set.ts";
export { defineResolver, type ValueResolverDefinition } from "./define-resolver.ts";
export {
  type BrokenLaw,
  checkResolverLaws,
  type Drawn,
  type LawOptions,
  type LawReport,
} from "./laws/check-resolver-laws.ts";
export type { LawRandom } from "./laws/law-random.ts";
export { lww } from "./lww.ts";
export { type MergeFunction, merge } from "./merge.ts";
export { union, unionOfItems } from "./union-of-items.ts";
export { versionVector } from "./version-vector.ts";
