import { keyspaceHash } from "../../src/core/model/hash.ts";
import { shardIdOf } from "../../src/core/model/ids.ts";
import { compareStamps, type Stamp } from "../../src/core/model/stamp.ts";
import { stampOfVersionToken } from "../../src/core/model/version-token.ts";
import type { PersistentMemoryDisk } from "../../src/simulation/persistent-memory-storage.ts";
import { checkLinearizable, checkLostWrites, registerModel } from "../../src/verification/index.ts";
import { Cluster } from "./cluster.ts";
import { waitUntilServing } from "./cluster-calls.ts";
import { Workload, type WorkloadReport } from "./cluster-workload.ts";
import { SeededRandom } from "./seeded-random.ts";

const SHARDS = 2;
const KEYS = 6;
const KEYSPACES = ["strong", "fsync", "os", "memory"] as const;
type KeyspaceName = (typeof KEYSPACES)[number];
/** A few heartbeats: by then the peers know how far each log is synced, though frames are lost. */
const HEARTBEATS_MS = 1_500;

/** More than what a node writes about its peers, or has not told them yet. */
const TOLD_RECORDS = 20;

export const MISHAPS = Object.freeze([
  "power-cut",
  "kill",
  "stop",
  "all-power-cut",
  "all-kill",
  "old-copy",
  "damaged-log",
  "damaged-entry",
  "damaged-shard",
  "power-cut-twice",
  "slow-disk",
] as const);
export type Mishap = (typeof MISHAPS)[number];

export interface PersistentRun {
  readonly seed: number;
  readonly mishaps: readonly Mishap[];
  /** What must not be: empty if all promises were kept. */
  readonly violations: readonly string[];
  readonly reports: ReadonlyMap<KeyspaceName, WorkloadReport>;
}

/**
 * Three nodes on disks that lose what was not synced, a mishap of one node after the other (the
 * next comes when that node serves again) or of all at once, and clients that go on meanwhile.
 */
export async function runPersistent(
  seed: number,
  options: { readonly mishaps?: readonly Mishap[]; readonly operations?: number } = {},
): Promise<PersistentRun> {
  const random = new SeededRandom(seed, "mishaps");
  const drawn = Array.from({ length: 3 }, () => pick(MISHAPS, random));
  const mishaps = options.mishaps ?? drawn;
  const cluster = await Cluster.open({
    seed,
    persistent: true,
    keyspaces: {
      strong: { shards: SHARDS },
      fsync: { shards: SHARDS },
      os: { shards: SHARDS, durability: "os" },
      memory: { shards: SHARDS, durability: "memory" },
    },
    skewsMs: [0, 4_000, -4_000],
    faults: { loss: 0.04, doubling: 0.04, delayMs: [0.2, 4], slow: 0.1, slowMs: [5, 60] },
  });
  try {
    return await new Run(cluster, seed, mishaps, random, options.operations ?? 1_500).play();
  } finally {
    await cluster.close();
  }
}

class Run {
  readonly #cluster: Cluster;
  readonly #seed: number;
  readonly #mishaps: readonly Mishap[];
  readonly #random: SeededRandom;
  readonly #operations: number;
  readonly #violations: string[] = [];

  constructor(
    cluster: Cluster,
    seed: number,
    mishaps: readonly Mishap[],
    random: SeededRandom,
    operations: number,
  ) {
    this.#cluster = cluster;
    this.#seed = seed;
    this.#mishaps = mishaps;
    this.#random = random;
    this.#operations = operations;
  }

