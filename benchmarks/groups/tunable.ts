import { MeasuredCluster } from "../support/measured-cluster.ts";
import { earlierOr, FLOOR_NAME, type Group, type Measurement } from "../support/measurement.ts";
import { floorGroup } from "./floor.ts";

/** `tunable` over three processes, TCP, memory: puts and gets at `one` and at `quorum`. */
export const tunableGroup: Group = async (options) => {
  const { seconds, earlier } = options;
  const floor = await earlierOr(earlier, FLOOR_NAME, () => floorGroup(options));
  const cluster = await MeasuredCluster.open({
    nodes: 3,
    transport: { type: "tcp" },
    storage: { type: "memory" },
  });
  const rows: Measurement[] = [...floor];
  for (const consistency of ["one", "quorum"] as const) {
    for (const operation of ["put", "get"] as const) {
      for (const inFlight of [1, 64]) {
        const row = { operation, consistency, inFlight, seconds };
        const name = `tunable ${operation} ${consistency}`;
        rows.push(await cluster.measure(name, row, { rows: floor, name: FLOOR_NAME }));
      }
    }
  }
  await cluster.close();
  return rows;
};
