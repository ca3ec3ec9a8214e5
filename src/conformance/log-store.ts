import { APPEND_CASES } from "./log-store-append-cases.ts";
import { READ_CASES } from "./log-store-read-cases.ts";
import { REOPEN_CASES } from "./log-store-reopen-cases.ts";
import { bindCases, type StorageHarness } from "./storage-harness.ts";
import type { ConformanceSuite } from "./suite.ts";

/** One case for each obligation of the `LogStore` contract. */
export function logStoreConformance(harness: StorageHarness): ConformanceSuite {
  return {
    name: "LogStore",
    cases: bindCases(harness, [...APPEND_CASES, ...READ_CASES, ...REOPEN_CASES]),
  };
}
