import { MeasuredCluster } from "../support/measured-cluster.ts";
import type { Group, Measurement } from "../support/measurement.ts";

const QUIET = "quiet";
const COMPARED = "compared";
const OFTEN = "compared-every-second";
const TIMES = 3;

/**
 * What repair in the background costs whoever is served: half of the puts that three processes can
 * take, in memory over TCP, into a keyspace whose replicas are never compared, into one whose
 * replicas are compared as they are by default, and into one where they are so every second, while
 * all of it is written to. In turns; the medians. The shards' rounds are spread over the interval:
 * a row shorter than it has its part of them.
 */
export const repairGroup: Group = async ({ seconds }) => {
  const cluster = await MeasuredCluster.open({
    nodes: 3,
    transport: { type: "tcp" },
    storage: { type: "memory" },
    keyspaces: {
      [QUIET]: { strategy: "tunable", repair: { interval: "off" } },
      [COMPARED]: { strategy: "tunable" },
      [OFTEN]: { strategy: "tunable", repair: { interval: "1s" } },
    },
  });
  const row = { operation: "put", consistency: "quorum", inFlight: 64, seconds } as const;
  for (const keyspace of [QUIET, COMPARED, OFTEN]) await cluster.fill(keyspace, "all");
  const full = await cluster.measure("put quorum, all it takes", { ...row, keyspace: QUIET });
  const half = { ...row, inFlight: 0, opsPerSecond: Math.round(full.opsPerSecond / 2) };
  const rows: Readonly<Record<string, Measurement[]>> = {
    [QUIET]: [],
    [COMPARED]: [],
    [OFTEN]: [],
  };
  for (let time = 0; time < TIMES; time++) {
    for (const [keyspace, measured] of Object.entries(rows)) {
      const name = `put quorum at half load, ${keyspace}`;
      measured.push(await cluster.measure(name, { ...half, keyspace }));
    }
  }
  await cluster.close();
  return [full, ...Object.values(rows).map(median)];
};

function median(rows: readonly Measurement[]): Measurement {
  const sorted = [...rows].sort((a, b) => a.p50Us - b.p50Us);
  return sorted[sorted.length >> 1] as Measurement;
}
