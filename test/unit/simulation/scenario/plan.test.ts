import { describe, expect, test } from "vitest";
import { resolveConfiguration } from "../../../../src/core/model/configuration.ts";
import { separatePlugIns } from "../../../../src/core/store/handed-over.ts";
import {
  configurationOf,
  drawPlan,
  FAULT_KINDS,
} from "../../../../src/simulation/scenario/plan.ts";
import {
  STRATEGY_SCENARIOS,
  strategyScenario,
} from "../../../../src/simulation/scenario/strategies.ts";

const SEEDS = Array.from({ length: 300 }, (_, index) => index + 1);

describe("the plan of a seed", () => {
  test("is a configuration that a store accepts, with at most two keyspaces", () => {
    for (const seed of SEEDS) {
      const plan = drawPlan(seed);
      const nodes = Array.from({ length: plan.nodes }, (_, index) => `n${index + 1}`);
      const plugIn = () => undefined;
      const { plain } = separatePlugIns({
        ...configurationOf(plan),
        ...{ cluster: { nodes }, transport: plugIn, storage: plugIn },
      });
      const { keyspaces } = resolveConfiguration(plain);
      expect(keyspaces.map(({ name }) => name).sort()).toEqual(
        plan.keyspaces.map(({ name }) => name).sort(),
      );
      expect([1, 2]).toContain(keyspaces.length);
    }
  });

  test("has nodes in two datacenters or three, in some seeds of four nodes or more", () => {
    const drawn = SEEDS.map((seed) => drawPlan(seed)).filter(({ datacenters }) => datacenters);
    expect(drawn.length).toBeGreaterThan(10);
    expect(drawn.length).toBeLessThan(SEEDS.length / 4);
    const counts = new Set<number>();
    for (const { nodes, datacenters = [] } of drawn) {
      expect(nodes).toBeGreaterThanOrEqual(4);
      expect(datacenters).toHaveLength(nodes);
      counts.add(new Set(datacenters).size);
    }
    expect([...counts].sort()).toEqual([2, 3]);
  });

  test("is the same each time, and another one for another seed", () => {
    expect(drawPlan(7)).toEqual(drawPlan(7));
    expect(drawPlan(7)).not.toEqual(drawPlan(8));
  });

  test.each(STRATEGY_SCENARIOS.map(({ strategy }) => strategy))(
    "draws keyspaces of %s where only those are asked for, and only where it can have one",
    (strategy) => {
      const { needsDisk = false } = strategyScenario(strategy);
      for (const seed of SEEDS) {
        if (needsDisk && drawPlan(seed).storage === "memory") {
          expect(() => drawPlan(seed, [strategy])).toThrow(/keeps nothing on a disk/);
        } else {
          const { keyspaces } = drawPlan(seed, [strategy]);
          expect(keyspaces.map((each) => each.strategy)).toEqual([strategy]);
        }
      }
    },
  );

  test.each([
    ["tunable", "prefer-consistency"],
    ["dynamo", "prefer-availability"],
  ])("meets most partitions as %s does by default: %s", (strategy, policy) => {
    const policies = SEEDS.map((seed) => {
      const [keyspace] = drawPlan(seed, [strategy]).keyspaces;
      return keyspace?.configuration.partitionPolicy;
    });
    const usual = policies.filter((each) => each === policy).length;
    expect(usual / SEEDS.length).toBeGreaterThan(0.7);
    expect(new Set(policies).size).toBe(2);
  });

  test("has cuts of the network, of the power and wipes wherever raft has three nodes or more", () => {
    const demanded = ["partition", "power-cut", "wipe"];
    const larger = SEEDS.map((seed) => drawPlan(seed, ["raft"])).filter(({ nodes }) => nodes >= 3);
    for (const { faults, demandedFaults } of larger) {
      expect(demandedFaults).toEqual(demanded);
      expect(faults).toEqual(expect.arrayContaining(demanded));
    }
    const others = FAULT_KINDS.filter((kind) => !demanded.includes(kind));
    for (const kind of others) {
      const share = larger.filter(({ faults }) => faults.includes(kind)).length / larger.length;
      expect(share).toBeGreaterThan(0.35);
      expect(share).toBeLessThan(0.65);
    }
  });

  test("demands no fault of fewer nodes, or of another strategy, and draws the same ones", () => {
    for (const seed of SEEDS) {
      const { nodes, faults, demandedFaults } = drawPlan(seed, ["tunable"]);
      expect(demandedFaults).toEqual([]);
      if (nodes < 3) expect(drawPlan(seed, ["raft"])).toMatchObject({ faults, demandedFaults });
    }
  });

  test("puts a substitute in the place of a strategy", () => {
    const substitute = () => undefined;
    const plan = drawPlan(1, ["tunable"]);
    expect(configurationOf(plan, { tunable: substitute })).toMatchObject({
      keyspaces: { things: { strategy: substitute, replicas: expect.any(Number) } },
    });
  });

  test("refuses a strategy that has no scenario, and names those that have one", () => {
    expect(() => drawPlan(1, ["chain"])).toThrow(/strategy "chain" has no scenario.*tunable/);
  });
});
