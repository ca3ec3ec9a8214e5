import { FloorCluster } from "../support/floor-cluster.ts";
import { type Group, measureRows } from "../support/measure-rows.ts";
import { MeasuredCluster } from "../support/measured-cluster.ts";
import { FLOOR_NAME } from "../support/results.ts";

const LEVELS = Object.freeze(["one", "quorum"] as const);

/** `tunable` over three processes, TCP, memory: puts and gets at `one` and at `quorum`. */
export const tunableGroup: Group = async (options) => {
  const [floor, cluster] = await Promise.all([
    FloorCluster.open({}),
    MeasuredCluster.open({
      nodes: 3,
      transport: { type: "tcp" },
      storage: { type: "memory" },
    }),
  ]);
  await cluster.prepare("all", ["put", "get"]);
  options.results.announce([FLOOR_NAME], [1, 64]);
  for (const consistency of LEVELS) {
    const names = (["put", "get"] as const).map((each) => `tunable ${each} ${consistency}`);
    options.results.announce(names, [1, 64]);
  }
  for (const operation of ["put", "get"] as const) {
    for (const inFlight of [64, 1]) {
      const rows = LEVELS.map((consistency) => ({
        name: `tunable ${operation} ${consistency}`,
        entrant: cluster.entrant({ operation, consistency, inFlight }),
      }));
      const beside = { name: FLOOR_NAME, entrant: floor.entrant(inFlight) };
      await measureRows({ ...options, inFlight, floor: beside, rows });
    }
  }
  await Promise.all([cluster.close(), floor.close()]);
};
