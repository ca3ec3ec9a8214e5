import { describe, expect, test } from "vitest";
import { simulate } from "../../../src/simulation/index.ts";

const ALL = { consistency: "all" } as const;
const config = { keyspaces: { things: { replicas: 3, shards: 1 } } };

describe("simulate", () => {
  test("the same seed and the same calls leave the same trace", async () => {
    const traces: string[] = [];
    for (const seed of [4, 4, 5]) {
      await using sim = await simulate({ seed, config });
      await sim.until(sim.store("n1").keyspace("things").put("key", 1));
      await sim.run(1_000);
      traces.push(sim.trace);
    }
    expect(traces[1]).toBe(traces[0]);
    expect(traces[2]).not.toBe(traces[0]);
  });

  test("a paused node answers late, a partitioned one refuses, a slow disk makes writes slow", async () => {
    await using sim = await simulate({ config });
    const things = () => sim.store("n1").keyspace("things");
    sim.pause("n1");
    const writing = things().put("key", 1, { consistency: "one", timeoutMs: 30_000 });
    let isSettled = false;
    void writing.then(() => {
      isSettled = true;
    });
    await sim.run(1_000);
    expect(isSettled).toBe(false);
    sim.resume("n1");
    await sim.until(writing);
    sim.slowDisk("n2", 40);
    sim.slowDisk("n3", 40);
    const { receipt } = await sim.until(things().put("key", 2, { consistency: "all" }));
    expect(receipt.durationMs).toBeGreaterThan(10);
    sim.partition(["n1"], ["n2", "n3"]);
    await sim.run(5_000);
    await expect(sim.until(things().put("key", 3))).rejects.toMatchObject({ code: "UNAVAILABLE" });
    sim.heal();
    await sim.run(3_000);
    await sim.until(things().put("key", 4));
  });

  test("a node that was wiped learns from the others, and clocks may differ", async () => {
    await using sim = await simulate({ config });
    sim.skew("n2", 3_000);
    await sim.until(sim.store("n2").keyspace("things").put("key", "kept"));
    sim.crash("n1", { power: "mix" });
    sim.wipe("n1");
    const store = await sim.restart("n1");
    await sim.until(store.ready({ level: "all" }));
    await sim.run(5_000);
    const read = await sim.until(store.keyspace("things").get("key", { consistency: "one" }));
    expect(read).toMatchObject({ found: true, value: "kept" });
    expect(() => sim.store("n9")).toThrow(/no node "n9".*n1, n2, n3/);
  });

  test("nodes are in the datacenters that they are given", async () => {
    const [east, west] = [{ datacenter: "east" }, { datacenter: "west" }];
    await using sim = await simulate({
      nodes: { a: east, b: east, c: west, d: west },
      config: { keyspaces: { things: { replicas: 4, shards: 1 } } },
    });
    const things = (id: string) => sim.store(id).keyspace("things");
    sim.partition(["a", "b"], ["c", "d"]);
    await sim.run(5_000);
    const local = { consistency: "local-quorum" } as const;
    await sim.until(things("a").put("key", "of the east", local));
    expect(await sim.until(things("b").get("key", local))).toMatchObject({ value: "of the east" });
    expect(await sim.until(things("c").get("key", local))).toMatchObject({ found: false });
    await expect(
      sim.until(things("a").put("key", 1, { consistency: "each-quorum" })),
    ).rejects.toMatchObject({ code: "UNAVAILABLE", outcome: "not-applied" });
  });

  test("refuses a number of nodes that it cannot open", async () => {
    await expect(simulate({ nodes: 0 })).rejects.toThrow(RangeError);
    await expect(simulate({ nodes: 8 })).rejects.toThrow(/allowed are 1 to 7/);
    await expect(simulate({ nodes: 1.5 })).rejects.toThrow(/whole number/);
  });

  test.each<[object, RegExp]>([
    [{ seeds: 7 }, /simulate: there is no option "seeds"; allowed: nodes, seed, config, /],
    [{ seed: "7" }, /seed: 7; allowed: a whole number/],
    [{ seed: 1.5 }, /seed: 1\.5; allowed: a whole number/],
    [{ nodes: ["a", "a"] }, /nodes: "a" twice; allowed: each node once/],
    [{ nodes: { a: "east" } }, /nodes\.a: "east"; allowed: \{ datacenter \}/],
    [{ nodes: { a: { dc: "east" } } }, /nodes\.a: \{"dc":"east"\}; allowed: \{ datacenter \}/],
    [{ nodes: "3" }, /nodes: 3; allowed: 1 to 7, names, or the datacenter of each/],
    [{ config: 5 }, /config: 5; allowed: an object/],
    [{ connections: "star" }, /connections: star; allowed: pairs, server/],
    [{ network: { losss: 1 } }, /network: there is no option "losss"; allowed: loss, doubling, /],
    [{ network: { loss: 7 } }, /network\.loss: 7; allowed: a finite number from 0 to 1/],
    [{ network: { bytesPerMs: 0 } }, /network\.bytesPerMs: 0; allowed: a finite number above 0/],
    [{ network: { reorders: 1 } }, /network\.reorders: 1; allowed: true, false/],
  ])("refuses %j by name", async (options, message) => {
    await expect(simulate(options)).rejects.toThrow(message);
  });

  test("refuses what makes no sense, and does nothing of it", async () => {
    await using sim = await simulate({ config });
    const calls: readonly (readonly [() => unknown, RegExp])[] = [
      [() => sim.partition(["n1"]), /partition: \[\["n1"\]\]; allowed: two groups/],
      [() => sim.partition(["n1"], []), /allowed: two groups of nodes or more, each with one node/],
      [() => sim.partition(["n1", "n2"], ["n3", "n4"]), /"n4"; allowed: of the nodes n1, n2, n3/],
      [() => sim.partition(["n1", "n2"], ["n2", "n3"]), /"n2" twice; allowed: each node once/],
      [
        () => sim.crash("n1", { power: "loose" } as never),
        /power: loose; allowed: keep, lose, mix/,
      ],
      [() => sim.crash("n1", { pwoer: "lose" } as never), /crash: there is no option "pwoer"/],
      [() => sim.network({ doubling: -1 }), /network\.doubling: -1/],
      [() => sim.skew("n1", Number.NaN), /aheadMs: NaN; allowed: a finite number$/],
      [() => sim.slowDisk("n1", -1), /latencyMs: -1; allowed: a finite number from 0$/],
      [() => sim.wipe("n1"), /node n1 is running: crash it before it is wiped/],
      [() => sim.run(Number.NaN), /durationMs: NaN/],
      [() => sim.until(Promise.resolve(), Number.POSITIVE_INFINITY), /patienceMs: Infinity/],
    ];
    for (const [call, message] of calls) expect(call, String(call)).toThrow(message);
    await sim.run(2_000);
    const written = await sim.until(sim.store("n1").keyspace("things").put("key", 1, ALL));
    expect(written.receipt.replicas).toMatchObject({ total: 3, answered: 3 });
  });
});
