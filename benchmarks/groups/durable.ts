import { withFolder } from "../support/bench-folder.ts";
import { MeasuredCluster } from "../support/measured-cluster.ts";
import { earlierOr, FLOOR_NAME, type Group, type Measurement } from "../support/measurement.ts";
import { withNatsServer } from "../support/nats-server.ts";
import { floorGroup, measureFloor } from "./floor.ts";

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
      const { seconds, earlier } = options;
      const rows: Measurement[] = [];
      for (const setting of settingsOf(folder, natsUrl)) {
        const { floorName } = setting;
        const floor = await earlierOr(earlier, floorName, () =>
          floorName === FLOOR_NAME
            ? floorGroup(options)
            : measureFloor(floorName, { seconds, ...setting }),
        );
        rows.push(...floor, ...(await measurePuts(setting, seconds, floor)));
      }
      return rows;
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

async function measurePuts(
  { name, floorName, natsUrl, folder }: Setting,
  seconds: number,
  floor: readonly Measurement[],
): Promise<readonly Measurement[]> {
  const cluster = await MeasuredCluster.open({
    nodes: 3,
    transport: natsUrl === undefined ? { type: "tcp" } : { type: "nats", servers: natsUrl },
    storage:
      folder === undefined
        ? { type: "memory" }
        : { type: "disk", path: `${folder}/${natsUrl === undefined ? "tcp" : "nats"}` },
  });
  const rows = [];
  for (const inFlight of [1, 64]) {
    const row = { operation: "put", consistency: "quorum", inFlight, seconds } as const;
    rows.push(await cluster.measure(name, row, { rows: floor, name: floorName }));
  }
  await cluster.close();
  return rows;
}
