import type { ResolvedKeyspace } from "../../core/model/configuration-types.ts";

/**
 * How clients of a run use a keyspace, and what its reads can be judged by:
 * - `register`: a key has one value, some client's;
 * - `siblings`: concurrent values stay side by side, until a write that has seen them;
 * - `merged`: reads give what the resolver makes of the values, which nobody need have written;
 * - `counter`, `set`: operations of a CRDT that can be drawn;
 * - `unused`: a CRDT whose operations are not known here. It is read, and nothing more.
 */
export type KeyspaceUse = "register" | "siblings" | "merged" | "counter" | "set" | "unused";

const BY_RESOLVER: Readonly<Record<string, KeyspaceUse>> = Object.freeze({
  lww: "register",
  "version-vector": "siblings",
  union: "merged",
  "g-counter": "counter",
  "pn-counter": "counter",
  "g-set": "set",
  "or-set": "set",
});

export function useOf({ strategy, resolver }: ResolvedKeyspace): KeyspaceUse {
  if (resolver === undefined) return strategy === "dynamo" ? "siblings" : "register";
  if (typeof resolver === "string") return BY_RESOLVER[resolver] ?? "unused";
  return "join" in resolver ? "unused" : "merged";
}
