import { FloorCluster } from "../support/floor-cluster.ts";
import { type Group, measureRows } from "../support/measure-rows.ts";
import { FLOOR_NAME } from "../support/results.ts";

/** The floor in memory over TCP: see docs/performance.md. */
export const floorGroup: Group = async (options) => {
  const floor = await FloorCluster.open({});
  for (const inFlight of [1, 64]) {
    const rows = [{ name: FLOOR_NAME, entrant: floor.entrant(inFlight) }];
    await measureRows({ ...options, inFlight, rows });
  }
  await floor.close();
};
