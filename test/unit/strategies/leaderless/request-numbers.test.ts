import { expect, test } from "vitest";
import type { Sender } from "../../../../src/core/contracts/machine.ts";
import { NO_SEQUENCE, type NodeId } from "../../../../src/core/model/ids.ts";
import { hybridTimeOf } from "../../../../src/core/model/stamp.ts";
import type { LeaderlessMessage } from "../../../../src/strategies/leaderless/messages.ts";
import { Leaving } from "../../../../src/strategies/leaderless/place/leaving.ts";
import { makeKeyedRecord } from "../../../../src/strategies/leaderless/record.ts";
import { DEFAULT_REPAIR } from "../../../../src/strategies/leaderless/repair-settings.ts";
import { LeaderlessReplica } from "../../../../src/strategies/leaderless/replica.ts";
import {
  RequestNumbers,
  UPPER_HALF,
} from "../../../../src/strategies/leaderless/request-numbers.ts";
import { Floors } from "../../../../src/strategies/leaderless/settling/floors.ts";
import { Leader } from "../../../../src/strategies/leaderless/settling/leader.ts";
import { stampedSettling } from "../../../../src/strategies/leaderless/settling/stamped-settling.ts";
import { contextOf, OLD, SendingEffects } from "./place/place-world.ts";

const PER_MACHINE = 2 ** 20;
const NONE = NO_SEQUENCE;
const SEQUENCES = { lastSequence: NONE, appliedSequence: NONE, durableSequence: NONE };

/** The numbers by which a replica of node a asks for a stream, once it is opened. */
function asked(opening: number): readonly number[] {
  const effects = new SendingEffects();
  const replica = new LeaderlessReplica({ ...contextOf("a"), opening });
  const state = { origin: "kept", ...SEQUENCES } as const;
  replica.step({ type: "opened", state, nowMs: 0, wallMs: 1_000 }, effects);
  return numbersOf(effects, "range");
}

/** Those of what a node that holds the shard no longer hands over. */
function handedOver(opening: number): readonly number[] {
  const effects = new SendingEffects();
  const stamp = { time: 1, actorHigh: 1, actorLow: 1 };
  const { key, record } = makeKeyedRecord(Buffer.from("key"), stamp, Buffer.from("v"));
  effects.put(key, record);
  const leaving = new Leaving({
    context: { ...contextOf("d"), opening },
    settings: DEFAULT_REPAIR,
    replicas: () => OLD,
    onLeft: () => undefined,
  });
  leaving.start(effects);
  leaving.onTimer("place-leave", 20, effects);
  return numbersOf(effects, "handoff");
}

/** Those of its rounds of comparing. */
function compared(opening: number): readonly number[] {
  const effects = new SendingEffects();
  const replica = new LeaderlessReplica({ ...contextOf("a"), opening });
  effects.keep("complete", new Uint8Array([1]));
  const state = { origin: "kept", ...SEQUENCES } as const;
  replica.step({ type: "opened", state, nowMs: 0, wallMs: 1_000 }, effects);
  for (const [at, timer] of ["reconcile-round", "reconcile-work"].entries()) {
    const nowMs = 1_000 + at;
    replica.step({ type: "timer", timer, nowMs, wallMs: 1_000 + nowMs }, effects);
  }
  return numbersOf(effects, "reconcile");
}

/** Those of the spans by which it settles what may be let go of. */
function settled(opening: number): readonly number[] {
  const effects = new SendingEffects();
  const leader = new Leader({
    context: { ...contextOf("a"), opening },
    floors: new Floors(),
    rules: stampedSettling,
    planted: {},
    onFloor: () => undefined,
    onHindered: () => undefined,
  });
  const wallMs = Date.UTC(2_026, 0);
  const upTo = hybridTimeOf(wallMs);
  leader.begin(upTo, 0, wallMs + 1_000, effects);
  effects.sent.length = 0;
  for (const node of ["b", "c"] as NodeId[]) {
    const promised = { step: "promised", verdict: "promised", copies: 0 } as const;
    const message = {
      ...promised,
      type: "settle",
      requestId: 0,
      upTo,
      fence: 0,
      reapable: 0,
    } as const;
    leader.onAnswer({ node } as Sender, message, 1, effects);
  }
  return numbersOf(effects, "settle");
}

function numbersOf(effects: SendingEffects, type: LeaderlessMessage["type"]): readonly number[] {
  return effects.sent.flatMap(({ message }) => {
    const carried = message.type === "at-epoch" ? message.message : message;
    return carried.type === type && "requestId" in carried ? [carried.requestId] : [];
  });
}

function haveNoneInCommon(a: readonly number[], b: readonly number[]): void {
  expect(a.length).toBeGreaterThan(0);
  expect(b.length).toBe(a.length);
  expect(a.filter((number) => b.includes(number))).toEqual([]);
}

// The answer to the earlier one's question would be taken for another run of keys: those between would
// be lacking in a replica that counts.
test("a replica made in the place of one that threw asks for its stream by other numbers", () => {
  haveNoneInCommon(asked(0), asked(2));
});

// What is acknowledged is dropped, and it may not be what the other one was given.
test("and so does one that hands a shard over", () => {
  const [before, after] = [handedOver(0), handedOver(2)];
  haveNoneInCommon(before, after);
  for (const number of [...before, ...after]) expect(number).toBeGreaterThan(UPPER_HALF);
});

// A late "equal" to the earlier one's round would have ended the next one before it had compared anything.
test("and so does one that compares, or settles what may be let go of", () => {
  haveNoneInCommon(compared(0), compared(2));
  haveNoneInCommon(settled(0), settled(2));
  expect(Math.min(...settled(2))).toBeGreaterThan(Math.max(...settled(0)));
});

test("all numbers fit 32 bits, none is 0, and those of two machines differ", () => {
  const first = new RequestNumbers({});
  expect([first.next(), first.next()]).toEqual([1, 2]);
  expect(new RequestNumbers({ opening: 2 }).next()).toBe(2 * PER_MACHINE + 1);
  const late = new RequestNumbers({ opening: 2_047 });
  let most = 0;
  let least = UPPER_HALF;
  for (let times = 0; times < PER_MACHINE + 5; times++) {
    const number = late.next();
    most = Math.max(most, number);
    least = Math.min(least, number);
  }
  expect(least).toBe(2_047 * PER_MACHINE + 1);
  expect(UPPER_HALF + most).toBe(2 ** 32 - 1);
});
