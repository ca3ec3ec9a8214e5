import { describe, expect, test } from "vitest";
import { CapstanError } from "../../../../src/core/model/errors.ts";
import type { NodeId } from "../../../../src/core/model/ids.ts";
import type { Operation } from "../../../../src/core/model/operations.ts";
import { namingThoseThatLack, truthAbout } from "../../../../src/core/store/pending-faults.ts";
import { PendingRequest } from "../../../../src/core/store/request-table.ts";

const REASON = new CapstanError("STORE_CLOSED", "the store was closed");

function requestOf(operation: Partial<Operation>): PendingRequest {
  const done = { succeed: () => undefined, fail: () => undefined };
  return new PendingRequest(1, operation as Operation, 0, 100, done, () => undefined);
}

describe("what is pending when a machine ends", () => {
  test("is unknown, under its id, where its machine may have sent it", () => {
    const fault = truthAbout(requestOf({ type: "put" }), "id-1", REASON);
    expect(fault).toMatchObject({
      code: "STORE_CLOSED",
      outcome: "unknown",
      operationId: "id-1",
    });
  });

  test("is not applied where it was not sent", () => {
    for (const type of ["put", "get"] as const) {
      expect(truthAbout(requestOf({ type }), undefined, REASON).outcome).toBe("not-applied");
    }
  });

  test("is unknown of a change of members, which has no id, and not applied of a question", () => {
    const replicas = ["n1"] as NodeId[];
    const change = requestOf({ type: "members", options: { replicas } });
    expect(truthAbout(change, undefined, REASON).outcome).toBe("unknown");
    const question = requestOf({ type: "members" });
    expect(truthAbout(question, undefined, REASON).outcome).toBe("not-applied");
  });
});

describe("a fault of too few replicas", () => {
  const lacking = ["n2"] as NodeId[];

  test("names the nodes that were not given the keyspace, and says all else that it did", () => {
    const fault = new CapstanError("OUTCOME_UNKNOWN", "too few", {
      outcome: "unknown",
      operationId: "id-1",
      details: { needed: 2 },
    });
    expect(namingThoseThatLack("orders", fault, lacking)).toMatchObject({
      message: 'too few; not configured with keyspace "orders": n2',
      outcome: "unknown",
      operationId: "id-1",
      details: { needed: 2, lacking },
    });
  });

  test("stays as it is where no node lacks it, or where more replicas would not help", () => {
    const few = new CapstanError("UNAVAILABLE", "too few");
    expect(namingThoseThatLack("orders", few, [])).toBe(few);
    expect(namingThoseThatLack("orders", REASON, lacking)).toBe(REASON);
  });
});
