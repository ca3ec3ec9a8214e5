import { connect, type Socket } from "node:net";
import type { Lane } from "../../../../src/core/contracts/transport.ts";
import { LANES } from "../../../../src/core/contracts/transport.ts";
import {
  decodePreamble,
  encodePreamble,
  type Introduction,
  type Preamble,
  preambleLength,
} from "../../../../src/transports/tcp/preamble.ts";

/** A bare TCP client: what it sends is the test's affair. */
export class ForeignSocket {
  readonly socket: Socket;
  #received = Buffer.alloc(0);
  isClosed = false;

  constructor(port: number, host = "127.0.0.1") {
    this.socket = connect({ port, host, noDelay: true });
    this.socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
    });
    this.socket.on("error", () => undefined);
    this.socket.on("close", () => {
      this.isClosed = true;
    });
  }

  get received(): Uint8Array {
    return this.#received;
  }

  /** The preamble that was received; undefined as long as it is not whole. */
  get answer(): Preamble | undefined {
    const length = preambleLength(this.#received);
    if (length === undefined || this.#received.length < length) return undefined;
    return decodePreamble(this.#received.subarray(0, length));
  }

  send(bytes: Uint8Array | string): void {
    this.socket.write(bytes);
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** A call from node-a to node-b, unless told otherwise. */
export function callOf(changes: Partial<Introduction> = {}): Uint8Array {
  return encodePreamble({
    kind: "call",
    lane: "control",
    nonce: "0123456789abcdef",
    attempt: 1,
    cluster: "test",
    from: "node-a",
    to: "node-b",
    ...changes,
  });
}

/** A `u32 length | body` with a length of its own choice. */
export function frameOf(body: Uint8Array, length = body.length): Uint8Array {
  const frame = Buffer.alloc(4 + body.length);
  frame.writeUInt32BE(length);
  frame.set(body, 4);
  return frame;
}

/** Sockets on all lanes, each of which has sent its call. */
export function callOnAllLanes(
  port: number,
  changes: Partial<Introduction> = {},
): Record<Lane, ForeignSocket> {
  const [control, log, bulk] = LANES.map((lane) => {
    const socket = new ForeignSocket(port);
    socket.send(callOf({ ...changes, lane }));
    return socket;
  }) as [ForeignSocket, ForeignSocket, ForeignSocket];
  return { control, log, bulk };
}
