import { type Group, measureRows } from "../support/measure-rows.ts";
import { MeasuredCluster } from "../support/measured-cluster.ts";
import type { Slice } from "../support/slice.ts";

const QUIET = "quiet";
const COMPARED = "compared";
const OFTEN = "compared-every-second";
const NAMES = Object.freeze([QUIET, COMPARED, OFTEN]);
const TIMES = 3;

/**
 * What repair in the background costs whoever is served: half of the puts that three processes can
 * take, in memory over TCP, into a keyspace whose replicas are never compared, into one whose
 * replicas are compared as they are by default, and into one where they are so every second, while
 * all of it is written to. In turns; the medians. The shards' rounds are spread over the interval:
 * a row shorter than it has its part of them.
 */
export const repairGroup: Group = async ({ seconds, results }) => {
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
  for (const keyspace of NAMES) await cluster.prepare("all", ["put"], keyspace);
  const row = { operation: "put", consistency: "quorum" } as const;
  const full = cluster.entrant({ ...row, inFlight: 64, keyspace: QUIET });
  const name = "put quorum, all it takes";
  await measureRows({ seconds, results, inFlight: 64, rows: [{ name, entrant: full }] });
  const reached = results.measurements().find((each) => each.name === name);
  const opsPerSecond = Math.round((reached?.opsPerSecond ?? 0) / 2);
  const slices = new Map<string, Slice[]>(NAMES.map((keyspace) => [keyspace, []]));
  for (let time = 0; time < TIMES; time++) {
    for (const [keyspace, taken] of slices) {
      const half = cluster.entrant({ ...row, inFlight: 0, keyspace, opsPerSecond });
      taken.push(await half.slice(seconds * 1_000));
    }
  }
  await cluster.close();
  for (const [keyspace, taken] of slices) {
    results.add(`put quorum at half load, ${keyspace}`, 0, [median(taken)]);
  }
};

function median(slices: readonly Slice[]): Slice {
  const p50Of = ({ latencies }: Slice) => latencies.percentileUs(50);
  const sorted = [...slices].sort((a, b) => p50Of(a) - p50Of(b));
  return sorted[sorted.length >> 1] as Slice;
}
