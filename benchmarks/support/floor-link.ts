import { connect as connectTcp, createServer } from "node:net";

/** Bytes to and from one other process, in order and whole; nothing else. */
export interface FloorLink {
  send(bytes: Buffer): void;
  onBytes(handler: (bytes: Buffer) => void): void;
}

export function dialTcp(port: number): Promise<FloorLink> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ port, host: "127.0.0.1", noDelay: true }, () =>
      resolve({
        send: (bytes) => {
          socket.write(bytes);
        },
        onBytes: (handler) => {
          socket.on("data", handler);
        },
      }),
    );
    socket.once("error", reject);
  });
}

/** Listens; settles with the port. Each connection is handed over as a link. */
export function listenTcp(serve: (link: FloorLink) => void): Promise<number> {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    serve({
      send: (bytes) => {
        socket.write(bytes);
      },
      onBytes: (handler) => {
        socket.on("data", handler);
      },
    });
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
}

/** Between two subjects of a NATS server: what is sent to the one is heard at the other. */
export async function joinNats(url: string, out: string, into: string): Promise<FloorLink> {
  const { connect } = await import("@nats-io/transport-node");
  const connection = await connect({ servers: url, noEcho: true, noAsyncTraces: true });
  let heard: (bytes: Buffer) => void = () => undefined;
  connection.subscribe(into, {
    callback: (_error, message) => {
      const { data } = message;
      heard(Buffer.from(data.buffer, data.byteOffset, data.length));
    },
  });
  await connection.flush();
  return {
    send: (bytes) => connection.publish(out, bytes),
    onBytes: (handler) => {
      heard = handler;
    },
  };
}
