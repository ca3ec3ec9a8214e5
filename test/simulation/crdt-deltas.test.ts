import { describe, expect, test } from "vitest";
import type { Cluster } from "../support/cluster.ts";
import { open } from "../support/cluster-calls.ts";

/** Nothing but the writes themselves makes replicas equal. */
const CARTS = {
  ...{ strategy: "dynamo", resolver: "or-set", shards: 1, replicas: 3 },
  repair: { interval: "off", maxHints: 0 },
} as const;

const openCarts = (nodes: number): Promise<Cluster> => open({ nodes, keyspaces: { carts: CARTS } });

function add(cluster: Cluster, id: string, item: string, consistency: "one" | "two" | "all") {
  return cluster.until(
    cluster.keyspace(id, "carts").update("k", { add: item }, { consistency, timeoutMs: 1_000 }),
  );
}

/** In pieces, so that no queue overflows. */
async function addMany(cluster: Cluster, count: number): Promise<void> {
  const carts = cluster.keyspace("n1", "carts");
  for (let from = 0; from < count; from += 50) {
    const items = Array.from({ length: Math.min(50, count - from) }, (_, at) => from + at);
    const options = { consistency: "all", timeoutMs: 10_000 } as const;
    await cluster.until(
      Promise.all(items.map((item) => carts.update("k", { add: `item-${item}` }, options))),
    );
  }
}

interface Copy {
  readonly state: string;
  readonly deltasJoined: number;
  readonly deltaGaps: number;
}

function copyOf(cluster: Cluster, id: string): Copy | undefined {
  const { shards } = cluster.keyspace(id, "carts").describe() as {
    readonly shards: readonly Copy[];
  };
  return shards[0];
}

function countBytes(cluster: Cluster): () => number {
  let sum = 0;
  cluster.network.onFrame = ({ lane, bytes }) => {
    if (lane !== "control") sum += bytes;
  };
  return () => sum;
}

async function itemsAt(cluster: Cluster, id: string): Promise<unknown> {
  const read = await cluster.until(cluster.keyspace(id, "carts").get("k", { consistency: "one" }));
  return read.found && !read.conflict ? read.value : undefined;
}

describe("an operation on a CRDT", () => {
  test("goes to the other replicas as what it adds, however large the state is", async () => {
    const cluster = await openCarts(3);
    await addMany(cluster, 1_000);
    const bytes = countBytes(cluster);
    await add(cluster, "n2", "one more", "all");
    // Two deltas of a hundred bytes and a half, and two acknowledgements, each in a frame.
    expect(bytes()).toBeLessThan(700);
    for (const id of cluster.ids) expect(await itemsAt(cluster, id)).toHaveLength(1_001);
    expect(copyOf(cluster, "n3")).toMatchObject({ deltaGaps: 0 });
    expect(copyOf(cluster, "n3")?.deltasJoined).toBeGreaterThan(900);
  });

  test("goes as the whole record to a replica that lacks what it rests on", async () => {
    const cluster = await openCarts(3);
    for (const item of ["a", "b", "c"]) await add(cluster, "n1", item, "all");
    cluster.network.cutOneWay("n1", "n3");
    await add(cluster, "n1", "missed", "two");
    cluster.network.heal();
    await add(cluster, "n1", "d", "all");
    expect(await itemsAt(cluster, "n3")).toEqual(["a", "b", "c", "d", "missed"]);
    expect(copyOf(cluster, "n3")?.deltaGaps).toBe(1);
  });

  test("of a node without a replica: the minter's record is asked for where there is a gap", async () => {
    const cluster = await openCarts(5);
    const replicas = cluster.ids.filter((id) => copyOf(cluster, id)?.state === "serving");
    const outsider = cluster.ids.find((id) => !replicas.includes(id)) as string;
    expect(replicas).toHaveLength(3);
    for (const item of ["a", "b", "c"]) await add(cluster, outsider, item, "all");
    for (const [at, id] of replicas.entries()) {
      const next = replicas[(at + 1) % 3] as string;
      cluster.network.cutOneWay(id, next);
      await add(cluster, id, `missed at ${next}`, "two");
      cluster.network.heal();
    }
    await add(cluster, outsider, "d", "all");
    const gaps = replicas.map((id) => copyOf(cluster, id)?.deltaGaps ?? 0);
    expect(Math.max(...gaps)).toBeGreaterThan(0);
    const shown = await Promise.all(replicas.map((id) => itemsAt(cluster, id)));
    for (const items of shown) expect(items).toEqual(expect.arrayContaining(["a", "b", "c", "d"]));
  });

  test("is there once after all that a network can do to a delta", async () => {
    const cluster = await open({ nodes: 3, seed: 7, keyspaces: { carts: CARTS } });
    cluster.network.faults = { loss: 0.1, doubling: 0.2, delayMs: [0, 40], lanes: ["log"] };
    const acknowledged: string[] = [];
    for (let round = 0; round < 20; round++) {
      const items = cluster.ids.flatMap((id) =>
        [0, 1, 2].map((at) => [id, `${id}/${round}/${at}`]),
      );
      const calls = items.map(([id = "", item = ""]) =>
        add(cluster, id, item, "all").then(
          () => acknowledged.push(item),
          () => undefined,
        ),
      );
      await Promise.all(calls);
    }
    cluster.network.faults = {};
    await add(cluster, "n1", "last", "all");
    expect(acknowledged.length).toBeGreaterThan(60);
    for (const id of cluster.ids) {
      expect(await itemsAt(cluster, id)).toEqual(expect.arrayContaining(acknowledged));
    }
    const copies = cluster.ids.map((id) => copyOf(cluster, id));
    expect(copies.reduce((sum, copy) => sum + (copy?.deltasJoined ?? 0), 0)).toBeGreaterThan(20);
    expect(copies.reduce((sum, copy) => sum + (copy?.deltaGaps ?? 0), 0)).toBeGreaterThan(5);
  });
});
