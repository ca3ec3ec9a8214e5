import type { ResolvedKeyspace } from "../../core/model/configuration-types.ts";
import { watchCrdt } from "../scenario/dynamo/watched-crdt.ts";

/**
 * How clients of a run use a keyspace, and what its reads can be judged by:
 * - `register`: a key has one value, some client's;
 * - `siblings`: concurrent values stay side by side, until a write that has seen them;
 * - `merged`: reads give what the resolver makes of the values, which nobody need have written;
 * - `crdt`: operations of a CRDT of Capstan's own, of which there is a model;
 * - `unused`: a CRDT whose operations are not known here. It is read, and nothing more.
 */
export type KeyspaceUse = "register" | "siblings" | "merged" | "crdt" | "unused";

const BY_RESOLVER: Readonly<Record<string, KeyspaceUse>> = Object.freeze({
  lww: "register",
  "version-vector": "siblings",
  union: "merged",
});

export function useOf({ strategy, resolver }: ResolvedKeyspace): KeyspaceUse {
  if (resolver === undefined) return strategy === "dynamo" ? "siblings" : "register";
  if (typeof resolver !== "string") return "join" in resolver ? "unused" : "merged";
  const isCrdt = strategy === "dynamo" && watchCrdt(resolver) !== undefined;
  return isCrdt ? "crdt" : (BY_RESOLVER[resolver] ?? "unused");
}
