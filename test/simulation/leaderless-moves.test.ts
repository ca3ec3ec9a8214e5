import { describe, expect, test } from "vitest";
import { dynamoStrategy } from "../../src/strategies/dynamo/dynamo-strategy.ts";
import type { PlantedBugs } from "../../src/strategies/tunable/planted-bugs.ts";
import { makeTunableStrategy } from "../../src/strategies/tunable/tunable-strategy.ts";
import { Cluster } from "../support/cluster.ts";
import { SeededRandom } from "../support/seeded-random.ts";

const KEYS = 6;
const LENGTH_MS = 12_000;

interface Run {
  readonly violations: readonly string[];
  readonly reads: number;
  readonly writes: number;
  readonly moves: number;
}

/** Undefined for whatever fault. */
function settled<T>(call: Promise<T>): Promise<T | undefined> {
  return call.catch(() => undefined);
}

/**
 * A shard moves all the time between five nodes, of which one after another is cut off. One client
 * writes each key, rising; what another one reads is never older than what was acknowledged before.
 */
class MovingShard {
  readonly #cluster: Cluster;
  readonly #random: SeededRandom;
  readonly #acknowledged = new Map<string, number>();
  readonly #violations: string[] = [];
  #isOver = false;
  #reads = 0;
  #writes = 0;
  #moves = 0;

  constructor(cluster: Cluster, seed: number) {
    this.#cluster = cluster;
    this.#random = new SeededRandom(seed, "moves");
  }

  async run(): Promise<Run> {
    const cluster = this.#cluster;
    const keys = Array.from({ length: KEYS }, (_, index) => `k${index}`);
    const loops = keys.flatMap((key) => [this.#write(key), this.#read(key)]);
    const all = Promise.all([...loops, this.#move(), this.#cut()]);
    await cluster.advance(LENGTH_MS);
    this.#isOver = true;
    cluster.network.heal();
    await cluster.until(all);
    await cluster.advance(3_000);
    for (const key of keys) for (const id of cluster.ids) await this.#check(key, id);
    const [reads, writes, moves] = [this.#reads, this.#writes, this.#moves];
    return { violations: this.#violations, reads, writes, moves };
  }

  async #write(key: string): Promise<void> {
    for (let n = 1; !this.#isOver; n++) {
      const options = { consistency: "quorum", timeoutMs: 250 } as const;
      const result = await settled(this.#cluster.keyspace(this.#anyNode()).put(key, n, options));
      if (result?.receipt.consistent) {
        this.#acknowledged.set(key, n);
        this.#writes++;
      }
      await this.#pause(5, 60);
    }
  }

  async #read(key: string): Promise<void> {
    while (!this.#isOver) {
      await this.#look(key, this.#anyNode());
      await this.#pause(5, 60);
    }
  }

  async #look(key: string, id: string): Promise<boolean> {
    const least = this.#acknowledged.get(key) ?? 0;
    const options = { consistency: "quorum", timeoutMs: 250 } as const;
    const read = await settled(this.#cluster.keyspace(id).get(key, options));
    if (read === undefined || !read.receipt.consistent) return false;
    this.#reads++;
    const values = !read.found ? [0] : read.conflict ? read.siblings : [read.value];
    const seen = Math.max(...values.map(Number));
    if (seen < least) this.#violations.push(`${key} at ${id}: ${seen} after ${least}`);
    return true;
  }

  async #check(key: string, id: string): Promise<void> {
    for (let n = 0; n < 40; n++) if (await this.#cluster.until(this.#look(key, id))) return;
    this.#violations.push(`${key} cannot be read at ${id}`);
  }

  async #move(): Promise<void> {
    const { ids } = this.#cluster;
    while (!this.#isOver) {
      const goal = [...ids];
      while (goal.length > 3) goal.splice(this.#random.uint32() % goal.length, 1);
      const { admin } = this.#cluster.node(this.#anyNode()).store;
      const change = { keyspace: "default", shard: 0, replicas: goal };
      if (await settled(admin.changeReplicas(change, { timeoutMs: 1_500 }))) this.#moves++;
      await this.#pause(20, 300);
      // Whatever is under way is gone on with.
      const { changingTo } = (await settled(admin.members(change))) ?? {};
      if (changingTo === undefined) continue;
      const again = { ...change, replicas: changingTo };
      if (await settled(admin.changeReplicas(again, { timeoutMs: 1_500 }))) this.#moves++;
    }
  }

  async #cut(): Promise<void> {
    while (!this.#isOver) {
      await this.#pause(50, 500);
      if (!this.#isOver) this.#cluster.isolate(this.#anyNode());
      await this.#pause(100, 1_500);
      this.#cluster.network.heal();
    }
  }

  #anyNode(): string {
    const { ids } = this.#cluster;
    return ids[this.#random.uint32() % ids.length] as string;
  }

  #pause(leastMs: number, mostMs: number): Promise<void> {
    const delayMs = leastMs + (this.#random.uint32() % (mostMs - leastMs));
    return new Promise((resolve) => this.#cluster.time.setTimer(delayMs, resolve));
  }
}

async function runSeed(seed: number, strategy: object): Promise<Run> {
  const cluster = await Cluster.open({
    ...{ nodes: 5, seed, persistent: true },
    // Nothing but the moves makes copies equal.
    keyspaces: {
      default: {
        strategy,
        replicas: 3,
        shards: 1,
        repair: { interval: "off", maxHints: 0 },
      } as never,
    },
    faults: { loss: 0.01, delayMs: [1, 8], slow: 0.05, slowMs: [20, 150] },
  });
  try {
    return await new MovingShard(cluster, seed).run();
  } finally {
    await cluster.close();
  }
}

describe("a shard that moves all the time, with nodes cut off", () => {
  test.each([
    ["tunable", makeTunableStrategy()],
    ["dynamo", dynamoStrategy],
  ])("keeps every acknowledged write visible at quorum: %s", async (_name, strategy) => {
    let moves = 0;
    for (let seed = 1; seed <= 2; seed++) {
      const run = await runSeed(seed, strategy);
      expect({ seed, violations: run.violations }).toEqual({ seed, violations: [] });
      expect(run.reads).toBeGreaterThan(200);
      expect(run.writes).toBeGreaterThan(200);
      moves += run.moves;
    }
    expect(moves).toBeGreaterThan(6);
  });

  // The first seeds are those that have shown them.
  test.each<[string, PlantedBugs, number]>([
    ["writes count on the new replicas alone", { countedOnNewOnly: true }, 24],
    ["the switch does not wait for the stream", { switchedBeforeStreamed: true }, 21],
    ["what was made for an older epoch is done", { olderEpochAccepted: true }, 13],
  ])("a violation is found within twelve seeds when %s", async (_what, planted, first) => {
    for (let seed = first; seed < first + 12; seed++) {
      const { violations } = await runSeed(seed, makeTunableStrategy(planted));
      if (violations.length > 0) return;
    }
    expect.fail("no violation in twelve seeds");
  });
});
