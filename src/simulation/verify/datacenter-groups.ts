import type { KeyspaceTopology } from "../scenario/topology.ts";
import { LOCAL_COPIES } from "../scenario/tunable/local-keys.ts";
import type { KeyGroup } from "./clients.ts";
import type { LevelPair } from "./promised-checks.ts";

/** Of names that are tried for keys in the shards that are wanted, per key. */
const MOST_NAMES = 1_000;

/** Whether what is written and read so is about one datacenter. */
export function isLocal({ write, read }: LevelPair): boolean {
  return write === "local-quorum" && read === "local-quorum";
}

/**
 * Keys that are used in one datacenter alone, as `local-quorum` asks for: for each datacenter as many
 * as in the group, in shards of which it holds `LOCAL_COPIES`. The group itself where there are none.
 */
export function inEachDatacenter(
  group: KeyGroup,
  datacenters: readonly (readonly string[])[],
  place: KeyspaceTopology,
): readonly KeyGroup[] {
  const groups = datacenters.flatMap((nodes): readonly KeyGroup[] => {
    const name = `${group.name}/${nodes[0]}`;
    const keys = keysNear(nodes, place, { name, count: group.keys.length });
    return keys.length === 0 ? [] : [{ ...group, name, keys, nodes }];
  });
  return groups.length === 0 ? [group] : groups;
}

function keysNear(
  nodes: readonly string[],
  place: KeyspaceTopology,
  { name, count }: { readonly name: string; readonly count: number },
): readonly string[] {
  const keys: string[] = [];
  for (let number = 1; number <= count * MOST_NAMES && keys.length < count; number += 1) {
    const key = `${name}/${number}`;
    const near = place.newestOf(place.shardOf(key)).filter((node) => nodes.includes(node));
    if (near.length >= LOCAL_COPIES) keys.push(key);
  }
  return keys;
}
