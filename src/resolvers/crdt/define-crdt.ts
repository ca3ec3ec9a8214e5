import type { CrdtResolver, ResolverCapabilities } from "../../core/contracts/resolver.ts";

/** All of a CRDT that is its own: what every CRDT has alike is filled in by `defineCrdt`. */
export type CrdtDefinition<State, Op, Value> = Omit<
  CrdtResolver<State, Op, Value>,
  "capabilities" | "resolve"
>;

const CAPABILITIES: ResolverCapabilities = Object.freeze({
  joinsAt: "replica",
  siblings: false,
  operations: true,
});

/** The resolver of a CRDT: its `resolve` is its `join`. */
export function defineCrdt<State, Op, Value>(
  definition: CrdtDefinition<State, Op, Value>,
): CrdtResolver<State, Op, Value> {
  return Object.freeze({
    ...definition,
    capabilities: CAPABILITIES,
    resolve: (versions) => ({
      type: "value",
      value: versions.map(({ value }) => value).reduce((a, b) => definition.join(a, b)),
    }),
  } satisfies CrdtResolver<State, Op, Value>);
}
