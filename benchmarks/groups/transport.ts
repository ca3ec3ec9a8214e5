import { startChild, stopChild } from "../support/child-process.ts";
import { RECORD_BYTES } from "../support/floor-leader.ts";
import { freePorts } from "../support/free-ports.ts";
import { closedLoop, FLOOR_NAME, type Group, measurementOf } from "../support/measurement.ts";
import { openLink } from "../support/transport-link.ts";

/**
 * The raw round trip of each transport: one frame there, one back, no store. `memory` within this
 * process; `tcp` to a process of its own.
 */
export const transportGroup: Group = async ({ seconds, earlier }) => {
  const rows = [];
  const floor = { rows: earlier, name: FLOOR_NAME };
  const frame = new Uint8Array(RECORD_BYTES);
  for (const type of ["memory", "tcp"] as const) {
    const ports = await freePorts(2);
    const addresses = ports.map((port) => `127.0.0.1:${port}`);
    const script = new URL("../support/echo-process.ts", import.meta.url);
    const echo = type === "tcp" ? await startChild(script, addresses) : undefined;
    const link = await openLink(type, addresses);
    for (const inFlight of [1, 64]) {
      const result = await closedLoop(inFlight, seconds, (_index, done) => link.send(frame, done));
      rows.push(measurementOf(`transport ${type}, round trip`, inFlight, result, floor));
    }
    await link.close();
    if (echo !== undefined) await stopChild(echo.child);
  }
  return rows;
};
