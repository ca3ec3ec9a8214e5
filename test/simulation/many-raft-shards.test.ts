import { afterEach, describe, expect, test } from "vitest";
import { shardIndexForKey } from "../../src/core/model/hash.ts";
import { SimWorld } from "../../src/simulation/sim-world.ts";

const SHARDS = 64;
const ELECTION_TIMEOUT_MS = 500;
const HEARTBEAT_MS = ELECTION_TIMEOUT_MS / 10;
const IDS = ["n1", "n2", "n3"] as const;
/** Two election timeouts without a wish, and a beat or two. */
const RESTED_MS = 3_000;
const LONG_MS = 60_000;
const SLOW = { timeout: 120_000 };

interface ShardAtNode {
  readonly node: string;
  readonly shard: number;
  readonly role: string;
  readonly term: number;
  readonly resting: boolean;
}

/** Three nodes with disks, and many shards of one keyspace between them. */
class Cluster {
  readonly world: SimWorld;
  /** One for each shard, in their order. */
  readonly keys: readonly string[];

  constructor(seed: number) {
    this.world = new SimWorld({
      seed,
      nodes: IDS,
      configuration: {
        keyspaces: {
          things: {
            ...{ strategy: "raft", replicas: 3, shards: SHARDS },
            electionTimeout: ELECTION_TIMEOUT_MS,
          },
        },
      },
      log: { segmentBytes: 64 * 1024 },
    });
    this.keys = Array.from({ length: SHARDS }, (_, shard) => {
      for (let n = 0; ; n += 1) {
        const key = `k${n}`;
        if (shardIndexForKey(Buffer.from(key), "tag", SHARDS) === shard) return key;
      }
    });
  }

  async open(): Promise<void> {
    const { world } = this;
    await world.driver.until(Promise.all(IDS.map((id) => world.start(id))), LONG_MS);
    await world.driver.until(Promise.all(IDS.map((id) => this.store(id).ready())), LONG_MS);
    await this.run(RESTED_MS);
  }

  async close(): Promise<void> {
    for (const { id } of this.world.running()) {
      await this.world.driver.until(this.world.stop(id), LONG_MS);
    }
  }

  store(id: string) {
    const store = this.world.node(id).life?.store;
    if (store === undefined) throw new Error(`node ${id} is not running`);
    return store;
  }

  run(durationMs: number): Promise<void> {
    return this.world.driver.run(durationMs);
  }

  until<T>(promise: Promise<T>): Promise<T> {
    return this.world.driver.until(promise, LONG_MS);
  }

  /** Milliseconds until it is so; fails if that takes longer. */
  async within(boundMs: number, isSo: () => boolean): Promise<number> {
    const { time, driver } = this.world;
    const sinceMs = time.nowMs;
    const isDone = await driver.runWhile(() => !isSo(), boundMs);
    expect(isDone, `it is not so after ${boundMs} ms`).toBe(true);
    return time.nowMs - sinceMs;
  }

  /** What the nodes say of each shard. */
  shards(nodes: readonly string[] = IDS): readonly (readonly ShardAtNode[])[] {
    const told: ShardAtNode[][] = Array.from({ length: SHARDS }, () => []);
    for (const node of nodes) {
      const { shards } = this.store(node).keyspace("things").describe();
      for (const each of shards as readonly ShardAtNode[])
        told[each.shard]?.push({ ...each, node });
    }
    return told;
  }

  terms(nodes: readonly string[] = IDS): readonly number[] {
    return this.shards(nodes).map((told) => Math.max(...told.map(({ term }) => term)));
  }

  leaders(): readonly (string | undefined)[] {
    return this.shards().map(leaderAmong);
  }

  allAreLed(nodes: readonly string[] = IDS): boolean {
    return this.shards(nodes).every((told) => leaderAmong(told) !== undefined);
  }

  allRest(nodes: readonly string[] = IDS): boolean {
    return this.shards(nodes).every((told) => told.every(({ resting }) => resting));
  }

  /** Calls at all shards at once; settles when all have answered, and fails if one has refused. */
  atAll<T>(ask: (key: string) => Promise<T>): Promise<readonly T[]> {
    return this.until(Promise.all(this.keys.map(ask)));
  }

  /** What strong reads at the node find in all shards. */
  valuesAt(node: string): Promise<readonly unknown[]> {
    const things = this.store(node).keyspace("things");
    return this.atAll(async (key) => {
      const read = await things.get(key, { consistency: "strong" });
      return read.found && !read.conflict ? read.value : undefined;
    });
  }
}

function leaderAmong(told: readonly ShardAtNode[]): string | undefined {
  const newest = Math.max(...told.map(({ term }) => term));
  return told.find(({ role, term }) => role === "leader" && term === newest)?.node;
}

function most(before: readonly number[], after: readonly number[]): number {
  return Math.max(...after.map((term, shard) => term - (before[shard] as number)));
}

