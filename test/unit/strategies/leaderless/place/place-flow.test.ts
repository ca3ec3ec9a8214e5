import { expect, test } from "vitest";
import type { Request, ShardMap } from "../../../../../src/core/contracts/machine.ts";
import type { Epoch, NodeId } from "../../../../../src/core/model/ids.ts";
import { PlaceFlow } from "../../../../../src/strategies/leaderless/place/place-flow.ts";
import type {
  PlaceMessage,
  PlaceState,
} from "../../../../../src/strategies/leaderless/place/place-messages.ts";
import { contextOf, OLD, SendingEffects } from "./place-world.ts";

const GOAL = ["b", "c", "d"] as NodeId[];
const FIRST: ShardMap = { epoch: 1 as Epoch, replicas: OLD };
const PENDING: ShardMap = { epoch: 2 as Epoch, replicas: OLD, pending: GOAL };
const SWITCHING: ShardMap = { epoch: 3 as Epoch, replicas: GOAL, leaving: OLD };
const SETTLED: ShardMap = { epoch: 4 as Epoch, replicas: GOAL };
const OVERDUE: PlaceMessage = { type: "place-overdue", map: PENDING, goal: GOAL };

/** The flow of node a, whose own copy knows of `known`. */
function flowAt(known: ShardMap = FIRST) {
  const effects = new SendingEffects();
  const { shardIndex: _, ...machine } = contextOf("a");
  const ids = { last: 0 };
  const flow = new PlaceFlow(
    {
      ...machine,
      shardCount: 1,
      shardOf: () => 0,
      servingState: () => undefined,
      localReplica: () => undefined,
      placement: () => ({ ...known, standIns: [] }),
    },
    () => ++ids.last,
  );
  const take = (from: string, message: PlaceMessage, nowMs: number) => {
    effects.sent.length = 0;
    effects.lines.length = 0;
    flow.onMessage(contextOf(from).self, 0, message, nowMs, effects);
    return effects.sent.map(({ to, message: { type } }) => `${type} to ${to}`);
  };
  const answer = (from: string, map: ShardMap, nowMs: number, readyFor = 0) => {
    const state: PlaceState = {
      ...{ type: "place-state", requestId: ids.last, map, vote: undefined },
      ...{ serving: true, readyFor },
    };
    return take(from, state, nowMs);
  };
  const sweep = (nowMs: number) => {
    effects.sent.length = 0;
    flow.sweep(nowMs, effects);
    return effects.sent.length;
  };
  return { flow, effects, take, answer, sweep };
}

test("a node that hears of an overdue change goes on with it, and says so", () => {
  const { take, effects, answer } = flowAt();
  const asked = ["a", "b", "c", "d"].map((node) => `place-map to ${node}`);
  expect(take("d", OVERDUE, 0)).toEqual(asked);
  expect(effects.lines).toContain(
    `emit move-taken-on ${JSON.stringify({ shard: 0, epoch: 2, goal: GOAL })}`,
  );
  for (const node of OLD) answer(node, PENDING, 10);
  expect(answer("d", PENDING, 20, 2)).toEqual(OLD.map((node) => `place-prepare to ${node}`));
});

test("it hears of it from others, too, and goes on as it did", () => {
  const { flow, take } = flowAt();
  take("d", OVERDUE, 0);
  expect(take("b", OVERDUE, 10)).toEqual([]);
  expect(flow.size).toBe(1);
});

test("of changes that would decide the same epoch it takes on one, however many it hears of", () => {
  const { flow, take, effects } = flowAt();
  const goals = [
    ["b", "c", "d"],
    ["c", "d", "e"],
    ["a", "d", "e"],
  ] as NodeId[][];
  for (const goal of goals) take("b", { type: "place-overdue", map: FIRST, goal }, 0);
  expect(flow.size).toBe(1);
  expect(effects.lines.filter((line) => line.includes("move-taken-on"))).toEqual([]);
});

test("one that is known to be later takes the place of the one before", () => {
  const { flow, take } = flowAt();
  const other = ["c", "d", "e"] as NodeId[];
  take("b", { type: "place-overdue", map: FIRST, goal: other }, 0);
  expect(take("d", OVERDUE, 10)).toContain("place-map to d");
  expect(flow.size).toBe(1);
  expect(take("b", { type: "place-overdue", map: FIRST, goal: other }, 20)).toEqual([]);
  expect(flow.size).toBe(1);
});

// The change may wait for a new node that is gone for good.
test("what takes a pending change back takes its place, and is not put aside for it again", () => {
  const { flow, take, answer } = flowAt();
  take("d", OVERDUE, 0);
  take("b", { type: "place-overdue", map: PENDING, goal: OLD }, 10);
  expect(flow.size).toBe(1);
  expect(take("d", OVERDUE, 20)).toEqual([]);
  answer("b", PENDING, 30);
  expect(answer("c", PENDING, 40)).toEqual([]);
  expect(flow.size).toBe(1);
});

test("it lets go of it when nobody calls it overdue any more", () => {
  const { flow, take, sweep } = flowAt();
  take("d", OVERDUE, 0);
  expect(sweep(5_000)).toBeGreaterThan(0);
  take("d", OVERDUE, 5_000);
  expect(sweep(12_000)).toBeGreaterThan(0);
  expect(sweep(13_000)).toBe(0);
  expect(flow.size).toBe(0);
});

test("it ends with the change, and everybody who was part of it hears of that", () => {
  const { flow, take, answer } = flowAt();
  take("d", { type: "place-overdue", map: SWITCHING, goal: GOAL }, 0);
  answer("b", SETTLED, 10);
  expect(answer("c", SETTLED, 20)).toEqual(
    ["b", "c", "d", "a"].map((node) => `place-map to ${node}`),
  );
  expect(flow.size).toBe(0);
});

test("a change that was taken back meanwhile is not begun again", () => {
  const { flow, take, answer, sweep } = flowAt();
  take("d", OVERDUE, 0);
  answer("b", { epoch: 3 as Epoch, replicas: OLD }, 10);
  expect(flow.size).toBe(0);
  expect(sweep(1_000)).toBe(0);
});

test("whoever calls a change overdue that is over is given the map", () => {
  const { flow, take, effects } = flowAt(SETTLED);
  expect(take("d", OVERDUE, 0)).toEqual(["place-map to d"]);
  expect(effects.sent[0]?.message).toMatchObject({ map: { epoch: 4, replicas: GOAL } });
  expect(flow.size).toBe(0);
});

test("a change that is done is not refused when its deadline comes before its words may leave", () => {
  const { flow, effects, answer } = flowAt(SWITCHING);
  const operation = { shardIndex: 0, options: { replicas: GOAL } };
  const request = { operation, memo: undefined } as unknown as Request;
  flow.start(request, 0, effects);
  for (const node of GOAL) answer(node, SETTLED, 10);
  expect(flow.size).toBe(0);
  effects.lines.length = 0;
  expect(flow.onDeadline(request, effects)).toBe(false);
  expect(flow.onAborted(request, effects)).toBe(false);
  expect(effects.lines).toEqual([]);
});
