import { expect, test } from "vitest";
import type { Effects } from "../../../../src/core/contracts/machine.ts";
import type { NodeId } from "../../../../src/core/model/ids.ts";
import { ShardMachine } from "../../../../src/strategies/raft/apply.ts";
import type { RaftMessage, ReadMessage } from "../../../../src/strategies/raft/client-messages.ts";
import { ReadDesk } from "../../../../src/strategies/raft/read-desk.ts";

const PEER = "n2" as NodeId;
const FULL = 65_536;

/** A desk, how far away its timer is set, if it is, and whom it has refused. */
function openDesk() {
  const refused: string[] = [];
  const desk = new ReadDesk(
    {
      machine: new ShardMachine(0, () => undefined),
      isLeader: () => true,
      leaseHolds: () => false,
      replies: {
        standpoint: () => ({ lifeMark: 0, appliedIndex: 0, voters: 3 }),
        say: () => undefined,
        refuse: (_node, _requestId, reason) => refused.push(reason),
      },
    },
    1,
  );
  let timerMs: number | undefined;
  const caughtUp: string[] = [];
  const effects = {
    caughtUp: (token: number, isSo: boolean) => caughtUp.push(`${token} ${isSo}`),
    setTimer: (_name: string, delayMs: number) => {
      timerMs = delayMs;
    },
  } as unknown as Effects<RaftMessage>;
  return {
    desk,
    refused,
    caughtUp,
    effects,
    watch: (token: number) => desk.takeWatch(token, { nowMs: 0, wallMs: 0 }, effects),
    take(nowMs: number, index: number) {
      const seen = { lifeMark: 0, index };
      const key = Buffer.from("a");
      const message: ReadMessage = { type: "read", requestId: 1, way: "local", seen, key };
      desk.take(PEER, message, { nowMs, wallMs: nowMs }, effects);
    },
    /** Lets every timer fire until none is set; when that is. */
    runTimers(fromMs: number): number {
      let nowMs = fromMs;
      for (let fired = 0; timerMs !== undefined && fired < 100; fired++) {
        nowMs += timerMs;
        timerMs = undefined;
        desk.onTimer({ nowMs, wallMs: nowMs }, effects);
      }
      return nowMs;
    },
  };
}

test("reads that wait for what never comes are forgotten, though nobody asks any more", () => {
  const { desk, take, runTimers } = openDesk();
  take(0, 1_000_000);
  take(10, 1_000_001);
  expect(desk.size).toBe(2);
  expect(runTimers(0)).toBeLessThan(120_000);
  expect(desk.size).toBe(0);
});

test("a desk full of such reads takes others again once those are forgotten", () => {
  const { desk, refused, take, runTimers } = openDesk();
  for (let index = 0; index < FULL; index++) take(0, 1_000_000 + index);
  expect(refused).toEqual([]);
  take(0, 1);
  expect(refused).toEqual(["backlog"]);
  const laterMs = runTimers(0);
  take(laterMs, 1);
  expect(refused).toEqual(["backlog"]);
  expect(desk.size).toBe(1);
});

test("a watch that begins is told once the index is applied that was asked for after it came", () => {
  const { desk, caughtUp, effects, watch } = openDesk();
  watch(7);
  const asked = desk.ask() as number;
  watch(8);
  desk.answerReady(false, effects);
  desk.confirmed(asked, 0);
  desk.answerReady(true, effects);
  expect(caughtUp).toEqual(["7 true"]);
  // As long as the state has not come so far, nothing is said.
  desk.confirmed(desk.ask() as number, 1);
  desk.answerReady(false, effects);
  expect([caughtUp, desk.size]).toEqual([["7 true"], 1]);
});

test("a watch hears that nobody could be asked, and leaves nothing", () => {
  const { desk, caughtUp, effects, watch, refused } = openDesk();
  watch(7);
  desk.failed(desk.ask() as number, "not-leader", effects);
  expect([caughtUp, desk.size]).toEqual([["7 false"], 0]);
  expect(refused).toEqual([]);
});

test("a full desk takes no watch", () => {
  const { caughtUp, take, watch } = openDesk();
  for (let index = 0; index < FULL; index++) take(0, 1_000_000 + index);
  watch(7);
  expect(caughtUp).toEqual(["7 false"]);
});
