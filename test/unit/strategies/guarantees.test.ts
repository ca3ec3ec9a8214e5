import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { DYNAMO_GUARANTEES } from "../../../src/strategies/dynamo/guarantees.ts";
import { RAFT_GUARANTEES } from "../../../src/strategies/raft/guarantees.ts";
import { TUNABLE_GUARANTEES } from "../../../src/strategies/tunable/guarantees.ts";

const REPOSITORY = new URL("../../../", import.meta.url);

test.each([
  ["raft", RAFT_GUARANTEES],
  ["dynamo", DYNAMO_GUARANTEES],
  ["tunable", TUNABLE_GUARANTEES],
])("every promise of %s names a test that there is", (strategy, guarantees) => {
  for (const { promise, shownBy, checked } of guarantees) {
    const file = new URL(shownBy, REPOSITORY);
    expect(existsSync(file), `${shownBy}, which shows: ${promise}`).toBe(true);
    const text = readFileSync(file, "utf8");
    // What checkers judge is shown by the test that holds the store to this very table.
    const table = `${strategy.toUpperCase()}_GUARANTEES`;
    if (checked !== undefined && /\/promises/.test(shownBy)) expect(text).toContain(table);
  }
});
