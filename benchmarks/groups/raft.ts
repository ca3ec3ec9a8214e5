import { withFolder } from "../support/bench-folder.ts";
import { FloorCluster } from "../support/floor-cluster.ts";
import { type Group, type GroupOptions, measureRows } from "../support/measure-rows.ts";
import { MeasuredCluster, type RowOptions } from "../support/measured-cluster.ts";
import { withNatsServer } from "../support/nats-server.ts";
import { FLOOR_NAME } from "../support/results.ts";

const VALUE_BYTES = 256;
/** Of each read, which the puts before have not compiled. */
const READS_WARM_UP_MS = 300;
const KEYSPACE = "raft";

interface Setting {
  readonly name: string;
  readonly floorName: string;
  readonly natsUrl: string | undefined;
  readonly folder: string | undefined;
  readonly reads: boolean;
}

/**
 * `raft` over three processes, one shard, 256-byte values, the leader in the process of the load:
 * puts, durable and in memory, over TCP and over NATS, beside the floors; and the leader's reads.
 */
export const raftGroup: Group = (options) =>
  withFolder((folder) =>
    withNatsServer(async (natsUrl) => {
      for (const setting of settingsOf(folder, natsUrl)) await measureSetting(setting, options);
    }),
  );

function settingsOf(folder: string, natsUrl: string | undefined): readonly Setting[] {
  const tcp = { natsUrl: undefined };
  const settings: Setting[] = [
    { ...tcp, name: "durable tcp", floorName: "floor durable, tcp", folder, reads: false },
    { ...tcp, name: "memory tcp", floorName: FLOOR_NAME, folder: undefined, reads: true },
  ];
  if (natsUrl === undefined) return settings;
  const nats = { natsUrl, folder, reads: false };
  return [...settings, { ...nats, name: "durable nats", floorName: "floor durable, nats" }];
}

async function measureSetting(setting: Setting, options: GroupOptions): Promise<void> {
  const { name, floorName, natsUrl, folder, reads } = setting;
  const [floor, cluster] = await Promise.all([
    FloorCluster.open({ natsUrl, folder }),
    MeasuredCluster.open({
      nodes: 3,
      transport: natsUrl === undefined ? { type: "tcp" } : { type: "nats", servers: natsUrl },
      storage:
        folder === undefined
          ? { type: "memory" }
          : { type: "disk", path: `${folder}/raft-${natsUrl === undefined ? "tcp" : "nats"}` },
      keyspaces: { [KEYSPACE]: { strategy: "raft", shards: 1 } },
      valueBytes: VALUE_BYTES,
    }),
  ]);
  await cluster.moveToLeader(KEYSPACE);
  await cluster.prepare("strong", ["put"], KEYSPACE);
  options.results.announce([floorName, `raft put ${name}`], [1, 64]);
  // What has run fast has been compiled.
  for (const inFlight of [64, 1]) {
    const row = { operation: "put", consistency: "strong", inFlight, keyspace: KEYSPACE } as const;
    await measureRows({
      ...options,
      inFlight,
      floor: { name: floorName, entrant: floor.entrant(inFlight) },
      rows: [{ name: `raft put ${name}`, entrant: cluster.entrant(row) }],
      isDurable: folder !== undefined,
    });
  }
  if (reads) await measureReads(cluster, options);
  await Promise.all([cluster.close(), floor.close()]);
}

async function measureReads(cluster: MeasuredCluster, options: GroupOptions): Promise<void> {
  const lease = { keyspace: KEYSPACE, consistency: "lease", inFlight: 1 } as const;
  const strong = { keyspace: KEYSPACE, operation: "get", consistency: "strong" } as const;
  const rows: readonly (readonly [string, RowOptions])[] = [
    ["raft get lease", { ...lease, operation: "get" }],
    ["raft getNow lease", { ...lease, operation: "getNow" }],
    ["raft get strong", { ...strong, inFlight: 1 }],
    ["raft get strong", { ...strong, inFlight: 64 }],
  ];
  for (const [name, row] of rows) {
    const entrant = cluster.entrant(row);
    await entrant.slice(READS_WARM_UP_MS);
    await measureRows({ ...options, inFlight: row.inFlight, rows: [{ name, entrant }] });
  }
}
