import { open } from "lmdb";
import { withFolder } from "../support/bench-folder.ts";
import { startChild, stopChild } from "../support/child-process.ts";
import { RECORD_BYTES } from "../support/floor-leader.ts";
import { closedLoop } from "../support/load-loop.ts";
import { type Group, type GroupOptions, measureRows } from "../support/measure-rows.ts";
import { MeasuredCluster } from "../support/measured-cluster.ts";
import { syncLoop } from "../support/sync-loop.ts";
import type { Entrant } from "../support/turns.ts";

const KEY_COUNT = 10_000;
const WARM_UP_MS = 1_000;

/**
 * What the disk gives: a small write with its sync, alone and with two other processes doing the
 * same; and a durable put of a store of one node, held against an awaited put of LMDB.
 */
export const diskGroup: Group = (options) =>
  withFolder(async (folder) => {
    await measureSyncs(folder, options);
    await measureOneNode(folder, options);
  });

async function measureSyncs(folder: string, options: GroupOptions): Promise<void> {
  const write = syncLoop(`${folder}/alone`);
  const entrant: Entrant = {
    party: undefined,
    slice: (durationMs) => closedLoop(1, durationMs, write),
  };
  const alone = [{ name: "fdatasync, one process", entrant }];
  await measureRows({ ...options, inFlight: 1, rows: alone });
  const script = new URL("../support/sync-process.ts", import.meta.url);
  const others = await Promise.all(
    ["second", "third"].map((name) => startChild(script, [`${folder}/${name}`])),
  );
  const together = [{ name: "fdatasync, three processes at once", entrant }];
  await measureRows({ ...options, inFlight: 1, rows: together });
  await Promise.all(others.map(({ child }) => stopChild(child)));
}

async function measureOneNode(folder: string, options: GroupOptions): Promise<void> {
  const database = open({ path: `${folder}/lmdb`, encoding: "binary" });
  const value = Buffer.alloc(RECORD_BYTES, 7);
  let index = 0;
  const lmdb = (inFlight: number): Entrant => ({
    party: undefined,
    slice: (durationMs) =>
      closedLoop(inFlight, durationMs, (done) => {
        void database.put(`key-${index++ % KEY_COUNT}`, value).then(done);
      }),
  });
  await lmdb(64).slice(WARM_UP_MS);
  const cluster = await MeasuredCluster.open({
    nodes: 1,
    transport: { type: "tcp" },
    storage: { type: "disk", path: `${folder}/store` },
  });
  await cluster.prepare("all", ["put"]);
  options.results.announce(["lmdb put, awaited", "put, one node, durable"], [1, 64]);
  for (const inFlight of [64, 1]) {
    const entrant = cluster.entrant({ operation: "put", consistency: "one", inFlight });
    await measureRows({
      ...options,
      inFlight,
      floor: { name: "lmdb put, awaited", entrant: lmdb(inFlight) },
      rows: [{ name: "put, one node, durable", entrant }],
      isDurable: true,
    });
  }
  await cluster.close();
  await database.close();
}
