import { startChild, stopChild } from "../support/child-process.ts";
import { FloorCluster } from "../support/floor-cluster.ts";
import { RECORD_BYTES } from "../support/floor-leader.ts";
import { freePorts } from "../support/free-ports.ts";
import { closedLoop } from "../support/load-loop.ts";
import { type Group, measureRows, type NamedEntrant } from "../support/measure-rows.ts";
import { FLOOR_NAME } from "../support/results.ts";
import { type Link, openLink } from "../support/transport-link.ts";

const WARM_UP_MS = 500;

/**
 * The raw round trip of each transport: one frame there, one back, no store. `memory` within this
 * process; `tcp`, and `tls` over it, to a process of its own each.
 */
export const transportGroup: Group = async (options) => {
  const floor = await FloorCluster.open({});
  const ports = await freePorts(4);
  const [here = "", there = "", hereTls = "", thereTls = ""] = ports.map(
    (port) => `127.0.0.1:${port}`,
  );
  const script = new URL("../support/echo-process.ts", import.meta.url);
  const echoes = [
    await startChild(script, ["tcp", here, there]),
    await startChild(script, ["tls", hereTls, thereTls]),
  ];
  const links = {
    memory: await openLink("memory", []),
    tcp: await openLink("tcp", [here, there]),
    tls: await openLink("tls", [hereTls, thereTls]),
  };
  const names = Object.keys(links).map(nameOf);
  options.results.announce([FLOOR_NAME, ...names], [1, 64]);
  for (const inFlight of [64, 1]) {
    const rows = Object.entries(links).map(([type, link]) => rowOf(type, link, inFlight));
    for (const { entrant } of rows) await entrant.slice(WARM_UP_MS);
    const beside = { name: FLOOR_NAME, entrant: floor.entrant(inFlight) };
    await measureRows({ ...options, inFlight, floor: beside, rows });
  }
  for (const link of Object.values(links)) await link.close();
  for (const { child } of echoes) await stopChild(child);
  await floor.close();
};

function rowOf(type: string, link: Link, inFlight: number): NamedEntrant {
  const frame = new Uint8Array(RECORD_BYTES);
  const slice = (durationMs: number) =>
    closedLoop(inFlight, durationMs, (done) => link.send(frame, done));
  return { name: nameOf(type), entrant: { party: undefined, slice } };
}

function nameOf(type: string): string {
  return `transport ${type}, round trip`;
}
