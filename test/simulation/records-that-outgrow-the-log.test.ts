import { expect, test } from "vitest";
import { simulate } from "../../src/simulation/index.ts";

const NODES = ["n1", "n2", "n3"];

// Met in the log, it stopped every node that three sides' versions met on, and again after its start.
test("versions of three sides that are more than the log can hold stop no node, and a write settles them", async () => {
  await using sim = await simulate({
    nodes: 3,
    seed: 5,
    config: {
      storage: { type: "disk", path: "data", segmentBytes: "64KiB" },
      keyspaces: {
        notes: {
          ...{ strategy: "dynamo", replicas: 3, shards: 1, read: 1, write: 1 },
          resolver: "version-vector",
        },
      },
    },
  });
  const notes = (node: string) => sim.store(node).keyspace("notes");
  await sim.run(2_000);
  sim.partition(["n1"], ["n2"], ["n3"]);
  await sim.run(5_000);
  for (const node of NODES) {
    await sim.until(notes(node).put("key", node + "v".repeat(25_000)));
  }
  sim.heal();
  await sim.run(10_000);
  const found = await sim.until(notes("n1").get("key", { consistency: "all" }));
  if (!found.found || !found.conflict) throw new Error("there are no siblings");
  expect(found.siblings.map((each) => String(each).slice(0, 2)).sort()).toEqual(NODES);
  await sim.until(notes("n2").put("key", "settled", { context: found.version }));
  await sim.run(10_000);
  for (const node of NODES) {
    const read = await sim.until(notes(node).get("key", { consistency: "one" }));
    expect(read).toMatchObject({ found: true, conflict: false, value: "settled" });
  }
});

interface Described {
  readonly shards: readonly [
    {
      readonly replicas: readonly [string, string, string];
      readonly hints: { readonly held: number; readonly refused: number };
    },
  ];
}

// It was never acknowledged, nor was what came in one batch with it: of what stood behind nothing was sent.
test("what a replica does not take of what it missed keeps nothing else from it", async () => {
  await using sim = await simulate({
    nodes: 4,
    seed: 5,
    config: {
      storage: { type: "disk", path: "data", segmentBytes: "64KiB" },
      keyspaces: {
        notes: {
          ...{ strategy: "dynamo", replicas: 3, shards: 1 },
          ...{ resolver: "version-vector", repair: { interval: "off" } },
        },
      },
    },
  });
  const notes = (node: string) => sim.store(node).keyspace("notes");
  const { shards } = notes("n1").describe() as unknown as Described;
  const [first, second, third] = shards[0].replicas;
  const standIn = sim.nodes.find((node) => !shards[0].replicas.includes(node)) as string;
  const hints = () => {
    const described = notes(standIn).describe() as unknown as Described;
    return described.shards[0].hints;
  };
  await sim.run(2_000);
  sim.partition([first], [second], [third, standIn]);
  await sim.run(5_000);
  for (const node of [first, second]) {
    await sim.until(notes(node).put("key", node + "v".repeat(25_000), { consistency: "one" }));
  }
  await sim.until(notes(third).put("key", third + "v".repeat(25_000)));
  await sim.until(notes(third).put("later", "v"));
  sim.heal();
  sim.partition([first, second], [third, standIn]);
  await sim.run(5_000);
  // The two have each other's version.
  await sim.until(notes(first).get("key"));
  await sim.run(1_000);
  sim.heal();
  await sim.run(20_000);
  for (const node of [first, second]) {
    const read = await sim.until(notes(node).get("later", { consistency: "one" }));
    expect(read.found).toBe(true);
  }
  // Still there: it is offered again until a write has settled it.
  expect(hints()).toMatchObject({ held: 2 });
  expect(hints().refused).toBeGreaterThan(1);
  const found = await sim.until(notes(first).get("key", { consistency: "all" }));
  if (!found.found || !found.conflict) throw new Error("there are no siblings");
  await sim.until(notes(first).put("key", "settled", { context: found.version }));
  await sim.run(120_000);
  expect(hints()).toMatchObject({ held: 0 });
});
