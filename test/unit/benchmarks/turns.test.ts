import { expect, test } from "vitest";
import { Latencies } from "../../../benchmarks/support/latencies.ts";
import type { Slice } from "../../../benchmarks/support/slice.ts";
import {
  comparisonOf,
  type Entrant,
  floorSlices,
  type Round,
  takeTurns,
} from "../../../benchmarks/support/turns.ts";

function slice(operations: number, p50Us = 1, elapsedMs = 100): Slice {
  const latencies = new Latencies();
  latencies.record(p50Us * 1_000);
  return { operations, elapsedMs, latencies };
}

function round(floor: Slice | undefined, row: Slice, disturbance = 0): Round {
  return { floor, rows: [row], disturbance };
}

/** Entrants that say when they run; parties whose processes go on for so many looks of 10 ms. */
class Scene {
  readonly happened: string[] = [];

  entrant(name: string, party: Entrant["party"] = { usedMs: async () => 0 }): Entrant {
    return {
      party,
      slice: async (durationMs) => {
        this.happened.push(`${name} ${durationMs}`);
        return slice(1);
      },
    };
  }

  readonly pause = async (ms: number): Promise<void> => {
    this.happened.push(`pause ${ms}`);
  };

  slices(): readonly string[] {
    return this.happened.filter((each) => !each.startsWith("pause"));
  }
}

test("floor and rows take turns, back and forth, and a first, short round does not count", async () => {
  const scene = new Scene();
  const rounds = await takeTurns({
    floor: scene.entrant("floor"),
    rows: [scene.entrant("a"), scene.entrant("b")],
    rounds: 2,
    sliceMs: 250,
    pause: scene.pause,
  });
  expect(scene.slices()).toEqual([
    ...["floor 100", "a 100", "b 100"],
    ...["b 250", "a 250", "floor 250"],
    ...["floor 250", "a 250", "b 250"],
  ]);
  expect(rounds).toHaveLength(2);
  expect(rounds[0]?.rows).toHaveLength(2);
});

test("nobody begins before whoever ran last has come to rest", async () => {
  const scene = new Scene();
  const uses = [0, 9, 15, 15.5];
  const busy = { usedMs: async () => uses.shift() ?? 15.5 };
  await takeTurns({
    floor: undefined,
    rows: [scene.entrant("busy", busy), scene.entrant("next")],
    rounds: 0,
    sliceMs: 50,
    pause: scene.pause,
  });
  expect(scene.happened.slice(0, 5)).toEqual([
    "busy 50",
    "pause 10",
    "pause 10",
    "pause 10",
    "next 50",
  ]);
});

test("whoever does not come to rest is not waited for without end", async () => {
  const scene = new Scene();
  let usedMs = 0;
  const restless = {
    usedMs: async () => {
      usedMs += 10;
      return usedMs;
    },
  };
  await takeTurns({
    floor: undefined,
    rows: [scene.entrant("restless", restless)],
    rounds: 0,
    sliceMs: 50,
    pause: scene.pause,
  });
  expect(scene.happened).toHaveLength(11);
});

test("what the rows' processes do during the floor's slice is counted once for all of their rows", async () => {
  const scene = new Scene();
  let usedMs = 0;
  const party = { usedMs: async () => usedMs };
  const floor: Entrant = {
    party: undefined,
    slice: async () => {
      usedMs += 25;
      return slice(1);
    },
  };
  const rounds = await takeTurns({
    floor,
    rows: [scene.entrant("a", party), scene.entrant("b", party)],
    rounds: 1,
    sliceMs: 100,
    pause: scene.pause,
  });
  expect(rounds[0]?.disturbance).toBe(0.25);
});

test("the ratio is that of the sums, and its range the middle half of the rounds", () => {
  const rounds = [10, 20, 30, 40, 100].map((row) => round(slice(100), slice(row)));
  expect(comparisonOf(rounds, 0)).toMatchObject({ ratio: 0.4, low: 0.2, high: 0.4 });
});

test("slices of different lengths are compared by their rates", () => {
  expect(comparisonOf([round(slice(100, 1, 200), slice(100, 1, 100))], 0)?.ratio).toBe(2);
});

test("the ratio of the median latencies is the median of the rounds", () => {
  const rounds = [
    round(slice(1, 100), slice(1, 200)),
    round(slice(1, 200), slice(1, 600)),
    round(slice(1, 10), slice(1, 90)),
  ];
  expect(comparisonOf(rounds, 0)?.p50Ratio).toBeCloseTo(3, 1);
});

test("a floor beside a store that works on does not count, and the row does", () => {
  const rounds = [
    round(slice(100), slice(10), 0.01),
    round(slice(100), slice(10), 0.1),
    round(slice(20), slice(40), 0.11),
  ];
  expect(floorSlices(rounds)).toHaveLength(2);
  expect(comparisonOf(rounds, 0)?.ratio).toBe(0.2);
});

test("where the store never rests, the half of the floor's slices that it disturbed least count", () => {
  const rounds = [0.5, 0.2, 0.3, 0.9].map((disturbance) =>
    round(slice(disturbance * 100), slice(25), disturbance),
  );
  expect(floorSlices(rounds).map(({ operations }) => operations)).toEqual([20, 30]);
  expect(comparisonOf(rounds, 0)?.ratio).toBe(1);
});

test("without a floor there is nothing to compare", () => {
  const rounds = [round(undefined, slice(10))];
  expect(comparisonOf(rounds, 0)).toBeUndefined();
  expect(floorSlices(rounds)).toEqual([]);
});
