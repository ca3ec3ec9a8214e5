import { connect, type Socket } from "node:net";
import { startChild, stopChild } from "../support/child-process.ts";
import { closedLoop, FLOOR_NAME, type Group, measurementOf } from "../support/measurement.ts";

/** What a put of the `tunable` group puts on the wire for each replica, about. */
export const RECORD_BYTES = 160;
const LENGTH_BYTES = 4;
const FOLLOWERS = 2;
const SLAB_BYTES = 1024 * 1024;

/**
 * The floor: a leader sends records of the same size to two followers in processes of their own;
 * whatever waits at the end of a turn leaves in one write; the followers acknowledge cumulatively;
 * an operation has ended when the first of them has it. Nothing is encoded, stored or checked.
 */
export const floorGroup: Group = async ({ seconds }) => {
  const script = new URL("../support/floor-follower.ts", import.meta.url);
  const followers = await Promise.all(
    Array.from({ length: FOLLOWERS }, () => startChild(script, [])),
  );
  const sockets = await Promise.all(followers.map(({ message }) => dial(message as number)));
  const rows = [];
  for (const inFlight of [1, 64]) {
    const result = await closedLoop(inFlight, seconds, floorLoop(sockets));
    rows.push(measurementOf(FLOOR_NAME, inFlight, result, []));
  }
  for (const socket of sockets) socket.destroy();
  await Promise.all(followers.map(({ child }) => stopChild(child)));
  return rows;
};

function dial(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => resolve(socket));
    socket.once("error", reject);
  });
}

function floorLoop(sockets: readonly Socket[]): (index: number, done: () => void) => void {
  const record = Buffer.alloc(LENGTH_BYTES + RECORD_BYTES, 7);
  record.writeUInt32BE(RECORD_BYTES, 0);
  const waiting: (() => void)[] = [];
  let head = 0;
  let slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
  // Bytes from `start` to `length` wait; what lies before may still be with the sockets.
  let start = 0;
  let length = 0;
  let scheduled = false;
  let sent = 0;
  // Followers count from their connection on, over all loops of the group.
  const base = (sockets[0] as Socket & { counted?: number }).counted ?? 0;
  let acknowledged = base;
  const flush = () => {
    scheduled = false;
    const bytes = slab.subarray(start, length);
    start = length;
    for (const socket of sockets) socket.write(bytes);
  };
  for (const socket of sockets) {
    socket.removeAllListeners("data");
    let rest: Buffer = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const whole = bytes.length - (bytes.length % LENGTH_BYTES);
      rest = bytes.subarray(whole);
      if (whole === 0) return;
      const seen = bytes.readUInt32BE(whole - LENGTH_BYTES);
      while (acknowledged < seen) {
        acknowledged++;
        const done = waiting[head++];
        if (head === waiting.length) {
          waiting.length = 0;
          head = 0;
        }
        done?.();
      }
    });
  }
  return (_index, done) => {
    waiting.push(done);
    sent++;
    (sockets[0] as Socket & { counted?: number }).counted = base + sent;
    if (length + record.length > slab.length) {
      flush();
      slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      start = 0;
      length = 0;
    }
    slab.set(record, length);
    length += record.length;
    if (!scheduled) {
      scheduled = true;
      process.nextTick(flush);
    }
  };
}
