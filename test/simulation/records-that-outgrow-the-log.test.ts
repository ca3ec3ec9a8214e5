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
