import { beforeAll, describe, expect, test } from "vitest";
import type { HistoryCheck } from "../../src/core/contracts/strategy.ts";
import { nameOfPair } from "../../src/simulation/verify/promised-checks.ts";
import { type Finding, runHistory } from "../../src/simulation/verify/run-history.ts";
import { inspectSubject, type Subject } from "../../src/simulation/verify/subject.ts";
import { makeDynamoStrategy } from "../../src/strategies/dynamo/dynamo-strategy.ts";
import { DYNAMO_GUARANTEES } from "../../src/strategies/dynamo/guarantees.ts";
import type { PlantedDynamoBugs } from "../../src/strategies/dynamo/planted-bugs.ts";
import { DYNAMO_LEVELS } from "../../src/strategies/dynamo/settings.ts";
import { everyPairOf, findingsOfRow, promiseRows } from "../support/promise-rows.ts";

const MOST_SEEDS = 10;
const FEWEST_JUDGED = 100;
const EVERY_PAIR = everyPairOf(DYNAMO_LEVELS);
/** Those of which a row speaks because a majority of each datacenter is asked. */
const ACROSS_DATACENTERS = EVERY_PAIR.filter((pair) =>
  [
    ...["each-quorum", "each-quorum/quorum", "each-quorum/all", "each-quorum/local-quorum"],
    ...["quorum/each-quorum", "all/each-quorum"],
  ].includes(nameOfPair(pair)),
);
const RUNS = [
  [undefined, 1],
  ["version-vector", 3],
  ["pn-counter", 1],
  ["or-set", 1],
  ["lww", 2],
  ["lww-register", 1],
  ["mv-register", 1],
  ["flag", 1],
  ["or-map", 1],
] as const;
const WITH_MODELS = [
  "pn-counter",
  "or-set",
  "lww-register",
  "mv-register",
  "flag",
  "or-map",
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

/** Two datacenters with three copies of each key in either: `quorum` is four of them, anywhere. */
async function datacenters(): Promise<Subject> {
  const ids = ["e1", "e2", "e3", "w1", "w2", "w3"];
  const nodes = ids.map((id) => [id, { datacenter: id.startsWith("e") ? "east" : "west" }]);
  const configuration = {
    cluster: { nodes: Object.fromEntries(nodes) },
    transport: { type: "nats" },
    storage: { type: "disk", path: "./data" },
    keyspaces: { carts: { strategy: "dynamo", replicas: 6 } },
  };
  return { ...(await inspectSubject(configuration, "carts")), pairs: ACROSS_DATACENTERS };
}

/** At the keyspace's own levels alone, so that operations meet. */
async function narrowed(subject: Promise<Subject>): Promise<Subject> {
  const { defaults, ...rest } = await subject;
  return { ...rest, defaults, pairs: [defaults] };
}

describe("what the table promises of the dynamo strategy", () => {
  const findings: Finding[] = [];
  const byResolver = new Map<string | undefined, readonly Finding[]>();

  beforeAll(async () => {
    for (const [resolver, seed] of RUNS) {
      const { findings: found } = await runHistory(await subjectOf(resolver), seed);
      findings.push(...found);
      byResolver.set(resolver, found);
    }
    const broad = { ...(await subjectOf(undefined)), pairs: EVERY_PAIR };
    for (const subject of [broad, await datacenters()]) {
      findings.push(...(await runHistory(subject, 1)).findings);
    }
  }, 120_000);

  const rows = promiseRows(DYNAMO_GUARANTEES, EVERY_PAIR, 3);

  test.each(rows)("$check at $where: $promise", (row) => {
    const promised = findingsOfRow(row, findings);
    expect(promised.filter(({ verdict }) => verdict !== "legal")).toEqual([]);
    expect(promised.reduce((sum, { judged }) => sum + judged, 0)).toBeGreaterThan(FEWEST_JUDGED);
  });

  test("nothing else that is promised is broken, with none of the resolvers", () => {
    expect(findings.filter(({ isPromised, verdict }) => isPromised && verdict !== "legal")).toEqual(
      [],
    );
  });

  test.each(WITH_MODELS)("what reads of %s show is compared with its model", (resolver) => {
    const compared = (byResolver.get(resolver) ?? []).filter(
      ({ check }) => check === "operations-add-up",
    );
    expect(compared.reduce((sum, { judged }) => sum + judged, 0)).toBeGreaterThan(50);
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
  const BITES: readonly (readonly [
    planted: PlantedDynamoBugs,
    resolver: string | undefined,
    checks: readonly HistoryCheck[],
  ])[] = [
    [{ newestRecordWins: true }, undefined, ["no-silent-loss", "batch-per-key"]],
    [{ oneAcknowledgementLess: true }, undefined, ["sees-acknowledged"]],
    [{ sentIsNotApplied: true }, undefined, ["truthful-outcome"]],
    [{ sentIsNotApplied: true }, "or-map", ["truthful-outcome"]],
    [{ statesNotJoined: true }, "or-map", ["no-silent-loss", "sees-acknowledged"]],
    [{ deltaTakenForState: true }, "g-counter", ["operations-add-up", "every-increment-counts"]],
    [{ deltaTakenForState: true }, "pn-counter", ["operations-add-up", "every-increment-counts"]],
    [{ deltaTakenForState: true }, "g-set", ["operations-add-up"]],
    [{ deltaTakenForState: true }, "or-set", ["operations-add-up"]],
    [{ deltaTakenForState: true }, "or-map", ["operations-add-up"]],
    [{ minterKeepsNothing: true }, "lww-register", ["operations-add-up"]],
    [{ minterKeepsNothing: true }, "mv-register", ["operations-add-up"]],
    [{ minterKeepsNothing: true }, "flag", ["operations-add-up", "sees-acknowledged"]],
  ];

  test.each(BITES)(
    "%o with the resolver %s breaks %o",
    async (planted, resolver, checks) => {
      const subject = await narrowed(subjectOf(resolver, planted));
      const found = await firstBroken(subject, checks);
      const whole = { isPromised: true, broken: { sentence: expect.any(String) } };
      expect(Object.fromEntries(found)).toMatchObject(
        Object.fromEntries(checks.map((check) => [check, whole])),
      );
    },
    60_000,
  );
});

/** Seed by seed, until each of the checks was broken. */
async function firstBroken(
  subject: Subject,
  checks: readonly HistoryCheck[],
): Promise<ReadonlyMap<string, Finding>> {
  const found = new Map<string, Finding>();
  for (let seed = 1; seed <= MOST_SEEDS; seed += 1) {
    const { findings } = await runHistory(subject, seed);
    for (const each of findings) {
      if (each.verdict === "illegal" && !found.has(each.check)) found.set(each.check, each);
    }
    if (checks.every((check) => found.has(check))) break;
  }
  return found;
}
