import { beforeEach, describe, expect, test } from "vitest";
import type { Effects, ShardPlacement } from "../../../../src/core/contracts/machine.ts";
import type { Epoch, NodeId } from "../../../../src/core/model/ids.ts";
import type { Operation } from "../../../../src/core/model/operations.ts";
import type { LeaderlessMessage } from "../../../../src/strategies/leaderless/messages.ts";
import {
  expiryOf,
  isTombstone,
  liveValueOf,
  stampOf,
} from "../../../../src/strategies/leaderless/record.ts";
import type { PendingWrite } from "../../../../src/strategies/tunable/pending-write.ts";
import { WriteRounds } from "../../../../src/strategies/tunable/write-rounds.ts";
import { ALL, answer, NODES, pendingOf, stampAt } from "./write-world.ts";

interface Sent {
  readonly to: NodeId;
  readonly early: boolean;
  readonly message: LeaderlessMessage;
}

let rounds: WriteRounds;
let sent: Sent[];
let effects: Effects<LeaderlessMessage>;

beforeEach(() => {
  let last = 40;
  rounds = new WriteRounds(() => ++last);
  sent = [];
  const noting =
    (early: boolean) =>
    (to: NodeId, _role: string, _shard: number, message: LeaderlessMessage): void => {
      sent.push({ to, early, message });
    };
  effects = {
    send: noting(false),
    sendBeforeDurable: noting(true),
  } as unknown as Effects<LeaderlessMessage>;
});

function stamped(operation: Partial<Operation> = {}): PendingWrite {
  const pending = pendingOf(undefined, operation);
  pending.stampAs(stampAt(10), stampAt(9));
  return pending;
}

/** What was sent to the last replica that got something. */
function lastMessage() {
  const message = sent.at(-1)?.message;
  if (message?.type === "at-epoch") return message.message;
  return message;
}

function lastRecord(): Uint8Array {
  const message = lastMessage();
  if (message?.type !== "write") throw new Error("no write was sent");
  return message.keyed.record;
}

describe("a round that learns", () => {
  test("asks whoever can be reached for its newest stamp, and for nothing else", () => {
    const pending = pendingOf();
    rounds.learn(pending, 0b101, 7, effects);
    expect(sent.map(({ to }) => to)).toEqual([NODES[0], NODES[2]]);
    expect(lastMessage()).toMatchObject({ type: "read", requestId: 41, stampOnly: true });
    expect([pending.phase, pending.roundAtMs, pending.answers.asked]).toEqual(["learn", 7, 0b101]);
    expect(pending.sentTo).toBe(0);
  });

  test("is one of learning again where the write was sent, and refused, before", () => {
    const pending = stamped();
    rounds.send(pending, ALL, 0, effects);
    rounds.learn(pending, ALL, 0, effects);
    expect(pending.phase).toBe("learn");
  });
});

describe("a round that writes", () => {
  test("sends everybody whom it reaches the same version, before it is durable here", () => {
    rounds.send(stamped(), 0b110, 0, effects);
    expect(sent.map(({ to, early }) => [to, early])).toEqual([
      [NODES[1], true],
      [NODES[2], true],
    ]);
    expect(sent[0]?.message).toBe(sent[1]?.message);
    expect(lastMessage()).toMatchObject({ kind: "first-hand", requestId: 41, proof: stampAt(9) });
    expect(stampOf(lastRecord())).toEqual(stampAt(10));
    expect(liveValueOf(lastRecord())).toEqual(Buffer.from("v"));
  });

  test("sends a deletion without the value", () => {
    rounds.send(stamped({ type: "delete" }), ALL, 0, effects);
    expect(isTombstone(lastRecord())).toBe(true);
  });

  test("says when the value is gone", () => {
    const pending = stamped();
    Object.assign(pending, { expiresAtMs: 5_000 });
    rounds.send(pending, ALL, 0, effects);
    expect(expiryOf(lastRecord())).toBe(5_000);
  });

  test("adds to those who were sent the stamp before", () => {
    const pending = stamped();
    rounds.send(pending, 0b001, 0, effects);
    rounds.send(pending, 0b100, 0, effects);
    expect([pending.sentTo, pending.answers.asked]).toEqual([0b101, 0b100]);
  });

  test("names the epoch of a shard that was moved", () => {
    const pending = stamped();
    const placement: ShardPlacement = { epoch: 3 as Epoch, replicas: NODES, standIns: [] };
    pending.moveTo(placement, pending.demand);
    rounds.send(pending, ALL, 0, effects);
    expect(sent[0]?.message).toMatchObject({ type: "at-epoch", epoch: 3 });
  });
});

describe("a further round", () => {
  test("has an id of its own: an answer to the one before meets nobody", () => {
    const pending = stamped();
    rounds.send(pending, ALL, 0, effects);
    answer(pending, "stored");
    rounds.repeat(pending, ALL, 5, effects);
    expect(rounds.of(41)).toBeUndefined();
    expect(rounds.of(42)).toBe(pending);
    expect([rounds.size, pending.held, pending.answers.answered]).toEqual([1, 0, 0]);
  });

  test("does again what the write was at: it learns, or it is sent", () => {
    const learning = pendingOf();
    rounds.learn(learning, ALL, 0, effects);
    rounds.repeat(learning, ALL, 0, effects);
    expect(lastMessage()).toMatchObject({ type: "read" });
    rounds.repeat(stamped(), ALL, 0, effects);
    expect(lastMessage()).toMatchObject({ type: "write" });
  });
});

test("a write that has ended is of no round", () => {
  const [ended, other] = [stamped(), stamped()];
  for (const pending of [ended, other]) rounds.send(pending, ALL, 0, effects);
  rounds.end(ended);
  expect([...rounds.pending()]).toEqual([other]);
  expect(rounds.of(41)).toBeUndefined();
});
