import { describe, expect, test } from "vitest";
import { runHistory } from "../../src/simulation/verify/run-history.ts";
import { inspectSubject, type Subject } from "../../src/simulation/verify/subject.ts";
import { makeDynamoStrategy } from "../../src/strategies/dynamo/dynamo-strategy.ts";
import { makeTunableStrategy } from "../../src/strategies/tunable/tunable-strategy.ts";

const NODES = Object.fromEntries(
  [1, 2, 3, 4, 5, 6].map((at) => [`n${at}`, { datacenter: at < 4 ? "east" : "west" }]),
);
const SLOW = { timeout: 120_000 };
/** The planted bug is found by one of these. */
const SEEDS = [4, 7];

const STRATEGIES = [
  ["tunable", makeTunableStrategy, ["regular", "batch-per-key"]],
  ["dynamo", makeDynamoStrategy, ["sees-acknowledged", "batch-per-key"]],
] as const;

/** Written in both datacenters, and read in one. */
function subjectOf(strategy: unknown): Promise<Subject> {
  const keyspace = { strategy, replicas: 6, read: "local-quorum", write: "each-quorum" };
  const configuration = {
    ...{ cluster: { nodes: NODES }, transport: { type: "nats" } },
    ...{ storage: { type: "disk", path: "./data" }, keyspaces: { profiles: keyspace } },
  };
  return inspectSubject(configuration, "profiles");
}

async function brokenIn(subject: Subject, seeds: readonly number[]): Promise<readonly string[]> {
  const broken: string[] = [];
  for (const seed of seeds) {
    const { findings } = await runHistory(subject, seed);
    for (const { check, isPromised, verdict } of findings) {
      if (isPromised && verdict === "illegal") broken.push(check);
    }
  }
  return broken;
}

describe.each(STRATEGIES)("a configuration of two datacenters, %s", (_name, make, checks) => {
  test("keeps its promises, those of local-quorum in each of the two", SLOW, async () => {
    const subject = await subjectOf(make());
    expect(await brokenIn(subject, SEEDS)).toEqual([]);
    const { findings } = await runHistory(subject, SEEDS[0] as number);
    const [first] = checks;
    const local = findings.find(
      ({ pair, check }) => pair.write === "local-quorum" && check === first,
    );
    expect(local).toMatchObject({ isPromised: true, judged: expect.any(Number) });
    expect(local?.judged).toBeGreaterThan(20);
  });

  test("each-quorum that is counted over all is found out", SLOW, async () => {
    const broken = await brokenIn(await subjectOf(make({ eachCountedOverAll: true })), SEEDS);
    expect(broken.length).toBeGreaterThan(0);
    for (const check of broken) expect(checks).toContain(check);
  });
});
