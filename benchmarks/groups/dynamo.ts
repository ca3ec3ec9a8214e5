import { withFolder } from "../support/bench-folder.ts";
import { FloorCluster } from "../support/floor-cluster.ts";
import { type Group, type GroupOptions, measureRows } from "../support/measure-rows.ts";
import { MeasuredCluster } from "../support/measured-cluster.ts";
import { FLOOR_NAME } from "../support/results.ts";

const KEYSPACE = "dynamo";
const LEVELS = Object.freeze(["one", "quorum", "all"] as const);

/** `dynamo`, last writer wins, over three processes and TCP, in memory and durable. */
export const dynamoGroup: Group = (options) =>
  withFolder(async (folder) => {
    await measureStorage("memory", undefined, options);
    await measureStorage("durable", folder, options);
  });

async function measureStorage(
  word: string,
  folder: string | undefined,
  options: GroupOptions,
): Promise<void> {
  const isDurable = folder !== undefined;
  const floorName = isDurable ? "floor durable, tcp" : FLOOR_NAME;
  const operations = isDurable ? (["put"] as const) : (["put", "get"] as const);
  const nameOf = (operation: string, level: string) => `dynamo ${operation} ${level}, ${word}`;
  const [floor, cluster] = await Promise.all([
    FloorCluster.open({ folder }),
    MeasuredCluster.open({
      nodes: 3,
      transport: { type: "tcp" },
      storage: isDurable ? { type: "disk", path: `${folder}/dynamo` } : { type: "memory" },
      keyspaces: { [KEYSPACE]: { strategy: "dynamo", resolver: "lww" } },
    }),
  ]);
  await cluster.prepare("all", operations, KEYSPACE);
  options.results.announce([floorName], [1, 64]);
  for (const operation of operations) {
    const names = LEVELS.map((level) => nameOf(operation, level));
    options.results.announce(names, [1, 64]);
    for (const inFlight of [64, 1]) {
      const rows = LEVELS.map((consistency) => ({
        name: nameOf(operation, consistency),
        entrant: cluster.entrant({ keyspace: KEYSPACE, operation, consistency, inFlight }),
      }));
      const beside = { name: floorName, entrant: floor.entrant(inFlight) };
      await measureRows({ ...options, inFlight, floor: beside, rows, isDurable });
    }
  }
  await Promise.all([cluster.close(), floor.close()]);
}
