import { afterEach, describe, expect, test } from "vitest";
import { ClientCalls } from "../../src/simulation/scenario/client-calls.ts";
import { MANY_SHARDS } from "../../src/simulation/scenario/many-shards.ts";
import { demandEveryShard } from "../../src/simulation/scenario/raft/every-shard.ts";
import { RaftRecords } from "../../src/simulation/scenario/raft/raft-records.ts";
import type { KeyspacePlan } from "../../src/simulation/scenario/strategy-scenario.ts";
import { Topology } from "../../src/simulation/scenario/topology.ts";
import { SimWorld } from "../../src/simulation/sim-world.ts";

const IDS = ["n1", "n2", "n3"] as const;
const LONG_MS = 60_000;
const LED = "many raft shards were all led in the end";
const SLOW = { timeout: 120_000 };

describe("every raft shard of a seed with many", SLOW, () => {
  const worlds: SimWorld[] = [];

  afterEach(async () => {
    for (const world of worlds.splice(0)) {
      for (const { id } of world.running()) await world.driver.until(world.stop(id), LONG_MS);
    }
  });

  /** What is read of them, once `harm` is done to the world. */
  async function demanded(shards: number, harm?: (world: SimWorld) => void): Promise<RaftRecords> {
    const settings = { replicas: 3, shards, electionTimeout: 500, deadlines: { strong: 20_000 } };
    const configuration = {
      keyspaces: { things: { strategy: "raft", ...settings } },
      // Far fewer than are asked for at once: the others are refused.
      limits: { operationsInFlight: 10 },
    };
    const world = new SimWorld({ seed: 1, nodes: IDS, configuration });
    worlds.push(world);
    await world.driver.until(Promise.all(IDS.map((id) => world.start(id))), LONG_MS);
    const ready = world.nodes.map(({ life }) => life?.store?.ready());
    await world.driver.until(Promise.all(ready), LONG_MS);
    harm?.(world);
    const topology = new Topology(world, configuration);
    const records = new RaftRecords(() => world.time.nowMs);
    const plan: KeyspacePlan = {
      ...{ name: "things", strategy: "raft", configuration: settings },
      ...{ keysPerGroup: 1, writeShare: 0, focus: undefined },
    };
    const calls = new ClientCalls(world);
    const keyspace = topology.of("things");
    await demandEveryShard({ world, plan, calls, topology, keyspace }, records);
    return records;
  }

  test("is read, though nodes take only a few calls at a time", async () => {
    const records = await demanded(MANY_SHARDS);
    expect(records.violations).toEqual([]);
    expect(records.countOf(LED)).toBe(1);
  });

  test("is missed by its number where no majority is left", async () => {
    const records = await demanded(MANY_SHARDS, (world) => {
      for (const id of ["n2", "n3"]) world.crash(id);
    });
    expect(records.violations).toHaveLength(MANY_SHARDS);
    expect(records.violations[7]).toEqual({
      check: "liveness",
      message: "shard 7 is not read within 60000 ms after all is healed",
    });
    expect(records.countOf(LED)).toBe(0);
  });

  test("is not asked for where there are few: clients call them all the time", async () => {
    const records = await demanded(3, (world) => {
      for (const id of ["n2", "n3"]) world.crash(id);
    });
    expect(records.violations).toEqual([]);
  });
});