describe("many raft shards between three nodes", SLOW, () => {
  const opened: Cluster[] = [];

  async function open(seed: number): Promise<Cluster> {
    const cluster = new Cluster(seed);
    opened.push(cluster);
    await cluster.open();
    return cluster;
  }

  afterEach(async () => {
    for (const cluster of opened.splice(0)) await cluster.close();
  });

  test("rest, and one heartbeat per pair of nodes and beat stands for them all", async () => {
    const cluster = await open(1);
    expect(cluster.allRest()).toBe(true);
    const leaders = cluster.leaders();
    for (const id of IDS) expect(leaders.filter((each) => each === id).length).toBeGreaterThan(10);
    const before = cluster.terms();
    let frames = 0;
    cluster.world.network.onArrival = () => {
      frames += 1;
    };
    const beats = 100;
    await cluster.run(beats * HEARTBEAT_MS);
    // Each node beats to two others and answers both, and as much is left for the detector.
    expect(frames).toBeLessThan(beats * IDS.length * 2 * 2 * 2);
    expect(cluster.allRest()).toBe(true);
    expect(cluster.terms()).toEqual(before);
  });

  test("are all written at once after a rest, without an election", async () => {
    const cluster = await open(2);
    const before = cluster.terms();
    const sinceMs = cluster.world.time.nowMs;
    const things = cluster.store("n2").keyspace("things");
    await cluster.atAll((key) => things.put(key, `${key} is written`));
    expect(cluster.world.time.nowMs - sinceMs).toBeLessThan(ELECTION_TIMEOUT_MS);
    expect(cluster.terms()).toEqual(before);
    await cluster.within(RESTED_MS, () => cluster.allRest());
    expect(await cluster.valuesAt("n3")).toEqual(cluster.keys.map((key) => `${key} is written`));
  });

  test.each([
    { how: "dies with its connections", silently: false },
    { how: "falls silent", silently: true },
  ])("have leaders again soon when a node $how, each after few elections", async ({ silently }) => {
    const cluster = await open(3);
    const left = ["n2", "n3"];
    const before = cluster.terms();
    const orphans = cluster.leaders().filter((leader) => leader === "n1").length;
    expect(orphans).toBeGreaterThan(10);
    cluster.world.crash("n1", { silently });
    // Three beats until it is missed, the longest draw, and as much for whoever stood in vain.
    await cluster.within(2 * ELECTION_TIMEOUT_MS + 3 * HEARTBEAT_MS, () => cluster.allAreLed(left));
    expect(most(before, cluster.terms(left))).toBeLessThanOrEqual(3);
    const settled = cluster.terms(left);
    const things = cluster.store("n2").keyspace("things");
    await cluster.atAll((key) => things.put(key, "after the crash"));
    await cluster.run(RESTED_MS);
    expect(cluster.terms(left)).toEqual(settled);
  });

  test("have leaders again soon after all machines have lost their power at once", async () => {
    const cluster = await open(4);
    const things = cluster.store("n1").keyspace("things");
    await cluster.atAll((key) => things.put(key, `${key} before`));
    const before = cluster.terms();
    for (const id of IDS) cluster.world.crash(id, { power: "lose", silently: true });
    await cluster.until(Promise.all(IDS.map((id) => cluster.world.start(id))));
    // They are silent for an election timeout first.
    await cluster.within(4 * ELECTION_TIMEOUT_MS, () => cluster.allAreLed());
    expect(most(before, cluster.terms())).toBeLessThanOrEqual(4);
    expect(await cluster.valuesAt("n2")).toEqual(cluster.keys.map((key) => `${key} before`));
  });

  test("go on beside a partition, and rest again after it without an election more than to spread", async () => {
    const cluster = await open(5);
    const { network } = cluster.world;
    const before = cluster.terms();
    for (const other of ["n2", "n3"]) network.cut("n1", other);
    const left = ["n2", "n3"];
    await cluster.within(2 * ELECTION_TIMEOUT_MS + 3 * HEARTBEAT_MS, () => cluster.allAreLed(left));
    await cluster.run(10 * ELECTION_TIMEOUT_MS);
    // PreVote: whoever is alone asks again and again, and its term does not rise.
    expect(most(before, cluster.terms())).toBeLessThanOrEqual(3);
    const healed = cluster.terms();
    network.heal();
    await cluster.within(RESTED_MS + 2 * ELECTION_TIMEOUT_MS, () => cluster.allRest());
    expect(cluster.allAreLed()).toBe(true);
    expect(most(healed, cluster.terms())).toBeLessThanOrEqual(2);
  });

  test("give no lease read of what was overwritten behind a resting leader's back", async () => {
    const cluster = await open(6);
    const { network } = cluster.world;
    const old = cluster.store("n1").keyspace("things");
    await cluster.atAll((key) => old.put(key, "old"));
    await cluster.within(RESTED_MS, () => cluster.allRest());
    const leaders = cluster.leaders();
    const ofN1 = cluster.keys.filter((_, shard) => leaders[shard] === "n1");
    expect(ofN1.length).toBeGreaterThan(10);
    for (const other of ["n2", "n3"]) network.cut("n1", other);
    const things = cluster.store("n2").keyspace("things");
    await cluster.until(Promise.all(ofN1.map((key) => things.put(key, "new"))));
    const answers = await cluster.until(
      Promise.all(
        ofN1.map(async (key) => {
          const now = old.getNow(key, { consistency: "lease" });
          if (now !== undefined) return now;
          return old.get(key, { consistency: "lease" }).catch(({ code }) => code);
        }),
      ),
    );
    expect([...new Set(answers)]).toEqual(["UNAVAILABLE"]);
  });
});
