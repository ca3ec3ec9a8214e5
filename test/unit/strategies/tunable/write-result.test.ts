import { describe, expect, test } from "vitest";
import type { Epoch, NodeId } from "../../../../src/core/model/ids.ts";
import type { PendingWrite } from "../../../../src/strategies/tunable/pending-write.ts";
import {
  abortedWrite,
  refusalByAll,
  unconfirmed,
  writeResultOf,
} from "../../../../src/strategies/tunable/write-result.ts";
import { answer, pendingOf, sentOf, stampAt } from "./write-world.ts";

const ID = "the-id";

function refusalOf(pending: PendingWrite) {
  const { code, outcome, operationId } = refusalByAll(pending, () => ID);
  return [code, outcome, operationId];
}

/** It has the stamp of an operation id, and may have been stored by an earlier try. */
function retried(...verdicts: readonly string[]): PendingWrite {
  return answer(sentOf(stampAt(10)), ...verdicts);
}

describe("the receipt of a write", () => {
  test("counts who holds it, but not whoever is being rebuilt", () => {
    const { receipt } = writeResultOf(
      answer(sentOf(), "stored", "equal", "stored*"),
      "v1",
      true,
      7,
    );
    expect(receipt).toMatchObject({
      achieved: "quorum",
      replicas: { total: 3, answered: 2, durable: 2 },
      pendingSync: true,
      durationMs: 7,
      epoch: 1,
    });
  });

  test("has nothing pending where all hold it", () => {
    const { receipt, version } = writeResultOf(
      answer(sentOf(), "stored", "stored", "stored"),
      "v1",
      true,
      0,
    );
    expect([receipt.pendingSync, version]).toEqual([false, "v1"]);
  });

  test("says less than was asked for where it was not met", () => {
    const { receipt } = writeResultOf(answer(sentOf(), "stored"), "v1", false, 0);
    expect(receipt).toMatchObject({ asked: "quorum", achieved: "one", consistent: false });
    expect(receipt.warning).toBe("Write quorum not met");
  });

  test("comes with a mark of the session where the call is of one", () => {
    const written = answer(sentOf(), "stored", "stored");
    expect(writeResultOf(written, "v1", true, 0)).not.toHaveProperty("session");
    const options = { session: { marks: [] } } as never;
    const inSession = answer(sentOf(undefined, { options }), "stored", "stored");
    expect(writeResultOf(inSession, "v1", true, 0).session).toBeDefined();
  });
});

describe("a write that all have refused", () => {
  test("as older than what they hold was stored nowhere", () => {
    expect(refusalOf(answer(sentOf(), "newer", "newer", "newer"))).toEqual([
      "SUPERSEDED",
      "not-applied",
      undefined,
    ]);
  });

  test("may have been stored by an earlier try of its id, or in an earlier round", () => {
    const unknown = ["SUPERSEDED", "unknown", ID];
    expect(refusalOf(retried("newer", "newer", "newer"))).toEqual(unknown);
    const again = sentOf();
    again.sentAgain = true;
    expect(refusalOf(answer(again, "newer", "newer", "newer"))).toEqual(unknown);
  });

  test("for its stamp says so, whatever the others said", () => {
    expect(refusalOf(answer(sentOf(), "newer", "skewed", "newer"))).toEqual([
      "CLOCK_SKEW",
      "not-applied",
      undefined,
    ]);
    expect(refusalOf(retried("skewed", "newer", "newer"))).toEqual(["CLOCK_SKEW", "unknown", ID]);
  });

  test("under a newer map alone was seen by nobody, if it was the first try", () => {
    expect(refusalOf(answer(sentOf(), "outdated", "outdated", "outdated"))).toEqual([
      "UNAVAILABLE",
      "not-applied",
      undefined,
    ]);
    expect(refusalOf(retried("outdated", "outdated", "outdated"))).toEqual([
      "OUTCOME_UNKNOWN",
      "unknown",
      ID,
    ]);
  });
});

describe("a write that too few have confirmed", () => {
  test("is unknown, and says how many have, of how many", () => {
    const fault = unconfirmed(answer(sentOf(), "stored", "stored*"), ID);
    expect(fault).toMatchObject({ code: "OUTCOME_UNKNOWN", outcome: "unknown", operationId: ID });
    expect(fault.message).toContain("1 of the 2 replicas that quorum needs confirmed it");
    expect(fault.details).toMatchObject({ asked: ["n1", "n2", "n3"], answered: ["n1", "n2"] });
    expect(fault.message).not.toContain("clock.maxSkew");
  });

  test("names those whose clocks its stamp is beyond", () => {
    const { message } = unconfirmed(answer(sentOf(), "stored", "skewed", "skewed"), ID);
    expect(message).toContain("n2, n3 refused its stamp");
  });
});

describe("a write that was aborted", () => {
  test("before it was sent has no effect", () => {
    const noId = () => {
      throw new Error("an id was made for what was never sent");
    };
    expect(abortedWrite(pendingOf(), noId)).toMatchObject({
      code: "ABORTED",
      outcome: "not-applied",
    });
  });

  test("after it was sent is unknown, and its id is told", () => {
    expect(abortedWrite(sentOf(), () => ID)).toMatchObject({
      code: "OUTCOME_UNKNOWN",
      outcome: "unknown",
      operationId: ID,
    });
  });

  test("is of the map under which it was sent", () => {
    const pending = sentOf();
    const replicas = ["n4", "n5", "n6"] as NodeId[];
    pending.moveTo({ epoch: 2 as Epoch, replicas, standIns: [] }, pending.demand);
    answer(pending, "stored");
    expect(writeResultOf(pending, "v1", false, 0).receipt.epoch).toBe(2);
  });
});
