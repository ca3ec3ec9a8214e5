/**
 * The other end of the floor: counts whole records on a socket and answers, once per chunk, with
 * how many it has seen. No protocol, no state.
 */
import { createServer } from "node:net";

const LENGTH_BYTES = 4;

const server = createServer({ noDelay: true }, (socket) => {
  let rest: Buffer = Buffer.alloc(0);
  let seen = 0;
  const ack = Buffer.alloc(LENGTH_BYTES);
  socket.on("data", (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (at + LENGTH_BYTES <= bytes.length) {
      const end = at + LENGTH_BYTES + bytes.readUInt32BE(at);
      if (end > bytes.length) break;
      at = end;
      seen++;
    }
    rest = bytes.subarray(at);
    ack.writeUInt32BE(seen >>> 0, 0);
    socket.write(Buffer.from(ack));
  });
  socket.on("error", () => socket.destroy());
});

server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  process.send?.(typeof address === "object" && address !== null ? address.port : 0);
});
process.on("disconnect", () => process.exit(0));
