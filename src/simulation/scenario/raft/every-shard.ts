import type { SimNode } from "../../sim-node.ts";
import { MANY_SHARDS } from "../many-shards.ts";
import type { KeyspaceScene } from "../strategy-scenario.ts";
import type { RaftRecords } from "./raft-records.ts";

/** From then on no client calls any more: whatever the shards have slept through is over by it. */
const BOUND_MS = 60_000;
const READ_MS = 120_000;
const BETWEEN_TRIES_MS = 500;

/**
 * Everything is healed: where there are many shards each one is read at `strong`, also those that no
 * client has ever called, all at once and each through some node. Runs the world.
 */
export async function demandEveryShard(scene: KeyspaceScene, records: RaftRecords): Promise<void> {
  const { world, plan, keyspace, calls } = scene;
  if (keyspace.keyspace.shards < MANY_SHARDS) return;
  const { driver, nodes, time } = world;
  const keys = keyOfEachShard(scene);
  const endMs = time.nowMs + BOUND_MS;
  let left: readonly number[] = keys.map((_, shard) => shard);
  for (let tries = 0; left.length > 0 && time.nowMs < endMs; tries += 1) {
    const asking = left.map(async (shard) => {
      const node = nodes[(shard + tries) % nodes.length] as SimNode;
      try {
        const store = calls.keyspaceOf(node, plan.name);
        await calls.alive(node, store.get(keys[shard] as string, { consistency: "strong" }));
        return undefined;
      } catch (error) {
        calls.noteFault("last", `shard ${shard}`, error);
        return shard;
      }
    });
    const missed = await driver.until(Promise.all(asking), READ_MS);
    const before = left.length;
    left = missed.filter((shard) => shard !== undefined);
    // A node that takes few operations at a time refuses the others at once.
    if (left.length === before) await driver.run(BETWEEN_TRIES_MS);
  }
  for (const shard of left) {
    const message = `shard ${shard} is not read within ${BOUND_MS} ms after all is healed`;
    records.violate("liveness", message);
  }
  if (left.length === 0) records.count("many raft shards were all led in the end");
}

/** In the order of the shards; not one that a client writes. */
function keyOfEachShard({ keyspace }: KeyspaceScene): readonly string[] {
  const { shards } = keyspace.keyspace;
  const keys = new Map<number, string>();
  for (let n = 0; keys.size < shards; n += 1) {
    const key = `asked${n}/in-the-end`;
    const shard = keyspace.shardOf(key);
    if (!keys.has(shard)) keys.set(shard, key);
  }
  return Array.from({ length: shards }, (_, shard) => keys.get(shard) as string);
}
