import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { CoordinatorContext, ShardPlacement } from "../../../../src/core/contracts/machine.ts";
import type { Epoch, NodeId } from "../../../../src/core/model/ids.ts";
import type { Level } from "../../../../src/core/model/levels.ts";
import { majorityOf } from "../../../../src/core/model/quorum.ts";
import {
  type Demand,
  Demands,
  demandOf,
  describeDemand,
  isMetBy,
  mayLower,
  membersOf,
} from "../../../../src/strategies/leaderless/demand.ts";
import { countOf } from "../../../../src/strategies/leaderless/replica-answers.ts";

/** `east: 2, west: 1` makes e1, e2 and w1. */
function placesOf(sizes: Readonly<Record<string, number>>, self: string) {
  const replicas = Object.entries(sizes).flatMap(([datacenter, size]) =>
    Array.from({ length: size }, (_, index) => `${datacenter}-${index}` as NodeId),
  );
  const placement: ShardPlacement = { epoch: 1 as Epoch, replicas, standIns: [] };
  const datacenterOf = (node: NodeId): string => node.split("-")[0] as string;
  return { placement, self: self as NodeId, datacenterOf };
}

const SIX = { east: 3, west: 3 };
const EAST = 0b000111;
const WEST = 0b111000;

function demand(level: Level, sizes = SIX, self = "east-0"): Demand {
  return demandOf(level, placesOf(sizes, self)) as Demand;
}

describe("what a level demands", () => {
  test("local-quorum: a majority of this node's datacenter, and nothing of the others", () => {
    const local = demand("local-quorum");
    expect(local.count).toBe(2);
    expect(membersOf(local)).toBe(EAST);
    expect(isMetBy(local, 0b000011)).toBe(true);
    expect(isMetBy(local, WEST | 0b1)).toBe(false);
  });

  test("each-quorum: a majority of every datacenter, however many answer elsewhere", () => {
    const each = demand("each-quorum");
    expect(each.count).toBe(4);
    expect(isMetBy(each, 0b011011)).toBe(true);
    expect(isMetBy(each, EAST | 0b001000)).toBe(false);
    expect(isMetBy(each, 0b111111)).toBe(true);
  });

  test("local-quorum of a node whose datacenter holds no replica can never be met", () => {
    expect(demandOf("local-quorum", placesOf(SIX, "south-0"))).toBeUndefined();
    expect(demandOf("each-quorum", placesOf(SIX, "south-0"))).toMatchObject({ count: 4 });
  });

  test("in one datacenter both are a quorum", () => {
    for (const level of ["local-quorum", "each-quorum"] as const) {
      expect(demand(level, { east: 3, west: 0 })).toMatchObject({ count: 2 });
    }
  });

  test("a number is that many of all", () => {
    const five = demand("5");
    expect(five.count).toBe(5);
    expect(isMetBy(five, 0b110111)).toBe(true);
    expect(isMetBy(five, 0b110011)).toBe(false);
    expect(demandOf("7", placesOf(SIX, "east-0"))).toBeUndefined();
  });

  test("is told with the nodes and where they are", () => {
    const { placement } = placesOf({ east: 2, west: 1 }, "east-0");
    expect(describeDemand(demand("each-quorum", { east: 2, west: 1 }), placement.replicas)).toBe(
      "2 of east-0, east-1 in east and 1 of west-0 in west",
    );
    expect(describeDemand(demand("quorum", { east: 2, west: 1 }), placement.replicas)).toBe(
      "2 of the replicas east-0, east-1, west-0",
    );
  });

  test("whatever meets each-quorum is a majority of all, and meets local-quorum everywhere", () => {
    const sizes = fc.record({
      a: fc.integer({ min: 1, max: 5 }),
      b: fc.integer({ min: 0, max: 5 }),
      c: fc.integer({ min: 0, max: 5 }),
    });
    fc.assert(
      fc.property(sizes, fc.nat(), (given, bits) => {
        const places = placesOf(given, "a-0");
        const total = places.placement.replicas.length;
        const answered = bits % 2 ** total;
        const each = demandOf("each-quorum", places) as Demand;
        if (!isMetBy(each, answered)) return;
        expect(countOf(answered)).toBeGreaterThanOrEqual(majorityOf(total));
        for (const node of places.placement.replicas) {
          const local = demandOf("local-quorum", { ...places, self: node }) as Demand;
          expect(isMetBy(local, answered)).toBe(true);
        }
      }),
    );
  });
});

describe("what may be lowered", () => {
  test("everything but strong and each-quorum, where the keyspace prefers availability", () => {
    const policy = "prefer-availability";
    expect(mayLower(policy, "local-quorum")).toBe(true);
    expect(mayLower(policy, "2")).toBe(true);
    expect(mayLower(policy, "each-quorum")).toBe(false);
    expect(mayLower(policy, "strong")).toBe(false);
    expect(mayLower("prefer-consistency", "one")).toBe(false);
  });
});

describe("the demands of a keyspace", () => {
  test("follow the shard's placement", () => {
    let { placement } = placesOf({ east: 3, west: 0 }, "east-0");
    const context = {
      self: { node: "east-0" },
      placement: () => placement,
    } as unknown as CoordinatorContext;
    const demands = new Demands(context);
    const first = demands.of("quorum", 0);
    expect(demands.of("quorum", 0)).toBe(first);
    ({ placement } = placesOf({ east: 5, west: 0 }, "east-0"));
    expect(demands.of("quorum", 0)).toMatchObject({ count: 3 });
    expect(demands.of("three", 0)).toMatchObject({ count: 3 });
    expect(demands.of("6", 0)).toBeUndefined();
  });
});
