import { beforeEach, describe, expect, test } from "vitest";
import type { Effects, Sender } from "../../../../src/core/contracts/machine.ts";
import type { Fact } from "../../../../src/core/model/facts.ts";
import type { NodeId } from "../../../../src/core/model/ids.ts";
import type {
  LeaderlessMessage,
  WriteAck,
} from "../../../../src/strategies/leaderless/messages.ts";
import { LateCopies } from "../../../../src/strategies/tunable/late-copies.ts";
import type { PendingWrite } from "../../../../src/strategies/tunable/pending-write.ts";
import { WritePace } from "../../../../src/strategies/tunable/write-pace.ts";
import { answer, NODES, pendingOf, sentOf } from "./write-world.ts";

const ROUND = 1;
const OVERDUE_MS = 250;
const [OWN, , LAST] = NODES as [NodeId, NodeId, NodeId];

let late: LateCopies;
let pace: WritePace;
let facts: Fact[];
let hints: { readonly to: NodeId; readonly message: LeaderlessMessage; readonly lane?: string }[];
let effects: Effects<LeaderlessMessage>;

beforeEach(() => {
  pace = new WritePace();
  late = new LateCopies(OWN, pace);
  facts = [];
  hints = [];
  effects = {
    recordFact: (fact: Fact) => facts.push(fact),
    send: (to: NodeId, _role: string, _shard: number, message: LeaderlessMessage, lane?: string) =>
      hints.push({ to, message, ...(lane !== undefined && { lane }) }),
  } as unknown as Effects<LeaderlessMessage>;
});

function ackFrom(node: NodeId, verdict: WriteAck["verdict"]): boolean {
  const ack = { type: "write-ack", verdict } as WriteAck;
  return late.onAck({ node } as Sender, ack, ROUND, effects);
}

/** Answered when two of three had acknowledged it. */
function endedAtTwo(): PendingWrite {
  const pending = answer(sentOf(), "stored", "stored");
  late.ended(pending, 0, effects);
  return pending;
}

describe("a write that has ended", () => {
  test("with all answers leaves its fact at once, and nothing is waited for", () => {
    late.ended(answer(sentOf(), "stored", "stored", "equal"), 0, effects);
    expect(facts).toMatchObject([{ type: "replication", replicatedTo: NODES }]);
    expect(pace.size).toBe(0);
  });

  test("leaves none while copies of it are on their way", () => {
    endedAtTwo();
    expect(facts).toEqual([]);
    expect(pace.size).toBe(1);
  });

  test("before it was sent has no copies", () => {
    const learning = pendingOf();
    learning.beginRound(ROUND, 0b111, 0);
    late.ended(learning, 0, effects);
    expect([facts.length, pace.size]).toEqual([0, 0]);
  });
});

describe("an acknowledgement behind the answer", () => {
  test.each(["stored", "equal"] as const)("that says %s is of one more who has it", (verdict) => {
    endedAtTwo();
    expect(ackFrom(LAST, verdict)).toBe(true);
    expect(facts).toMatchObject([{ replicatedTo: NODES }]);
  });

  test("that refuses the copy ends the waiting, and is of nobody who has it", () => {
    endedAtTwo();
    expect(ackFrom(LAST, "newer")).toBe(true);
    expect(facts).toMatchObject([{ replicatedTo: NODES.slice(0, 2) }]);
  });

  test("leaves no fact while another one is awaited", () => {
    late.ended(answer(sentOf(), "stored"), 0, effects);
    expect(ackFrom(LAST, "stored")).toBe(true);
    expect(facts).toEqual([]);
  });

  test("is none of this if the write has not ended", () => {
    expect(ackFrom(LAST, "stored")).toBe(false);
  });
});

describe("copies that are overdue", () => {
  test("leave the fact of who has the write, and a hint for who does not", () => {
    endedAtTwo();
    late.giveUp(OVERDUE_MS - 1, effects);
    expect([facts.length, hints.length]).toEqual([0, 0]);
    late.giveUp(OVERDUE_MS, effects);
    expect(facts).toMatchObject([{ replicatedTo: NODES.slice(0, 2) }]);
    const hint = { type: "hint", targets: [LAST] };
    expect(hints).toMatchObject([{ to: OWN, message: hint, lane: "bulk" }]);
  });

  test("are given up once", () => {
    endedAtTwo();
    late.giveUp(OVERDUE_MS, effects);
    late.giveUp(2 * OVERDUE_MS, effects);
    expect([facts.length, hints.length]).toEqual([1, 1]);
    expect(ackFrom(LAST, "stored")).toBe(false);
  });
});

test("nobody gets a hint of a write that nobody is known to have, or that all have answered", () => {
  late.hint(answer(sentOf(), "newer"), effects);
  late.hint(answer(sentOf(), "stored", "stored", "newer"), effects);
  expect(hints).toEqual([]);
});
