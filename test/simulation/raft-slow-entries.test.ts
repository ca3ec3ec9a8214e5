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

// A write that was only late was sent again at each election timeout, and its leader appended it each time:
// over a slow link there was nothing but the same writes, and logs of many times their size.
test.each([
  { what: "long ones over a slow link", bytes: VALUE_BYTES, bytesPerMs: 200, minDelayMs: 20 },
  { what: "short ones from far away", bytes: 10, bytesPerMs: 10_000, minDelayMs: 120 },
])(
  "writes that are late are appended once, $what",
  {
    timeout: 60_000,
  },
  async ({ bytes, bytesPerMs, minDelayMs }) => {
    await using sim = await simulate({
      config: {
        storage: { type: "memory" },
        keyspaces: { default: { strategy: "raft", shards: 1, electionTimeout: "300ms" } },
      },
    });
    const nodes = ["n1", "n2", "n3"];
    await sim.until(sim.store("n1").keyspace("default").put("first", "x", { timeoutMs: 20_000 }));
    const shardOf = (node: string) => {
      const { shards } = sim.store(node).keyspace("default").describe() as unknown as {
        readonly shards: readonly {
          readonly role: string;
          readonly term: number;
          readonly commitIndex: number;
        }[];
      };
      return shards[0];
    };
    const leader = nodes.find((node) => shardOf(node)?.role === "leader") ?? "n1";
    const other = nodes.find((node) => node !== leader) as string;
    sim.network({ bytesPerMs, minDelayMs });
    const before = shardOf(leader);
    const value = "x".repeat(bytes);
    const keyspace = sim.store(other).keyspace("default");
    const puts = Array.from({ length: 20 }, (_, n) =>
      keyspace.put(`k${n}`, value, { timeoutMs: 60_000 }),
    );
    const sinceMs = sim.nowMs;
    await sim.until(Promise.all(puts));
    expect(sim.nowMs - sinceMs).toBeGreaterThan(300);
    // What was asked for again stands behind the rest.
    await sim.run(120_000);
    const after = shardOf(leader);
    expect(after?.term).toBe(before?.term);
    expect((after?.commitIndex ?? 0) - (before?.commitIndex ?? 0)).toBe(puts.length);
  },
);
