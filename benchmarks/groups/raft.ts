import { withFolder } from "../support/bench-folder.ts";
import { MeasuredCluster } from "../support/measured-cluster.ts";
import { earlierOr, FLOOR_NAME, type Group, type Measurement } from "../support/measurement.ts";
import { withNatsServer } from "../support/nats-server.ts";
import { floorGroup, measureFloor } from "./floor.ts";

const VALUE_BYTES = 256;
/** Leaders are spread over the nodes: of six shards this process leads one at least. */
const NAMES = Object.freeze(["raft-1", "raft-2", "raft-3", "raft-4", "raft-5", "raft-6"]);

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
      const { seconds, earlier } = options;
      const rows: Measurement[] = [];
      for (const setting of settingsOf(folder, natsUrl)) {
        const { floorName } = setting;
        const floor = await earlierOr([...earlier, ...rows], floorName, () =>
          floorName === FLOOR_NAME
            ? floorGroup(options)
            : measureFloor(floorName, { seconds, ...setting }),
        );
        rows.push(...floor, ...(await measureSetting(setting, seconds, floor)));
      }
      return rows;
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

async function measureSetting(
  { name, floorName, natsUrl, folder, reads }: Setting,
  seconds: number,
  floor: readonly Measurement[],
): Promise<readonly Measurement[]> {
  const cluster = await MeasuredCluster.open({
    nodes: 3,
    transport: natsUrl === undefined ? { type: "tcp" } : { type: "nats", servers: natsUrl },
    storage:
      folder === undefined
        ? { type: "memory" }
        : { type: "disk", path: `${folder}/raft-${natsUrl === undefined ? "tcp" : "nats"}` },
    keyspaces: Object.fromEntries(NAMES.map((each) => [each, { strategy: "raft", shards: 1 }])),
    valueBytes: VALUE_BYTES,
  });
  const keyspace = await cluster.led(NAMES);
  await cluster.fill(keyspace, "strong");
  const rows = [];
  const base = { keyspace, seconds };
  for (const inFlight of [1, 64]) {
    const row = { ...base, operation: "put", consistency: "strong", inFlight } as const;
    rows.push(await cluster.measure(`raft put ${name}`, row, { rows: floor, name: floorName }));
  }
  if (reads) rows.push(...(await measureReads(cluster, base)));
  await cluster.close();
  return rows;
}

async function measureReads(
  cluster: MeasuredCluster,
  base: { readonly keyspace: string; readonly seconds: number },
): Promise<readonly Measurement[]> {
  const lease = { ...base, consistency: "lease", inFlight: 1 } as const;
  const strong = { ...base, operation: "get", consistency: "strong" } as const;
  return [
    await cluster.measure("raft get lease", { ...lease, operation: "get" }),
    await cluster.measureNow("raft getNow lease", base.seconds, base.keyspace),
    await cluster.measure("raft get strong", { ...strong, inFlight: 1 }),
    await cluster.measure("raft get strong", { ...strong, inFlight: 64 }),
  ];
}
