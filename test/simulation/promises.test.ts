import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import type { HistoryCheck } from "../../src/core/contracts/strategy.ts";
import type { Level } from "../../src/core/model/levels.ts";
import { nameOfPair, promisedChecks } from "../../src/simulation/verify/promised-checks.ts";
import { type Finding, runHistory } from "../../src/simulation/verify/run-history.ts";
import { inspectSubject, type Subject } from "../../src/simulation/verify/subject.ts";
import { TUNABLE_GUARANTEES } from "../../src/strategies/tunable/guarantees.ts";
import type { PlantedBugs } from "../../src/strategies/tunable/planted-bugs.ts";
import { TUNABLE_LEVELS } from "../../src/strategies/tunable/settings.ts";
import { makeTunableStrategy } from "../../src/strategies/tunable/tunable-strategy.ts";
import { everyPairOf, findingsOfRow, promiseRows } from "../support/promise-rows.ts";

const SEEDS = [1, 2, 3];
const MOST_SEEDS = 60;
/** Of each row; those that speak of many pairs of levels have hundreds and more. */
const FEWEST_JUDGED = 50;
const EVERY_PAIR = everyPairOf(TUNABLE_LEVELS);
/** Those of which a row speaks because a majority of each datacenter is asked. */
const ACROSS_DATACENTERS = EVERY_PAIR.filter((pair) =>
  [
    ...["each-quorum", "each-quorum/quorum", "each-quorum/all", "each-quorum/local-quorum"],
    ...["quorum/each-quorum", "all/each-quorum", "all/local-quorum"],
  ].includes(nameOfPair(pair)),
);

function subjectOf(pairs: Subject["pairs"], planted?: PlantedBugs): Promise<Subject> {
  const strategy = planted === undefined ? "tunable" : makeTunableStrategy(planted);
  const configuration = {
    cluster: { nodes: ["n1", "n2", "n3"] },
    transport: { type: "nats" },
    keyspaces: { profiles: { strategy } },
  };
  return inspectSubject(configuration, "profiles").then((subject) => ({ ...subject, pairs }));
}

/** Two datacenters with three copies of each key in either: `quorum` is four of them, anywhere. */
async function datacentersOf(pairs: Subject["pairs"]): Promise<Subject> {
  const ids = ["e1", "e2", "e3", "w1", "w2", "w3"];
  const nodes = ids.map((id) => [id, { datacenter: id.startsWith("e") ? "east" : "west" }]);
  const configuration = {
    cluster: { nodes: Object.fromEntries(nodes) },
    transport: { type: "nats" },
    keyspaces: { profiles: { strategy: "tunable", replicas: 6 } },
  };
  return { ...(await inspectSubject(configuration, "profiles")), pairs };
}

function same(...levels: readonly Level[]): Subject["pairs"] {
  return levels.map((level) => ({ write: level, read: level }));
}

describe("what the table promises of the tunable strategy", () => {
  const findings: Finding[] = [];

  beforeAll(async () => {
    const broad = await subjectOf(EVERY_PAIR);
    const narrow = await subjectOf(same("strong", "quorum"));
    const datacenters = await datacentersOf(ACROSS_DATACENTERS);
    for (const subject of [broad, narrow, datacenters]) {
      for (const seed of SEEDS) findings.push(...(await runHistory(subject, seed)).findings);
    }
  }, 120_000);

  const rows = promiseRows(TUNABLE_GUARANTEES, EVERY_PAIR, 3);

  test.each(rows)("$check at $where: $promise", (row) => {
    const promised = findingsOfRow(row, findings);
    const broken = promised.filter(({ verdict }) => verdict === "illegal");
    expect(broken).toEqual([]);
    expect(promised.reduce((sum, { judged }) => sum + judged, 0)).toBeGreaterThan(FEWEST_JUDGED);
    expect(promised.filter(({ verdict }) => verdict === "unknown")).toHaveLength(0);
  });

  test("every replica serves again once the faults are over, and no node has a fault of its own", () => {
    const others = findings.filter(({ check }) => check === "serves-again");
    expect(others).toHaveLength(3 * SEEDS.length);
    expect(findings.filter(({ isPromised, verdict }) => isPromised && verdict !== "legal")).toEqual(
      [],
    );
  });
});

