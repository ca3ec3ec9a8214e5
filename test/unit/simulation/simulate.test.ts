import { describe, expect, test } from "vitest";
import { simulate } from "../../../src/simulation/index.ts";

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

  test("refuses a number of nodes that it cannot open", async () => {
    await expect(simulate({ nodes: 0 })).rejects.toThrow(RangeError);
    await expect(simulate({ nodes: 8 })).rejects.toThrow(/allowed are 1 to 7/);
    await expect(simulate({ nodes: 1.5 })).rejects.toThrow(/whole number/);
  });
});
