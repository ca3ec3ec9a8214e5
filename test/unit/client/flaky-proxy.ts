import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type Socket } from "node:net";

/**
 * What becomes of one request on its way: `pass`; `cut` the connection before a byte of it is
 * forwarded; `lose` the answer: forward it, and cut when the answer comes; `hang`: forward it, and
 * never say anything.
 */
export type Fate = "pass" | "cut" | "lose" | "hang";

/** Stands between a client and a server, and decides about each connection by its first request. */
export class FlakyProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #fateOf: (head: string) => Fate;
  /** Request lines, in the order of their arrival. */
  readonly seen: string[] = [];

  private constructor(target: number, fateOf: (head: string) => Fate) {
    this.#fateOf = fateOf;
    this.#server = createServer((socket) => this.#serve(socket, target));
  }

  static async start(target: number, fateOf: (head: string) => Fate): Promise<FlakyProxy> {
    const proxy = new FlakyProxy(target, fateOf);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(client: Socket, target: number): void {
    const server = connect(target, "127.0.0.1");
    let fate: Fate = "pass";
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.#sockets.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    client.on("data", (chunk: Buffer) => {
      const text = chunk.toString("latin1");
      if (/^[A-Z]+ \/\S* HTTP/.test(text)) {
        this.seen.push(text.split(" HTTP")[0] as string);
        fate = this.#fateOf(text);
      }
      if (fate === "cut") client.resetAndDestroy();
      else server.write(chunk);
    });
    server.on("data", (chunk: Buffer) => {
      if (fate === "lose") client.resetAndDestroy();
      else if (fate === "pass") client.write(chunk);
    });
  }
}
