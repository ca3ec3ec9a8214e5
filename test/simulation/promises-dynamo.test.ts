import { beforeAll, describe, expect, test } from "vitest";
import type { HistoryCheck } from "../../src/core/contracts/strategy.ts";
import { type Finding, runHistory } from "../../src/simulation/verify/run-history.ts";
import { inspectSubject, type Subject } from "../../src/simulation/verify/subject.ts";
import { makeDynamoStrategy } from "../../src/strategies/dynamo/dynamo-strategy.ts";
import { DYNAMO_GUARANTEES } from "../../src/strategies/dynamo/guarantees.ts";
import type { PlantedDynamoBugs } from "../../src/strategies/dynamo/planted-bugs.ts";

const MOST_SEEDS = 10;
const RUNS = [
  [undefined, 1],
  ["version-vector", 3],
  ["pn-counter", 1],
  ["or-set", 1],
  ["lww", 2],
] as const;

function subjectOf(resolver: string | undefined, planted?: PlantedDynamoBugs): Promise<Subject> {
  const strategy = planted === undefined ? "dynamo" : makeDynamoStrategy(planted);
  const configuration = {
    cluster: { nodes: ["n1", "n2", "n3", "n4"] },
    transport: { type: "nats" },
    storage: { type: "disk", path: "./data" },
    keyspaces: { carts: { strategy, ...(resolver && { resolver }) } },
  };
  return inspectSubject(configuration, "carts");
}

/** At the keyspace's own levels alone, so that operations meet. */
async function narrowed(subject: Promise<Subject>): Promise<Subject> {
  const { defaults, ...rest } = await subject;
  return { ...rest, defaults, pairs: [defaults] };
}

describe("what the table promises of the dynamo strategy", () => {
  const findings: Finding[] = [];

  beforeAll(async () => {
    for (const [resolver, seed] of RUNS) {
      findings.push(...(await runHistory(await subjectOf(resolver), seed)).findings);
    }
  }, 120_000);

  const rows = DYNAMO_GUARANTEES.flatMap(({ promise, checked = [] }) =>
    checked.flatMap(({ checks }) => checks.map((check) => ({ promise, check }))),
  );

  test.each(rows)("$check: $promise", ({ check }) => {
    const promised = findings.filter((each) => each.check === check && each.isPromised);
    expect(promised.filter(({ verdict }) => verdict !== "legal")).toEqual([]);
    expect(promised.reduce((sum, { judged }) => sum + judged, 0)).toBeGreaterThan(100);
  });

  test("nothing else that is promised is broken, with none of the resolvers", () => {
    expect(findings.filter(({ isPromised, verdict }) => isPromised && verdict !== "legal")).toEqual(
      [],
    );
  });

  test("at one a read may miss what was acknowledged", () => {
    const missed = findings.find(
      ({ check, pair, verdict }) =>
        check === "sees-acknowledged" && pair.read === "one" && verdict === "illegal",
    );
    expect(missed).toMatchObject({ isPromised: false, broken: { operations: { length: 2 } } });
  });
});

describe("each checker sees when its promise is broken", () => {
  const BITES: readonly (readonly [HistoryCheck, PlantedDynamoBugs, string | undefined])[] = [
    ["no-silent-loss", { newestRecordWins: true }, undefined],
    ["every-increment-counts", { mintedTwice: true }, "pn-counter"],
    ["sees-acknowledged", { oneAcknowledgementLess: true }, undefined],
    ["truthful-outcome", { sentIsNotApplied: true }, undefined],
  ];

  test.each(BITES)(
    "%s, with %o and the resolver %s",
    async (check, planted, resolver) => {
      const subject = await narrowed(subjectOf(resolver, planted));
      const found = await firstBroken(subject, check);
      expect(found).toMatchObject({ isPromised: true, broken: { sentence: expect.any(String) } });
    },
    60_000,
  );
});

async function firstBroken(subject: Subject, check: HistoryCheck): Promise<Finding | undefined> {
  for (let seed = 1; seed <= MOST_SEEDS; seed += 1) {
    const { findings } = await runHistory(subject, seed);
    const broken = findings.find((each) => each.check === check && each.verdict === "illegal");
    if (broken !== undefined) return broken;
  }
  return undefined;
}
