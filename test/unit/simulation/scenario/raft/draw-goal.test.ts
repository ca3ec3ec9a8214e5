import { describe, expect, test } from "vitest";
import { Draw } from "../../../../../src/simulation/scenario/draw.ts";
import { drawGoal, type GoalScene } from "../../../../../src/simulation/scenario/raft/draw-goal.ts";
import { SeededRandom } from "../../../../../src/simulation/seeded-random.ts";

const DRAWS = 300;

function namesOf(count: number): readonly string[] {
  return Array.from({ length: count }, (_, at) => `n${at + 1}`);
}

function goalsOf(scene: Partial<GoalScene> & { readonly of: number; readonly on: number }) {
  const { of, on, down = [], fewest = 1 } = scene;
  const draw = new Draw(new SeededRandom(1));
  const nodes = namesOf(on);
  const current = nodes.slice(0, of);
  const goals = Array.from({ length: DRAWS }, () =>
    drawGoal(draw, { nodes, current, down, fewest }),
  );
  return { current, goals: goals.filter((goal) => goal !== undefined) };
}

const SCENES = namesOf(7).flatMap((_, on) => namesOf(on + 1).map((__, of) => [of + 1, on + 1]));

describe("where a raft shard is moved", () => {
  test.each(SCENES)("from %i of %i nodes it is other nodes, each once", (of, on) => {
    for (const fewest of [1, Math.min(3, on)]) {
      const { current, goals } = goalsOf({ of, on, fewest });
      const isOther = (goal: readonly string[]): boolean =>
        new Set(goal).size === goal.length &&
        goal.join() !== current.join() &&
        goal.length >= fewest &&
        goal.length <= Math.max(of, 5);
      expect(goals.filter((goal) => !isOther([...goal].sort()))).toEqual([]);
      // Nobody can join, and nobody may leave.
      expect(goals.length).toBe(of === on && of <= fewest ? 0 : DRAWS);
    }
  });

  test("some leave now and then, and nobody joins", () => {
    const { current, goals } = goalsOf({ of: 3, on: 5 });
    const shrunk = goals.filter((goal) => goal.every((id) => current.includes(id)));
    expect(shrunk.length / DRAWS).toBeGreaterThan(0.1);
    expect(shrunk.length / DRAWS).toBeLessThan(0.3);
    expect(new Set(shrunk.map(({ length }) => length))).toEqual(new Set([1, 2]));
  });

  test("one becomes two, and two become one; most of the time more", () => {
    const share = (of: number, size: number) =>
      goalsOf({ of, on: 3 }).goals.filter(({ length }) => length === size).length / DRAWS;
    expect(share(1, 2)).toBeGreaterThan(0.2);
    expect(share(2, 1)).toBeGreaterThan(0.1);
    expect(share(1, 3)).toBeGreaterThan(0.4);
    expect(share(2, 3)).toBeGreaterThan(0.5);
  });

  test("nodes that are down join, and leave, more often than others", () => {
    const joining = (down: readonly string[]) =>
      goalsOf({ of: 3, on: 6, down }).goals.filter((goal) => goal.includes("n6")).length;
    expect(joining(["n6"])).toBeGreaterThan(joining([]) * 1.15);
    const leaving = (down: readonly string[]) =>
      goalsOf({ of: 3, on: 6, down }).goals.filter((goal) => !goal.includes("n1")).length;
    expect(leaving(["n1"])).toBeGreaterThan(leaving([]) * 1.1);
  });
});
