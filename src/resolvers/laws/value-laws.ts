import type { Resolution, Resolver, ResolverVersion } from "../../core/contracts/resolver.ts";
import { decodeValue, encodeValue } from "../../core/model/values.ts";
import { compareVersions } from "../lww.ts";
import { difference, type Law, showValue } from "./law.ts";
import type { LawRandom } from "./law-random.ts";

type Versions = readonly ResolverVersion[];

const ACTORS = ["a", "b", "c"] as const;
const START_MS = Date.UTC(2026, 0, 1);
const MOST_VERSIONS = 4;
/** Few, so that versions of one time are common. */
const TIMES = 3;

/** Two to four concurrent versions, no two of one stamp. */
export function drawVersions(random: LawRandom, drawValue: () => unknown): Versions {
  const count = 2 + random.below(MOST_VERSIONS - 1);
  const versions: ResolverVersion[] = [];
  while (versions.length < count) {
    const version = {
      value: drawValue(),
      wallMs: START_MS + random.below(TIMES),
      counter: random.below(2),
      actor: random.pick(ACTORS),
    };
    if (versions.every((each) => compareVersions(each, version) !== 0)) versions.push(version);
  }
  return versions;
}

export function showVersions(versions: Versions): string[] {
  return versions.map(
    ({ value, wallMs, counter, actor }) =>
      `${actor} wrote ${showValue(value)} at ${wallMs - START_MS} ms + ${counter}`,
  );
}

/** What is compared: siblings are alike, however many. */
function comparable(resolution: Resolution): unknown {
  return resolution.type === "siblings" ? "siblings" : { value: resolution.value };
}

/** What stands for the versions afterwards: the value, under the greatest stamp. */
function combined(resolver: Resolver, versions: Versions): ResolverVersion | undefined {
  const resolution = resolver.resolve(versions);
  if (resolution.type === "siblings") return undefined;
  const greatest = versions.toSorted(compareVersions).at(-1) as ResolverVersion;
  return { ...greatest, value: resolution.value };
}

/** The laws of `Resolver`. */
export function valueLaws(resolver: Resolver): readonly Law<Versions>[] {
  return lawsOf(resolver).map(({ name, problem }) => ({
    name,
    problem: (versions) => problem(freshVersions(versions)),
  }));
}

/** One law's versions are no other's: a resolver may change what it is given. */
function freshVersions(versions: Versions): Versions {
  return versions.map((each) => ({ ...each, value: decodeValue(encodeValue(each.value)) }));
}

function lawsOf(resolver: Resolver): readonly Law<Versions>[] {
  const resolve = (versions: Versions): unknown => comparable(resolver.resolve(versions));
  return [
    {
      name: "the answer is a value, or siblings where the capabilities say so",
      problem: (versions) => {
        const { type } = resolver.resolve(versions);
        if (type === "value" || (type === "siblings" && resolver.capabilities.siblings)) return;
        return `resolve answers ${showValue(type)}`;
      },
    },
    ...(resolver.capabilities.keepsNewest === true ? [keepsNewest(resolve)] : []),
    {
      name: "resolve is deterministic",
      problem: (versions) =>
        difference("the second time it is", resolve(versions), resolve(versions)),
    },
    {
      name: "resolve is commutative",
      problem: (versions) =>
        difference("in the reverse order it is", resolve(versions.toReversed()), resolve(versions)),
    },
    {
      name: "resolve is idempotent",
      problem: (versions) => {
        const [first] = versions as [ResolverVersion];
        return difference(
          "with the first version twice it is",
          resolve([...versions, first]),
          resolve(versions),
        );
      },
    },
    { name: "resolve is associative", problem: (versions) => associativity(resolver, versions) },
    {
      name: "resolve does not change what it is given",
      problem: (versions) => {
        const before = encodeValue(versions);
        resolver.resolve(versions);
        return Buffer.compare(encodeValue(versions), before) === 0
          ? undefined
          : `the versions are ${showValue(versions)} afterwards`;
      },
    },
  ];
}

/** Whoever says so is not asked: the strategy takes the newest by itself. */
function keepsNewest(resolve: (versions: Versions) => unknown): Law<Versions> {
  return {
    name: "the answer is the newest version's value, as the capabilities say",
    problem: (versions) => {
      const { value } = versions.toSorted(compareVersions).at(-1) as ResolverVersion;
      return difference("it is", resolve(versions), { value });
    },
  };
}

/** All but the last in one step, and then the last; and the first, and then all the others. */
function associativity(resolver: Resolver, versions: Versions): string | undefined {
  const atOnce = comparable(resolver.resolve(versions));
  const [first, ...others] = versions as [ResolverVersion, ...ResolverVersion[]];
  const last = others.at(-1) as ResolverVersion;
  for (const [together, alone] of [
    [versions.slice(0, -1), last],
    [others, first],
  ] as const) {
    if (together.length < 2) continue;
    const step = combined(resolver, together);
    if (step === undefined) continue;
    const inSteps = comparable(resolver.resolve([step, alone]));
    const problem = difference("in two steps it is", inSteps, atOnce);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
