import { open } from "lmdb";
import { withFolder } from "../support/bench-folder.ts";
import { startChild, stopChild } from "../support/child-process.ts";
import { RECORD_BYTES } from "../support/floor-leader.ts";
import { MeasuredCluster } from "../support/measured-cluster.ts";
import { closedLoop, type Group, type Measurement, measurementOf } from "../support/measurement.ts";
import { syncLoop } from "../support/sync-loop.ts";

const LMDB_NAME = "lmdb put, awaited";

/**
 * What the disk gives: a small write with its sync, alone and with two other processes doing the
 * same; an awaited put of LMDB; and a durable put of a store of one node, held against the latter.
 */
export const diskGroup: Group = ({ seconds }) =>
  withFolder(async (folder) => {
    const write = syncLoop(`${folder}/alone`);
    const loop = (_index: number, done: () => void) => write(done);
    const alone = await closedLoop(1, seconds, loop);
    const script = new URL("../support/sync-process.ts", import.meta.url);
    const others = await Promise.all(
      ["second", "third"].map((name) => startChild(script, [`${folder}/${name}`])),
    );
    const together = await closedLoop(1, seconds, loop);
    await Promise.all(others.map(({ child }) => stopChild(child)));
    const lmdb = await measureLmdb(`${folder}/lmdb`, seconds);
    return [
      measurementOf("fdatasync, one process", 1, alone),
      measurementOf("fdatasync, three processes at once", 1, together),
      ...lmdb,
      ...(await measureOneNode(`${folder}/store`, seconds, lmdb)),
    ];
  });

async function measureLmdb(path: string, seconds: number): Promise<readonly Measurement[]> {
  const database = open({ path, encoding: "binary" });
  const value = Buffer.alloc(RECORD_BYTES, 7);
  const rows = [];
  for (const inFlight of [1, 64]) {
    const result = await closedLoop(inFlight, seconds, (index, done) => {
      void database.put(`key-${index % 10_000}`, value).then(done);
    });
    rows.push(measurementOf(LMDB_NAME, inFlight, result));
  }
  await database.close();
  return rows;
}

async function measureOneNode(
  path: string,
  seconds: number,
  lmdb: readonly Measurement[],
): Promise<readonly Measurement[]> {
  const cluster = await MeasuredCluster.open({
    nodes: 1,
    transport: { type: "tcp" },
    storage: { type: "disk", path },
  });
  const rows = [];
  for (const inFlight of [1, 64]) {
    const row = { operation: "put", consistency: "one", inFlight, seconds } as const;
    const floor = { rows: lmdb, name: LMDB_NAME };
    rows.push(await cluster.measure("put, one node, durable", row, floor));
  }
  await cluster.close();
  return rows;
}
