/**
 * The other end of the floor: `floor-follower.ts tcp|NATS_URL NAME [LOG]`. Counts whole records and
 * answers, once per chunk, with how many it has seen; with a log, once per sync, with how many are
 * durable. No protocol, no state.
 */
import { answerQuestions } from "./asked-process.ts";
import { type FloorLink, joinNats, listenTcp } from "./floor-link.ts";
import { SyncLog } from "./sync-log.ts";

const LENGTH_BYTES = 4;
const [medium = "tcp", name = "", logPath] = process.argv.slice(2);

function serve(link: FloorLink): void {
  let rest: Buffer = Buffer.alloc(0);
  let seen = 0;
  const acknowledge = (count: number) => {
    const ack = Buffer.allocUnsafe(LENGTH_BYTES);
    ack.writeUInt32BE(count >>> 0, 0);
    link.send(ack);
  };
  const log = logPath === undefined ? undefined : new SyncLog(logPath, acknowledge);
  link.onBytes((chunk) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const before = seen;
    let at = 0;
    while (at + LENGTH_BYTES <= bytes.length) {
      const end = at + LENGTH_BYTES + bytes.readUInt32BE(at);
      if (end > bytes.length) break;
      at = end;
      seen++;
    }
    rest = bytes.subarray(at);
    if (log === undefined) acknowledge(seen);
    else if (seen > before) log.append(bytes.subarray(0, at), seen - before);
  });
}

answerQuestions((question) => {
  throw new Error(`a follower was asked for ${question.ask}`);
});
if (medium === "tcp") process.send?.(await listenTcp(serve));
else {
  serve(await joinNats(medium, `floor.${name}.back`, `floor.${name}.there`));
  process.send?.(0);
}
process.on("disconnect", () => process.exit(0));
