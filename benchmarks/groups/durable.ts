import { withFolder } from "../support/bench-folder.ts";
import { FloorCluster } from "../support/floor-cluster.ts";
import { type Group, type GroupOptions, measureRows } from "../support/measure-rows.ts";
import { MeasuredCluster } from "../support/measured-cluster.ts";
import { withNatsServer } from "../support/nats-server.ts";
import { FLOOR_NAME } from "../support/results.ts";

/** One way to run three nodes, and the floor that it is held against. */
interface Setting {
  readonly name: string;
  readonly floorName: string;
  readonly natsUrl: string | undefined;
  readonly folder: string | undefined;
}

/**
 * `quorum` puts of `tunable` over three processes: durable and in memory, over TCP and over NATS,
 * each beside a bare loop that does as much replicating and syncing and nothing else.
 */
export const durableGroup: Group = (options) =>
  withFolder((folder) =>
    withNatsServer(async (natsUrl) => {
      for (const setting of settingsOf(folder, natsUrl)) await measurePuts(setting, options);
    }),
  );

function settingsOf(folder: string, natsUrl: string | undefined): readonly Setting[] {
  const tcp: Setting[] = [
    {
      name: "put quorum, durable, tcp",
      floorName: "floor durable, tcp",
      natsUrl: undefined,
      folder,
    },
    {
      name: "put quorum, memory, tcp",
      floorName: FLOOR_NAME,
      natsUrl: undefined,
      folder: undefined,
    },
  ];
  if (natsUrl === undefined) return tcp;
  return [
    ...tcp,
    { name: "put quorum, durable, nats", floorName: "floor durable, nats", natsUrl, folder },
    {
      name: "put quorum, memory, nats",
      floorName: "floor replicated, nats",
      natsUrl,
      folder: undefined,
    },
  ];
}

async function measurePuts(setting: Setting, options: GroupOptions): Promise<void> {
  const { name, floorName, natsUrl, folder } = setting;
  const [floor, cluster] = await Promise.all([
    FloorCluster.open({ natsUrl, folder }),
    MeasuredCluster.open({
      nodes: 3,
      transport: natsUrl === undefined ? { type: "tcp" } : { type: "nats", servers: natsUrl },
      storage:
        folder === undefined
          ? { type: "memory" }
          : { type: "disk", path: `${folder}/${natsUrl === undefined ? "tcp" : "nats"}` },
    }),
  ]);
  await cluster.prepare("all", ["put"]);
  options.results.announce([floorName, name], [1, 64]);
  // What has run fast has been compiled.
  for (const inFlight of [64, 1]) {
    const entrant = cluster.entrant({ operation: "put", consistency: "quorum", inFlight });
    await measureRows({
      ...options,
      inFlight,
      floor: { name: floorName, entrant: floor.entrant(inFlight) },
      rows: [{ name, entrant }],
      isDurable: folder !== undefined,
    });
  }
  await Promise.all([cluster.close(), floor.close()]);
}
