import { stampOfRecord } from "../../../built-ins.ts";
import { shardIdOf } from "../../../core/model/ids.ts";
import { compareStamps, type Stamp } from "../../../core/model/stamp.ts";
import { stampOfVersionToken } from "../../../core/model/version-token.ts";
import type { SimNode } from "../../sim-node.ts";
import type { SimWorld } from "../../sim-world.ts";
import type { KeyspaceTopology } from "../topology.ts";

/**
 * Running nodes that hold the version of a tunable keyspace's key, or a newer one: also those that
 * are being given the shard, and those that have not handed over yet what they held of it.
 */
export function holdersOf(
  world: SimWorld,
  keyspace: KeyspaceTopology,
  { key, version }: { readonly key: string; readonly version: string },
): readonly string[] {
  const wanted = stampOfVersionToken(version);
  return world
    .running()
    .filter((node) => {
      if (wanted === undefined) return false;
      const held = stampAt(node, keyspace, key);
      return held !== undefined && compareStamps(held, wanted) >= 0;
    })
    .map(({ id }) => id);
}

/** The stamp under which a running node holds the key in its state. */
export function stampAt(node: SimNode, keyspace: KeyspaceTopology, key: string): Stamp | undefined {
  const shard = shardIdOf(keyspace.keyspace.hash, keyspace.shardOf(key));
  try {
    const record = node.disk.storage?.state.get(shard, "data", Buffer.from(key, "utf8"));
    return record && stampOfRecord(record);
  } catch {
    // A state that is closed or damaged holds nothing that anybody could be given.
    return undefined;
  }
}
