import { keyspaceHash } from "../../src/core/model/hash.ts";
import { shardIdOf } from "../../src/core/model/ids.ts";
import { Cluster } from "./cluster.ts";
import type { PersistentMemoryDisk } from "./persistent-memory-storage.ts";

const SHARD = Object.freeze({ keyspace: "default", shard: 0 });
/** Longer than elections take. */
export const LONG = Object.freeze({ timeoutMs: 20_000 });
/** Until what a node has is in its state. */
const SETTLED_MS = 1_000;

/** A cluster in which n2 alone holds the one shard, with `a` and `b`; its log is to be damaged. */
export class DamagedVoter {
  readonly cluster: Cluster;
  /** So many commits of n2's state are on its disk, in which `a` is the last. */
  readonly #commits: number;

  private constructor(cluster: Cluster, commits: number) {
    this.cluster = cluster;
    this.#commits = commits;
  }

  static async open(strategy: unknown = "raft"): Promise<DamagedVoter> {
    const keyspaces = { default: { strategy, shards: 1 } };
    const cluster = await Cluster.open({ keyspaces, persistent: true });
    await move(cluster, ["n2"]);
    await cluster.until(cluster.keyspace("n2").put("a", 1, LONG));
    await cluster.advance(SETTLED_MS);
    const commits = diskOf(cluster, "n2").state.synced;
    await cluster.until(cluster.keyspace("n2").put("b", 1, LONG));
    return new DamagedVoter(cluster, commits);
  }

  move(replicas: readonly string[]): Promise<void> {
    return move(this.cluster, replicas);
  }

  /** The shard's log on n2 is broken, and its state has no more than it had when `a` was the last. */
  async damage(): Promise<void> {
    this.cluster.kill("n2");
    const { state } = diskOf(this.cluster, "n2");
    state.batches.length = this.#commits;
    state.synced = this.#commits;
    await damageLog(this.cluster, "n2");
  }
}

/** Of the shard, on a node that is down, which is started then, until it has told of that. */
export async function damageLog(cluster: Cluster, id: string): Promise<void> {
  diskOf(cluster, id).damageLog(shardIdOf(keyspaceHash(SHARD.keyspace), SHARD.shard));
  await cluster.restart(id);
  await cluster.advance(1);
}

async function move(cluster: Cluster, replicas: readonly string[]): Promise<void> {
  const { admin } = cluster.node("n1").store;
  await cluster.until(admin.changeReplicas({ ...SHARD, replicas }, LONG));
}

function diskOf(cluster: Cluster, id: string): PersistentMemoryDisk {
  const disk = cluster.disks.get(id);
  if (disk === undefined) throw new Error(`${id} keeps nothing`);
  return disk;
}
