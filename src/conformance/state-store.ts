import { COMMIT_CASES } from "./state-store-commit-cases.ts";
import { GENERATION_CASES } from "./state-store-generation-cases.ts";
import { REOPEN_CASES } from "./state-store-reopen-cases.ts";
import { VIEW_CASES } from "./state-store-view-cases.ts";
import { bindCases, type StorageHarness } from "./storage-harness.ts";
import type { ConformanceSuite } from "./suite.ts";

/** One case for each obligation of the `StateStore` contract. */
export function stateStoreConformance(harness: StorageHarness): ConformanceSuite {
  return {
    name: "StateStore",
    cases: bindCases(harness, [
      ...COMMIT_CASES,
      ...VIEW_CASES,
      ...GENERATION_CASES,
      ...REOPEN_CASES,
    ]),
  };
}