describe("each checker of the table sees when its promise is broken", () => {
  const BITES: readonly (readonly [HistoryCheck, PlantedBugs, Level, number])[] = [
    ["linearizable", { oneAnswerLess: true }, "strong", 1],
    ["regular", { oneAnswerLess: true }, "quorum", 1],
    ["read-your-writes", { oneAnswerLess: true }, "quorum", 1],
    ["monotonic-reads", { stalestAnswers: true }, "strong", 1],
    ["monotonic-writes", { ownCopyCountsTwice: true }, "quorum", 1],
    ["writes-follow-reads", { emptyReplicaServes: true }, "strong", 1],
    // From the first seed on it would take half a minute.
    ["no-lost-write", { stalestAnswers: true }, "strong", 36],
    ["truthful-outcome", { sentIsNotApplied: true }, "quorum", 1],
    ["batch-per-key", { sentIsNotApplied: true }, "quorum", 1],
  ];

  test.each(BITES)(
    "%s, with %o, at %s",
    async (check, planted, level, from) => {
      const whole = await subjectOf(same(level), planted);
      const subject = check === "batch-per-key" ? whole : withoutBatches(whole);
      const found = await firstBroken(subject, check, from);
      expect(found).toMatchObject({ isPromised: true, broken: { sentence: expect.any(String) } });
    },
    60_000,
  );
});

describe("which pairs of levels the table speaks of", () => {
  const regular = (replicas: number): readonly string[] =>
    EVERY_PAIR.filter((pair) =>
      promisedChecks(TUNABLE_GUARANTEES, pair, replicas).has("regular"),
    ).map(nameOfPair);

  test("of three replicas, those whose counts meet", () => {
    const meeting = regular(3);
    expect(meeting).toContain("quorum");
    expect(meeting).toContain("all/one");
    expect(meeting).toContain("two/quorum");
    expect(meeting).not.toContain("one/all");
    expect(meeting).not.toContain("quorum/one");
    expect(meeting).not.toContain("one");
  });

  test("of one replica, all", () => {
    const counts = EVERY_PAIR.filter(({ read, write }) => ![read, write].some(isOfDatacenters));
    const met = counts.filter(({ read, write }) => ![read, write].some(isMoreThanOne));
    expect(regular(1)).toEqual(expect.arrayContaining(met.map(nameOfPair)));
    const more = counts.filter((pair) => !met.includes(pair)).map(nameOfPair);
    expect(regular(1).filter((name) => more.includes(name))).toEqual([]);
  });

  test("of three replicas in whatever datacenters, each-quorum with majorities and local-quorum", () => {
    expect(regular(3)).toEqual(
      expect.arrayContaining(["each-quorum", "each-quorum/local-quorum", "quorum/each-quorum"]),
    );
    for (const name of ["local-quorum", "local-quorum/each-quorum", "quorum/local-quorum"]) {
      expect(regular(3)).not.toContain(name);
    }
  });

  test("linearizable is promised of strong alone", () => {
    const pairs = EVERY_PAIR.filter((pair) =>
      promisedChecks(TUNABLE_GUARANTEES, pair, 3).has("linearizable"),
    );
    expect(pairs.map(nameOfPair)).toEqual(["strong"]);
  });
});

describe("docs/verify.md", () => {
  const page = readFileSync(new URL("../../docs/verify.md", import.meta.url), "utf8");
  const flat = page.replaceAll(/\s+/g, " ");

  test.each(TUNABLE_GUARANTEES)("says: $promise", ({ levels, promise, condition, notPromised }) => {
    const named = levels.map((level) => `\`${level}\``).join(", ");
    for (const text of [`**${named}**: ${promise}`, condition, notPromised]) {
      expect(flat).toContain(text);
    }
  });
});

function isMoreThanOne(level: Level): boolean {
  return level === "two" || level === "three";
}

function isOfDatacenters(level: Level): boolean {
  return level === "local-quorum" || level === "each-quorum";
}

/** So that all operations are on the keys of its levels. */
function withoutBatches(subject: Subject): Subject {
  const { batch: _batch, ...description } = subject.description;
  return { ...subject, description };
}

async function firstBroken(
  subject: Subject,
  check: HistoryCheck,
  from: number,
): Promise<Finding | undefined> {
  for (let seed = from; seed < from + MOST_SEEDS; seed += 1) {
    const { findings } = await runHistory(subject, seed);
    const broken = findings.find((each) => each.check === check && each.verdict === "illegal");
    if (broken !== undefined) return broken;
  }
  return undefined;
}
