import { describe, expect, test } from "vitest";
import type { Epoch, NodeId } from "../../../../src/core/model/ids.ts";
import { decodeOperationId } from "../../../../src/core/model/operation-id.ts";
import {
  isBehindSeen,
  isFirstTry,
  isMet,
  isOnlyOutdated,
  isRefusedByAll,
  operationIdOf,
} from "../../../../src/strategies/tunable/pending-write.ts";
import { ALL, answer, KEYSPACE_HASH, NODES, pendingOf, sentOf, stampAt } from "./write-world.ts";

const MOVED = { epoch: 2 as Epoch, replicas: ["n4", "n5", "n6"] as NodeId[], standIns: [] };

describe("a round", () => {
  test("counts from nothing, and remembers that a copy was taken", () => {
    const pending = answer(sentOf(), "stored", "newer", "skewed");
    pending.beginRound(2, 0b011, 50);
    const { held, newer, skewed, answers, roundAtMs } = pending;
    expect([held, newer, skewed, answers.answered, roundAtMs]).toEqual([0, 0, 0, 0, 50]);
    expect(answers.asked).toBe(0b011);
    expect([pending.stored, pending.sentTo]).toEqual([true, ALL]);
  });

  test("of another stamp has been sent to nobody yet", () => {
    const pending = answer(sentOf(), "newer", "newer", "newer");
    pending.stampAs(stampAt(20), stampAt(19));
    expect(pending.sentTo).toBe(0);
    expect([pending.stamp, pending.proof]).toEqual([stampAt(20), stampAt(19)]);
    expect(pending.attempts).toBe(2);
  });
});

test("is met by replicas that count, while none of those that were asked holds a newer one", () => {
  expect(isMet(answer(sentOf(), "stored", "stored*"))).toBe(false);
  expect(isMet(answer(sentOf(), "stored", "equal"))).toBe(true);
  expect(isMet(answer(sentOf(), "stored", "equal", "newer"))).toBe(false);
});

test("what the old self of a replica held is void, and was stored all the same", () => {
  const pending = answer(sentOf(), "stored", "newer");
  for (const node of NODES) pending.void(node);
  expect([pending.held, pending.newer]).toEqual([0, 0]);
  expect(pending.stored).toBe(true);
  expect(isRefusedByAll(pending)).toBe(false);
});

describe("is refused by all", () => {
  test("if each of those who were sent a copy has said so, for whatever reason", () => {
    expect(isRefusedByAll(answer(sentOf(), "newer", "skewed", "outdated"))).toBe(true);
    expect(isRefusedByAll(answer(sentOf(), "newer", "skewed"))).toBe(false);
  });

  test("not if one of an earlier round has not said so: its copy may be on its way", () => {
    const pending = sentOf();
    pending.beginRound(2, 0b011, 50);
    expect(isRefusedByAll(answer(pending, "newer", "newer"))).toBe(false);
  });
});

describe("when others come to hold the shard", () => {
  test("what was seen by those before is an earlier try", () => {
    const pending = answer(sentOf(), "newer", "outdated", "outdated");
    pending.moveTo(MOVED, pending.demand);
    expect(isFirstTry(pending)).toBe(false);
    expect([pending.sentTo, pending.answers.placement]).toEqual([0, MOVED]);
  });

  test("what all of them refused unseen is none", () => {
    const pending = answer(sentOf(), "outdated", "outdated", "outdated");
    expect(isOnlyOutdated(pending)).toBe(true);
    pending.moveTo(MOVED, pending.demand);
    expect(isFirstTry(pending)).toBe(true);
  });

  test("what has not been stamped yet has not been tried either", () => {
    const pending = pendingOf();
    pending.beginRound(1, ALL, 0);
    pending.moveTo(MOVED, pending.demand);
    expect(isFirstTry(pending)).toBe(true);
  });
});

test("a stamp of its own is behind what its writer has seen since, unless that is of the same time", () => {
  const behind = (fixed: number | undefined, seen: number): boolean => {
    const pending = pendingOf(fixed === undefined ? undefined : stampAt(fixed, 1));
    pending.newest = stampAt(seen);
    return isBehindSeen(pending);
  };
  expect([behind(5, 6), behind(5, 5), behind(undefined, 6)]).toEqual([true, false, false]);
});

test("its id is the one that it came with, or says its stamp and its key", () => {
  expect(operationIdOf(pendingOf(undefined, { operationId: "given" }), KEYSPACE_HASH)).toBe(
    "given",
  );
  const id = decodeOperationId(operationIdOf(sentOf(), KEYSPACE_HASH));
  expect(id.keyspaceHash).toBe(KEYSPACE_HASH);
  expect(id.stamp).toEqual(stampAt(10, 1));
  expect(Buffer.from(id.key as Uint8Array).toString()).toBe("key");
});
