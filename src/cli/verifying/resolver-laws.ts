import type { CrdtResolver, Resolver } from "../../core/contracts/resolver.ts";
import { checkResolverLaws, type LawReport } from "../../resolvers/laws/check-resolver-laws.ts";
import type { Caution } from "../../simulation/verify/cautions.ts";
import type { Subject } from "../../simulation/verify/subject.ts";

/** Examples that each law is tried on; of values as the keyspace's clients write them. */
const RUNS = 300;
const VALUES = 40;

/** What a resolver of the user's own makes of its laws. */
export interface KeyspaceLaws {
  readonly keyspace: string;
  readonly report: LawReport;
}

/**
 * Tries the keyspace's resolver, where that is an object of the configuration: those that have a name
 * are Capstan's own. Undefined: there is none, or nothing to try it with.
 */
export function tryLaws({ keyspace, values }: Subject): KeyspaceLaws | undefined {
  const { resolver } = keyspace;
  if (!isResolver(resolver) || "join" in resolver) return undefined;
  const drawn = Array.from({ length: VALUES }, (_, at) => values.valueAt(at + 1));
  return {
    keyspace: keyspace.name,
    report: checkResolverLaws(resolver, { values: drawn, runs: RUNS }),
  };
}

/** Words for what the laws say of each keyspace. */
export function lawCautions(
  subjects: readonly Subject[],
  laws: readonly KeyspaceLaws[],
): readonly Caution[] {
  const broken = laws
    .filter(({ report }) => !report.ok)
    .map(({ keyspace, report }): Caution => {
      const names = report.broken.map(({ law }) => law).join(", ");
      const sentence =
        `its resolver breaks its laws (${names}): replicas that hold the same versions may give ` +
        "different answers, for good.";
      return { keyspace, code: "merge-breaks-laws", sentence };
    });
  const untried = subjects.flatMap(({ keyspace }): Caution[] => {
    const { resolver } = keyspace;
    if (!isResolver(resolver) || !("join" in resolver)) return [];
    const sentence =
      "its resolver is a CRDT of your own, whose operations cannot be drawn here: try its laws with " +
      "checkResolverLaws(resolver, { operations }) of capstan/resolvers.";
    return [{ keyspace: keyspace.name, code: "laws-not-tried", sentence }];
  });
  return [...broken, ...untried];
}

function isResolver(resolver: unknown): resolver is Resolver | CrdtResolver {
  return typeof (resolver as Partial<Resolver> | undefined)?.resolve === "function";
}
