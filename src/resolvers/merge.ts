import type { ResolverVersion, SettlingResolver } from "../core/contracts/resolver.ts";
import { CapstanError } from "../core/model/errors.ts";
import { defineResolver } from "./define-resolver.ts";
import { compareVersions } from "./lww.ts";

/**
 * @param values of the concurrent versions, oldest first; each write once, at least two.
 * @param versions the same with their times and actors.
 */
export type MergeFunction<Value> = (
  values: readonly Value[],
  versions: readonly ResolverVersion<Value>[],
) => Value;

/**
 * The application's own merge: reads give what `merge` makes of the concurrent versions, which stay
 * as they are until a write with the read's context takes their place. `merge` has to be pure, and
 * its result must not hang on how versions are grouped (`checkResolverLaws` tries it). If it throws,
 * the versions stay apart.
 *
 * @param options `name`: what the keyspace's description shows, and what all nodes have to agree on.
 * Default `"merge"`.
 */
export function merge<Value = unknown>(
  merge: MergeFunction<Value>,
  options: { readonly name?: string } = {},
): SettlingResolver<Value> {
  if (typeof merge !== "function") {
    throw new CapstanError("INVALID_ARGUMENT", "merge takes a function of the values to merge");
  }
  return defineResolver<Value>({
    name: options.name ?? "merge",
    resolve: (versions) => {
      const ordered = versions.toSorted(compareVersions);
      const distinct = ordered.filter(
        (each, at) =>
          at === 0 || compareVersions(each, ordered[at - 1] as ResolverVersion<Value>) !== 0,
      );
      const [only] = distinct;
      if (only !== undefined && distinct.length === 1) return { type: "value", value: only.value };
      const values = distinct.map(({ value }) => value);
      return { type: "value", value: merge(values, distinct) };
    },
  });
}
