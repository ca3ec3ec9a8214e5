import { expect, test } from "vitest";
import type { Request, ShardPlacement } from "../../../../../src/core/contracts/machine.ts";
import type { Epoch, NodeId } from "../../../../../src/core/model/ids.ts";
import type { Demand } from "../../../../../src/strategies/leaderless/demand.ts";
import { PendingReads } from "../../../../../src/strategies/leaderless/reads/pending-reads.ts";
import { QuorumRead } from "../../../../../src/strategies/leaderless/reads/quorum-read.ts";
import { ReplicaAnswers } from "../../../../../src/strategies/leaderless/replica-answers.ts";

const PLACEMENT: ShardPlacement = {
  epoch: 1 as Epoch,
  replicas: ["n1", "n2", "n3"] as NodeId[],
  standIns: [],
};

/** Has until 1,100, and asks everybody at 1,050. */
function readOf(roundId: number): QuorumRead {
  return new QuorumRead({
    request: { id: roundId + 100 } as Request,
    key: Buffer.from("k"),
    shardIndex: 0,
    demand: {} as Demand,
    answers: new ReplicaAnswers(PLACEMENT),
    roundId,
    nowMs: 1_000,
    deadlineMs: 1_100,
  });
}

function holding(...reads: readonly QuorumRead[]): PendingReads<QuorumRead> {
  const pending = new PendingReads<QuorumRead>();
  for (const read of reads) pending.add(read);
  return pending;
}

test("a read that is answered is found by its round, and no more by its request", () => {
  const read = readOf(7);
  const pending = holding(read);
  expect([pending.ofRound(7), pending.ofRequest(read.request)]).toEqual([read, read]);
  pending.answered(read, false);
  expect([pending.ofRound(7), pending.ofRequest(read.request)]).toEqual([read, undefined]);
  expect(read.answered).toBe(true);
});

test("a read that all have answered is forgotten with its answer", () => {
  const read = readOf(7);
  const pending = holding(read);
  pending.answered(read, true);
  expect([pending.ofRound(7), pending.size]).toEqual([undefined, 0]);
});

test("late answers are awaited until the read's time is over", () => {
  const read = readOf(7);
  const pending = holding(read);
  pending.answered(read, false);
  pending.sweep(1_099, () => true);
  expect([pending.size, pending.sweepAtMs]).toEqual([1, 1_100]);
  pending.sweep(1_100, () => true);
  expect([pending.size, pending.sweepAtMs]).toEqual([0, Number.POSITIVE_INFINITY]);
});

test("a read that waits asks everybody after half of its time, again and again while some are away", () => {
  const pending = holding(readOf(7));
  expect(pending.sweepAtMs).toBe(1_050);
  let asked = 0;
  const widen = (isEverybodyAsked: boolean) => () => {
    asked++;
    return isEverybodyAsked;
  };
  pending.sweep(1_049, widen(false));
  expect([asked, pending.sweepAtMs]).toEqual([0, 1_050]);
  pending.sweep(1_060, widen(false));
  expect([asked, pending.sweepAtMs]).toEqual([1, 1_060]);
  pending.sweep(1_070, widen(true));
  expect([asked, pending.sweepAtMs]).toEqual([2, Number.POSITIVE_INFINITY]);
});