  async play(): Promise<PersistentRun> {
    const cluster = this.#cluster;
    const seed = this.#seed;
    const workloads = KEYSPACES.map((keyspace, index) => {
      const level = keyspace === "strong" ? ("strong" as const) : ("quorum" as const);
      const operations = this.#operations;
      const clients = { clients: 4, keys: KEYS, thinkMs: 60 };
      return new Workload(cluster, {
        ...{ ...clients, keyspace, level, operations, seed: seed * 10 + index },
      });
    });
    const running = Promise.all(workloads.map((workload) => workload.run()));
    for (const mishap of this.#mishaps) {
      await cluster.advance(200 + this.#random.fraction() * 1_500);
      await this.#befall(mishap);
    }
    const reports = await cluster.until(running);
    const byName = new Map(KEYSPACES.map((name, at) => [name, reports[at] as WorkloadReport]));
    await this.#check(byName);
    return { seed, mishaps: this.#mishaps, violations: this.#violations, reports: byName };
  }

  async #befall(mishap: Mishap): Promise<void> {
    const cluster = this.#cluster;
    const id = pick(cluster.ids, this.#random);
    const disk = this.#disk(id);
    const shard = shardIdOf(
      keyspaceHash(pick(KEYSPACES, this.#random)),
      this.#random.uint32() % SHARDS,
    );
    switch (mishap) {
      case "power-cut":
      case "kill":
        await this.#again([id], mishap === "kill");
        break;
      case "power-cut-twice":
        cluster.kill(id);
        await cluster.restart(id);
        await cluster.advance(this.#random.fraction() * 1_500);
        await this.#again([id], this.#random.fraction() < 0.5);
        break;
      case "stop":
        await cluster.stop(id);
        await cluster.advance(this.#random.fraction() * 500);
        await cluster.restart(id);
        break;
      case "all-power-cut":
      case "all-kill":
        await this.#again(cluster.ids, mishap === "all-kill");
        break;
      case "old-copy":
        await this.#oldCopy(id);
        break;
      case "damaged-log":
        cluster.kill(id);
        disk.damageLog(shard);
        await cluster.restart(id);
        break;
      case "damaged-entry":
        disk.damageEntry(shard, "data", Buffer.from(`key-${this.#random.uint32() % KEYS}`));
        break;
      case "damaged-shard":
        disk.damageShard(shard);
        break;
      case "slow-disk":
        disk.log.syncMs = 20;
        await cluster.advance(1_000);
        disk.log.syncMs = 0;
        break;
    }
    await this.#whole();
  }

  async #again(ids: readonly string[], killed: boolean): Promise<void> {
    for (const id of ids) this.#cluster.kill(id, { killed });
    await this.#cluster.advance(this.#random.fraction() * 300);
    for (const id of ids) await this.#cluster.restart(id);
  }

  async #oldCopy(id: string): Promise<void> {
    const cluster = this.#cluster;
    const copy = this.#disk(id).copy();
    await cluster.advance(500 + this.#random.fraction() * 1_000);
    const isOfAll = this.#random.fraction() < 0.3;
    const others = cluster.ids.filter((each) => each !== id);
    await cluster.stop(id);
    const missing = this.#disk(id).log.synced - copy.log.synced;
    await cluster.advance(HEARTBEATS_MS);
    if (isOfAll) {
      for (const other of others) await cluster.stop(other);
      for (const other of others) await cluster.restart(other);
    }
    cluster.disks.set(id, copy);
    const { store } = await cluster.restart(id);
    const isFailed = () => store.describe().state === "failed";
    if (missing < TOLD_RECORDS) {
      // With nothing written, or told, meanwhile it is no older than what it stands for.
      await cluster.waitFor(() => isFailed() || this.#isServing(id));
      if (!isFailed()) return;
    }
    await cluster.waitFor(isFailed);
    await cluster.advance(1);
    const failed = cluster.node(id).events.find(({ type }) => type === "failed");
    if (failed?.code !== "DATA_DISOWNED") this.#violations.push(`old copy: ${failed?.message}`);
    await cluster.stop(id);
    await cluster.restart(id);
  }

  #isServing(id: string): boolean {
    return KEYSPACES.every((name) => {
      const { hosted, serving } = this.#cluster.keyspace(id, name).describe();
      return hosted === serving;
    });
  }

  /** Every replica of every node serves. */
  async #whole(): Promise<void> {
    for (const id of this.#cluster.ids) {
      for (const name of KEYSPACES) await waitUntilServing(this.#cluster, id, name);
    }
  }

  async #check(reports: ReadonlyMap<KeyspaceName, WorkloadReport>): Promise<void> {
    const cluster = this.#cluster;
    cluster.network.heal();
    cluster.network.faults = {};
    await cluster.advance(3_000);
    await this.#whole();
    for (const id of cluster.ids) {
      const { state, storageProblems } = cluster.node(id).store.describe();
      const isSound = state === "ready" || state === "joining";
      if (!isSound) this.#violations.push(`${id} is ${state}: ${JSON.stringify(storageProblems)}`);
    }
    for (const [name, report] of reports) {
      if (this.#isKept(name)) await this.#checkLoss(name, report);
    }
    const { history } = reports.get("strong") as WorkloadReport;
    const result = checkLinearizable(registerModel, history);
    if (result.verdict === "illegal") {
      this.#violations.push(`strong: ${result.keys.join()} is not linearizable`);
    }
  }

  /** Whether a majority of the copies is left of everything that was acknowledged. */
  #isKept(name: KeyspaceName): boolean {
    if (name === "os") return !this.#mishaps.includes("all-power-cut");
    if (name === "memory") {
      return !this.#mishaps.some((each) => each === "all-power-cut" || each === "all-kill");
    }
    return true;
  }

  async #checkLoss(keyspace: KeyspaceName, report: WorkloadReport): Promise<void> {
    const cluster = this.#cluster;
    for (const node of cluster.ids) {
      const finals = new Map<string, readonly Stamp[]>();
      for (let number = 0; number < KEYS; number++) {
        const key = `key-${number}`;
        const reading = cluster.keyspace(node, keyspace).get(key, { consistency: "quorum" });
        const { version } = await cluster.until(reading);
        finals.set(key, version === undefined ? [] : [stampOf(version)]);
      }
      // A copy that loses its tail is rebuilt from the others before it counts again.
      const acknowledged = report.acknowledged.map(({ key, version }, acknowledgedAt) => ({
        key,
        version: stampOf(version),
        acknowledgedAt,
        holders: cluster.ids,
      }));
      const covers = (found: Stamp, acked: Stamp) => compareStamps(found, acked) >= 0;
      const { violations } = checkLostWrites({ acknowledged, wiped: [], finals, covers });
      for (const lost of violations) {
        this.#violations.push(`${keyspace}: lost ${JSON.stringify(lost)} as ${node} sees it`);
      }
    }
  }

  #disk(id: string): PersistentMemoryDisk {
    return this.#cluster.disks.get(id) as PersistentMemoryDisk;
  }
}

function stampOf(version: string): Stamp {
  return stampOfVersionToken(version) as Stamp;
}

function pick<T>(from: readonly T[], random: SeededRandom): T {
  return from[random.uint32() % from.length] as T;
}
