import { expect, test } from "vitest";
import type { ShardMap } from "../../../../../src/core/contracts/machine.ts";
import type { Epoch, NodeId } from "../../../../../src/core/model/ids.ts";
import { Overdue } from "../../../../../src/strategies/leaderless/place/overdue.ts";
import { ReplicaPlace } from "../../../../../src/strategies/leaderless/place/replica-place.ts";
import { contextOf, OLD, SendingEffects } from "./place-world.ts";

const GOAL = ["b", "c", "d"] as NodeId[];
const PENDING: ShardMap = { epoch: 2 as Epoch, replicas: OLD, pending: GOAL };
const SETTLED: ShardMap = { epoch: 4 as Epoch, replicas: GOAL };

function copyAt(node: string, reachable: readonly string[] = OLD) {
  const context = { ...contextOf(node), isReachable: (peer: string) => reachable.includes(peer) };
  const effects = new SendingEffects();
  const place = new ReplicaPlace(context, {}, () => undefined);
  const overdue = new Overdue(context, place);
  const { self } = contextOf("a");
  const take = (message: Parameters<ReplicaPlace["onMessage"]>[1]): readonly string[] => {
    effects.lines.length = 0;
    effects.sent.length = 0;
    place.onMessage(self, message, () => true, effects);
    overdue.review(effects);
    return effects.lines.filter((line) => line.includes("timer"));
  };
  const install = (map: ShardMap) => take({ type: "place-map", requestId: 0, map });
  const fire = () => {
    effects.sent.length = 0;
    effects.lines.length = 0;
    expect(overdue.onTimer("place-overdue", effects)).toBe(true);
    return effects.sent;
  };
  return { effects, place, overdue, take, install, fire };
}

test("a copy tells the first node of the map that it can reach, again and again", () => {
  const { install, fire, effects } = copyAt("d", ["b", "c"]);
  expect(install(PENDING)).toEqual(["timer place-overdue in 5000 ms"]);
  for (let n = 0; n < 2; n++) {
    expect(fire()).toEqual([
      { to: "b", message: { type: "place-overdue", map: PENDING, goal: GOAL } },
    ]);
    expect(effects.lines).toContain("timer place-overdue in 5000 ms");
  }
});

test("a copy that reaches nobody before itself tells its own node", () => {
  const { install, fire } = copyAt("b", []);
  install(PENDING);
  expect(fire().map(({ to }) => to)).toEqual(["b"]);
});

test("every other map is waited for anew, and none after one that is settled", () => {
  const { install, effects } = copyAt("a");
  install(PENDING);
  expect(install(PENDING)).toEqual([]);
  const switching = { epoch: 3 as Epoch, replicas: GOAL, leaving: OLD };
  expect(install(switching)).toEqual(["no timer place-overdue", "timer place-overdue in 5000 ms"]);
  expect(install(SETTLED)).toEqual(["no timer place-overdue"]);
  expect(effects.sent).toEqual([]);
});

test("what a copy has voted for is overdue, too, and where that leads", () => {
  const { take, fire } = copyAt("b", ["a"]);
  const base: ShardMap = { epoch: 1 as Epoch, replicas: OLD };
  const ballot = { round: 1, node: "e" as NodeId, nonce: 1 };
  const about = { requestId: 7, base, ballot };
  expect(take({ type: "place-prepare", ...about })).toEqual([]);
  expect(take({ type: "place-accept", ...about, next: PENDING })).toEqual([
    "timer place-overdue in 5000 ms",
  ]);
  expect(fire()[0]).toMatchObject({ to: "a", message: { map: base, goal: GOAL } });
});

test("a vote to take a change back is seen to its end, and not the change", () => {
  const { install, take, fire } = copyAt("b");
  install(PENDING);
  const ballot = { round: 3, node: "e" as NodeId, nonce: 1 };
  const next: ShardMap = { epoch: 3 as Epoch, replicas: OLD };
  take({ type: "place-accept", requestId: 7, base: PENDING, ballot, next });
  expect(fire()[0]).toMatchObject({ message: { map: PENDING, goal: OLD } });
});

test("a node that is no part of the change leaves it to those who are", () => {
  const { install } = copyAt("e");
  expect(install(PENDING)).toEqual([]);
});

test("a copy that comes back with the map waits again", () => {
  const { install, effects } = copyAt("c");
  install(PENDING);
  const context = contextOf("c");
  const place = new ReplicaPlace(context, {}, () => undefined);
  place.load(effects);
  effects.lines.length = 0;
  new Overdue(context, place).review(effects);
  expect(effects.lines).toEqual(["timer place-overdue in 5000 ms"]);
});

test("another's timer is left alone", () => {
  const { overdue, effects } = copyAt("c");
  expect(overdue.onTimer("rebuild", effects)).toBe(false);
});
