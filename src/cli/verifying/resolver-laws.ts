import type { CrdtResolver, Resolver } from "../../core/contracts/resolver.ts";
import { encodeValue } from "../../core/model/values.ts";
import { checkResolverLaws, type LawReport } from "../../resolvers/laws/check-resolver-laws.ts";
import { SeededLawRandom } from "../../resolvers/laws/law-random.ts";
import { drawVersions } from "../../resolvers/laws/value-laws.ts";
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
export function tryLaws(subject: Subject): KeyspaceLaws | undefined {
  const { keyspace } = subject;
  const resolver = ownMerge(subject);
  if (resolver === undefined || refusalOfText(subject, resolver) !== undefined) return undefined;
  return {
    keyspace: keyspace.name,
    report: checkResolverLaws(resolver, { values: drawnValues(subject), runs: RUNS }),
  };
}

/** How many of the resolvers break a law: each is a violation, as a broken promise is. */
export function countBroken(laws: readonly KeyspaceLaws[]): number {
  return laws.filter(({ report }) => !report.ok).length;
}

/** What the laws say of a keyspace, in one line. */
export function describeLaws({ report: { ok, runs, laws, broken } }: KeyspaceLaws): string {
  if (ok) return `kept in ${runs} examples`;
  return `VIOLATED: ${broken.length} of ${laws.length} laws`;
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
  return [...broken, ...subjects.flatMap((subject) => untriedCautions(subject, laws))];
}

/** What was not tried of a resolver, or on other values than the keyspace will hold. */
function untriedCautions(subject: Subject, laws: readonly KeyspaceLaws[]): readonly Caution[] {
  const { name: keyspace, resolver } = subject.keyspace;
  if (isResolver(resolver) && "join" in resolver) {
    const sentence =
      "its resolver is a CRDT of your own, whose operations cannot be drawn here: try its laws with " +
      "checkResolverLaws(resolver, { operations }) of capstan/resolvers.";
    return [{ keyspace, code: "laws-not-tried", sentence }];
  }
  const merge = ownMerge(subject);
  if (merge === undefined || subject.values.kind === "schema") return [];
  const rest =
    "no schema tells what its values are. Declare one, or try the laws with " +
    "checkResolverLaws(resolver, { values }) of capstan/resolvers.";
  const refusal = refusalOfText(subject, merge);
  if (refusal !== undefined) {
    const sentence = `the laws of its resolver were not tried: on text it throws (${refusal}), and ${rest}`;
    return [{ keyspace, code: "laws-not-tried", sentence }];
  }
  if (laws.some((each) => each.keyspace === keyspace && !each.report.ok)) return [];
  const sentence = `the laws of its resolver were tried on text alone ("v1", "v2", …): ${rest}`;
  return [{ keyspace, code: "laws-tried-on-text", sentence }];
}

function drawnValues({ values }: Subject): readonly unknown[] {
  return Array.from({ length: VALUES }, (_, at) => values.valueAt(at + 1));
}

/**
 * Text stands for values that nobody has described. A resolver that cannot take it, or makes of it what
 * cannot be stored, breaks no law: the examples of the laws are not its keyspace's.
 */
function refusalOfText(subject: Subject, resolver: Resolver): string | undefined {
  if (subject.values.kind === "schema") return undefined;
  const values = drawnValues(subject);
  for (let seed = 1; seed <= RUNS; seed += 1) {
    const random = new SeededLawRandom(seed);
    try {
      const resolution = resolver.resolve(drawVersions(random, () => random.pick(values)));
      if (resolution.type === "value") encodeValue(resolution.value);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
  return undefined;
}

/** A resolver of plain values that the configuration brings along. */
function ownMerge({ keyspace: { resolver } }: Subject): Resolver | undefined {
  return isResolver(resolver) && !("join" in resolver) ? resolver : undefined;
}

function isResolver(resolver: unknown): resolver is Resolver | CrdtResolver {
  return typeof (resolver as Partial<Resolver> | undefined)?.resolve === "function";
}
