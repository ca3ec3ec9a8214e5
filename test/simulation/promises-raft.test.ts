import { beforeAll, describe, expect, test } from "vitest";
import { type Finding, runHistory } from "../../src/simulation/verify/run-history.ts";
import { inspectSubject, type Subject } from "../../src/simulation/verify/subject.ts";
import { RAFT_GUARANTEES } from "../../src/strategies/raft/guarantees.ts";

const SEEDS = [1, 2, 3, 4];

function subject(): Promise<Subject> {
  const configuration = {
    cluster: { nodes: ["n1", "n2", "n3"] },
    transport: { type: "nats" },
    storage: { type: "disk", path: "./data" },
    keyspaces: { accounts: { strategy: "raft" } },
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
    expect(promised.reduce((sum, { judged }) => sum + judged, 0)).toBeGreaterThan(100);
  });

  test("nothing else that is promised is broken", () => {
    expect(findings.filter(({ isPromised, verdict }) => isPromised && verdict !== "legal")).toEqual(
      [],
    );
  });
});
