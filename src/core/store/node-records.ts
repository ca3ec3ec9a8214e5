import { NODE_SHARD, type StateStore, type Storage } from "../contracts/storage.ts";
import type { ClusterId } from "../model/ids.ts";
import type { HybridTime } from "../model/stamp.ts";

const CLUSTER_ID_KEY = Buffer.from("cluster-id", "utf8");
const CLOCK_HIGH_KEY = Buffer.from("clock-high", "utf8");

/** What a node keeps about itself, under `meta` of no shard. */
export function loadClusterId(state: StateStore): ClusterId | undefined {
  const value = state.get(NODE_SHARD, "meta", CLUSTER_ID_KEY);
  return value === undefined ? undefined : (Buffer.from(value).toString("utf8") as ClusterId);
}

export function saveClusterId(storage: Storage, id: ClusterId): void {
  put(storage, CLUSTER_ID_KEY, Buffer.from(id, "utf8"));
}

/** Below or at this, an earlier start may have minted. */
export function loadClockHigh(state: StateStore): HybridTime {
  const value = state.get(NODE_SHARD, "meta", CLOCK_HIGH_KEY);
  return value === undefined ? 0 : Buffer.from(value).readDoubleBE(0);
}

export function saveClockHigh(storage: Storage, high: HybridTime): void {
  const value = Buffer.alloc(8);
  value.writeDoubleBE(high, 0);
  put(storage, CLOCK_HIGH_KEY, value);
}

function put(storage: Storage, key: Uint8Array, value: Uint8Array): void {
  storage.state.commit({
    mutations: [{ type: "put", shard: NODE_SHARD, space: "meta", key, value }],
    // It adds nothing of the log: records that are durable already may still wait to be committed.
    position: storage.state.committedPosition,
  });
}
