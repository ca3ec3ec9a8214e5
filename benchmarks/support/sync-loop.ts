import { fdatasync, writeSync } from "node:fs";
import { RECORD_BYTES } from "./floor-leader.ts";
import { FILE_BYTES, openZeroFilled } from "./sync-log.ts";

/** One small write and the sync that makes it durable, at a time; goes around in its file. */
export function syncLoop(path: string): (done: () => void) => void {
  const file = openZeroFilled(path);
  const record = Buffer.alloc(RECORD_BYTES, 7);
  let offset = 0;
  return (done) => {
    if (offset + RECORD_BYTES > FILE_BYTES) offset = 0;
    writeSync(file, record, 0, RECORD_BYTES, offset);
    offset += RECORD_BYTES;
    fdatasync(file, (error) => {
      if (error !== null) throw error;
      done();
    });
  };
}
