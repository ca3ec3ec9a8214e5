import { beforeAll, describe, expect, test } from "vitest";
import type { HistoryCheck } from "../../src/core/contracts/strategy.ts";
import { type Finding, runHistory } from "../../src/simulation/verify/run-history.ts";
import { inspectSubject, type Subject } from "../../src/simulation/verify/subject.ts";
import { RAFT_GUARANTEES } from "../../src/strategies/raft/guarantees.ts";
import type { PlantedReplicaBugs } from "../../src/strategies/raft/planted-bugs.ts";
import { makeRaftStrategy } from "../../src/strategies/raft/raft-strategy.ts";

const SEEDS = [1, 2, 3, 4];
/** Of the operations that are judged; fewer where only those count that were done, or refused. */
const MOST_CHECKS = 100;
const FEWEST: Readonly<Record<string, number>> = {
  "one-winner-per-version": 30,
  "refused-leaves-nothing": 20,
};

function subject(planted?: PlantedReplicaBugs): Promise<Subject> {
  const strategy = planted === undefined ? "raft" : makeRaftStrategy({}, planted);
  const configuration = {
    cluster: { nodes: ["n1", "n2", "n3"] },
    transport: { type: "nats" },
    storage: { type: "disk", path: "./data" },
    keyspaces: { accounts: { strategy } },
  };
  return inspectSubject(configuration, "accounts");
}

describe("what the table promises of the raft strategy", () => {
  const findings: Finding[] = [];

  beforeAll(async () => {
    const raft = await subject();
    for (const seed of SEEDS) findings.push(...(await runHistory(raft, seed)).findings);
  }, 120_000);

  const rows = RAFT_GUARANTEES.flatMap(({ promise, checked = [] }) =>
    checked.flatMap(({ checks }) => checks.map((check) => ({ promise, check }))),
  );

  test.each(rows)("$check: $promise", ({ check }) => {
    const promised = findings.filter((each) => each.check === check && each.isPromised);
    expect(promised.filter(({ verdict }) => verdict !== "legal")).toEqual([]);
    expect(promised.reduce((sum, { judged }) => sum + judged, 0)).toBeGreaterThan(
      FEWEST[check] ?? MOST_CHECKS,
    );
  });

  test("nothing else that is promised is broken", () => {
    expect(findings.filter(({ isPromised, verdict }) => isPromised && verdict !== "legal")).toEqual(
      [],
    );
  });
});

describe("each checker sees when its promise is broken", () => {
  const BITES: readonly (readonly [PlantedReplicaBugs, readonly HistoryCheck[]])[] = [
    [{ conditionIgnored: true }, ["conditional-writes", "one-winner-per-version"]],
    [{ refusedIsWritten: true }, ["conditional-writes", "refused-leaves-nothing"]],
    [{ batchInParts: true }, ["all-or-nothing"]],
  ];

  test.each(BITES)(
    "%o breaks %o",
    async (planted, checks) => {
      const { defaults, ...rest } = await subject(planted);
      const { findings } = await runHistory({ ...rest, defaults, pairs: [defaults] }, 1);
      const broken = findings.filter(({ verdict }) => verdict === "illegal");
      expect(broken.map(({ check }) => check)).toEqual(expect.arrayContaining([...checks]));
      for (const finding of broken) {
        expect(finding).toMatchObject({
          isPromised: true,
          broken: { sentence: expect.any(String), violated: expect.anything() },
        });
      }
    },
    60_000,
  );
});
