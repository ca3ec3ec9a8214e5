import type { Resolver } from "../core/contracts/resolver.ts";
import { defineResolver } from "./define-resolver.ts";

/**
 * Keeps concurrent versions apart: a read gets all of them as siblings, with one context, and a
 * write with that context takes their place. Which versions are concurrent, the strategy knows by
 * its version vectors; nothing is lost, and the application settles.
 */
export function versionVector<Value = unknown>(): Resolver<Value> {
  return defineResolver<Value>({
    name: "version-vector",
    siblings: true,
    resolve: () => ({ type: "siblings" }),
  });
}
