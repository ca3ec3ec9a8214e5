import { withFolder } from "../support/bench-folder.ts";
import { MeasuredCluster } from "../support/measured-cluster.ts";
import { earlierOr, FLOOR_NAME, type Group, type Measurement } from "../support/measurement.ts";
import { floorGroup, measureFloor } from "./floor.ts";

const DURABLE_FLOOR = "floor durable, tcp";
const KEYSPACE = "dynamo";

/** `dynamo`, last writer wins, over three processes and TCP, in memory and durable. */
export const dynamoGroup: Group = (options) =>
  withFolder(async (folder) => {
    const { seconds, earlier } = options;
    const memory = await earlierOr(earlier, FLOOR_NAME, () => floorGroup(options));
    const durable = await earlierOr(earlier, DURABLE_FLOOR, () =>
      measureFloor(DURABLE_FLOOR, { seconds, folder, natsUrl: undefined }),
    );
    return [
      ...memory,
      ...(await measureStorage("memory", undefined, seconds, memory, FLOOR_NAME)),
      ...durable,
      ...(await measureStorage("durable", `${folder}/dynamo`, seconds, durable, DURABLE_FLOOR)),
    ];
  });

async function measureStorage(
  word: string,
  path: string | undefined,
  seconds: number,
  floor: readonly Measurement[],
  floorName: string,
): Promise<readonly Measurement[]> {
  const cluster = await MeasuredCluster.open({
    nodes: 3,
    transport: { type: "tcp" },
    storage: path === undefined ? { type: "memory" } : { type: "disk", path },
    keyspaces: { [KEYSPACE]: { strategy: "dynamo", resolver: "lww" } },
  });
  await cluster.fill(KEYSPACE, "all");
  const rows = [];
  const operations = path === undefined ? (["put", "get"] as const) : (["put"] as const);
  for (const operation of operations) {
    for (const consistency of ["one", "quorum", "all"] as const) {
      for (const inFlight of [1, 64]) {
        const row = { keyspace: KEYSPACE, operation, consistency, inFlight, seconds };
        const name = `dynamo ${operation} ${consistency}, ${word}`;
        rows.push(await cluster.measure(name, row, { rows: floor, name: floorName }));
      }
    }
  }
  await cluster.close();
  return rows;
}
