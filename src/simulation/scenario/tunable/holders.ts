import { stampOfRecord } from "../../../built-ins.ts";
import { type ShardId, shardIdOf } from "../../../core/model/ids.ts";
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
  if (wanted === undefined) return [];
  const place = placeOf(keyspace, key);
  const holders: string[] = [];
  for (const node of world.nodes) {
    if (node.life?.store === undefined) continue;
    const held = stampIn(node, place);
    if (held !== undefined && compareStamps(held, wanted) >= 0) holders.push(node.id);
  }
  return holders;
}

/** Where a key is in a state. */
interface KeyPlace {
  readonly shard: ShardId;
  readonly key: Uint8Array;
}

function placeOf(keyspace: KeyspaceTopology, key: string): KeyPlace {
  const shard = shardIdOf(keyspace.keyspace.hash, keyspace.shardOf(key));
  return { shard, key: Buffer.from(key, "utf8") };
}

/** The stamp under which a running node holds the key in its state. */
export function stampAt(node: SimNode, keyspace: KeyspaceTopology, key: string): Stamp | undefined {
  return stampIn(node, placeOf(keyspace, key));
}

function stampIn(node: SimNode, { shard, key }: KeyPlace): Stamp | undefined {
  try {
    const record = node.disk.storage?.state.get(shard, "data", key);
    return record && stampOfRecord(record);
  } catch {
    // A state that is closed or damaged holds nothing that anybody could be given.
    return undefined;
  }
}
