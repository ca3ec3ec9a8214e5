import { expect, test } from "vitest";
import {
  type Incarnation,
  NO_SEQUENCE,
  type NodeId,
  type StoreId,
} from "../../../../src/core/model/ids.ts";
import type { LeaderlessMessage } from "../../../../src/strategies/leaderless/messages.ts";
import { atEpoch } from "../../../../src/strategies/leaderless/place/place-messages.ts";
import { makeKeyedRecord } from "../../../../src/strategies/leaderless/record.ts";
import { LeaderlessReplica } from "../../../../src/strategies/leaderless/replica.ts";
import { contextOf, SendingEffects } from "./place/place-world.ts";

const NONE = NO_SEQUENCE;
const SEQUENCES = { lastSequence: NONE, appliedSequence: NONE, durableSequence: NONE };
const MAX_RECORD_BYTES = 8_000;

/** What a replica of node a answers to a value of so many bytes, and whether it keeps it. */
function answerTo(
  valueBytes: number,
  how: "write" | "handoff",
  bound: { readonly maxRecordBytes?: number } = { maxRecordBytes: MAX_RECORD_BYTES },
) {
  const effects = new SendingEffects();
  const replica = new LeaderlessReplica({ ...contextOf("a"), ...bound });
  const state = { origin: "newborn", ...SEQUENCES } as const;
  replica.step({ type: "opened", state, nowMs: 0, wallMs: 1_000 }, effects);
  const stamp = { time: 1, actorHigh: 1, actorLow: 1 };
  const keyed = makeKeyedRecord(Buffer.from("key"), stamp, Buffer.alloc(valueBytes));
  const message: LeaderlessMessage =
    how === "handoff"
      ? { type: "handoff", requestId: 1, records: [keyed] }
      : atEpoch(
          { epoch: contextOf("a").placement(0).epoch },
          { type: "write", requestId: 1, kind: "write-back", proof: undefined, keyed },
        );
  const from = { node: "b" as NodeId, storeId: "s-b" as StoreId, incarnation: 1 as Incarnation };
  effects.sent.length = 0;
  const at = { nowMs: 1, wallMs: 1_001 };
  replica.step({ type: "message", from, shardIndex: 0, message, ...at }, effects);
  const refused = effects.sent.flatMap(({ message: sent }) => {
    const answer = sent.type === "at-epoch" ? sent.message : sent;
    return answer.type === "handoff-ack" ? (answer.refused ?? []) : [];
  });
  return { answers: effects.sent.length, refused, isHeld: effects.get(keyed.key) !== undefined };
}

// The log refuses it, and a node whose log refuses something stops.
test("a record that the log cannot hold is not taken, and nobody is told that it was", () => {
  for (const how of ["write", "handoff"] as const) {
    expect(answerTo(4_000, how)).toEqual({ answers: 1, refused: [], isHeld: true });
  }
  expect(answerTo(8_000, "write")).toEqual({ answers: 0, refused: [], isHeld: false });
});

// Whoever handed it over waited for an answer, and everything else that it had to hand over with it.
test("whoever hands such a record over is told which one it is", () => {
  expect(answerTo(8_000, "handoff")).toEqual({ answers: 1, refused: [0], isHeld: false });
});

test("nor is one that no message can carry, where a log in memory would hold it", () => {
  expect(answerTo(12 * 2 ** 20, "write", {})).toEqual({ answers: 1, refused: [], isHeld: true });
  expect(answerTo(16 * 2 ** 20, "write", {})).toEqual({ answers: 0, refused: [], isHeld: false });
});
