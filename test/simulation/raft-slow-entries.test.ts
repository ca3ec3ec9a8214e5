import { expect, test } from "vitest";
import { simulate } from "../../src/simulation/index.ts";

const VALUE_BYTES = 60_000;
const VALUES = 100;

// What a follower had not got within two heartbeats was taken for lost, asked for again, and sent again:
// over a link on which an entry takes longer than that there was nothing on it but repetitions.
test("a replica is given long entries over a slow link, and writes go on meanwhile", {
  timeout: 60_000,
}, async () => {
  await using sim = await simulate({
    config: {
      storage: { type: "memory" },
      keyspaces: { default: { strategy: "raft", shards: 1, retainedLog: "64MiB" } },
    },
  });
  const keyspace = sim.store("n1").keyspace("default");
  await sim.until(keyspace.put("first", "x", { timeoutMs: 20_000 }));
  sim.partition(["n1", "n2"], ["n3"]);
  const value = "x".repeat(VALUE_BYTES);
  const keys = Array.from({ length: VALUES }, (_, n) => `k${n}`);
  await sim.until(Promise.all(keys.map((key) => keyspace.put(key, value, { timeoutMs: 20_000 }))));
  sim.heal();
  sim.network({ bytesPerMs: 200, minDelayMs: 150 });
  // Six megabytes take half a minute, at best.
  for (const endMs = sim.nowMs + 45_000; sim.nowMs < endMs; ) {
    await sim.until(keyspace.put("live", "x", { timeoutMs: 2_000 }));
    await sim.run(1_000);
  }
  const found = await sim.until(
    sim.store("n3").keyspace("default").get("k99", { consistency: "stale" }),
  );
  expect(found.found).toBe(true);
});
