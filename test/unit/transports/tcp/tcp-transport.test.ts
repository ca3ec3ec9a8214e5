import { connect, createServer, Server, type Socket } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { TransportContext } from "../../../../src/core/contracts/transport.ts";
import type { NodeId } from "../../../../src/core/model/ids.ts";
import { encodePreamble } from "../../../../src/transports/tcp/preamble.ts";
import { freePort } from "../free-ports.ts";
import { callOnAllLanes } from "./foreign-socket.ts";
import { type StartedNode, startTcpNode } from "./start-tcp-node.ts";

const PATIENCE = { timeout: 10_000, interval: 5 };
const A = "node-a" as NodeId;
const B = "node-b" as NodeId;

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const startNode = (
  self: string,
  address: string,
  peers: Record<string, string>,
  options: Record<string, unknown> = {},
  context: Partial<TransportContext> = {},
): Promise<StartedNode> => startTcpNode(cleanups, self, address, peers, options, context);

/** A listener that is no Capstan node. */
async function listen(port: number, greet: (socket: Socket) => void): Promise<Server> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    greet(socket);
  });
  await new Promise<void>((resolve) => {
    server.listen(port, "127.0.0.1", resolve);
  });
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return server;
}

describe("addresses", () => {
  test("IPv6 with brackets", async () => {
    const [a, b] = [`[::1]:${await freePort("::1")}`, `[::1]:${await freePort("::1")}`];
    const first = await startNode("node-a", a, { "node-b": b });
    await startNode("node-b", b, { "node-a": a });
    await vi.waitFor(() => expect(first.events).toEqual(["node-b connected"]), PATIENCE);
  });

  test("host names another place to listen than the address", async () => {
    const [a, b] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
    const named = b.replace("127.0.0.1", "a-name-that-does-not-resolve.invalid");
    await startNode("node-b", named, { "node-a": a }, { host: "127.0.0.1" });
    const first = await startNode("node-a", a, { "node-b": b });
    await vi.waitFor(() => expect(first.events).toEqual(["node-b connected"]), PATIENCE);
  });

  test("a peer that moves is dialed at its new address", async () => {
    const [a, b, moved] = [await freePort(), await freePort(), await freePort()].map(
      (port) => `127.0.0.1:${port}`,
    ) as [string, string, string];
    const first = await startNode("node-a", a, { "node-b": b });
    await startNode("node-b", moved, { "node-a": a });
    first.transport.setPeers([{ node: B, address: moved }]);
    await vi.waitFor(() => expect(first.events).toEqual(["node-b connected"]), PATIENCE);
  });

  test("a host that cannot be listened on is PORT_IN_USE, too", async () => {
    const address = "a-name-that-does-not-resolve.invalid:7300";
    await expect(startNode("node-a", address, {})).rejects.toMatchObject({
      code: "PORT_IN_USE",
      message: expect.stringContaining(address),
    });
  });
});

describe("what a dialer meets", () => {
  const reasons: readonly (readonly [string, (socket: Socket) => void, string])[] = [
    [
      "a web server",
      (socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"),
      "not the protocol",
    ],
    ["one that hangs up", (socket) => socket.destroy(), "before it introduced itself"],
    ["one that says nothing", () => undefined, "within 200 ms"],
    [
      "one that refuses",
      (socket) => socket.end(encodePreamble({ kind: "refusal", reason: "not today" })),
      "refused: not today",
    ],
    ["itself", (socket) => socket.pipe(socket), "no listener"],
    ["another node", (socket) => welcome(socket, { from: "node-x" }), "it is node-x"],
    ["another cluster", (socket) => welcome(socket, { cluster: "prod" }), 'cluster "prod"'],
    ["an answer to another call", (socket) => welcome(socket, { attempt: 99 }), "another call"],
    ["two processes at one address", (socket) => welcomeAsMany(socket), "restarted meanwhile"],
  ];

  let processes = 0;

  function welcome(socket: Socket, changes: object): void {
    socket.once("data", (call: Buffer) => {
      socket.write(
        encodePreamble({
          kind: "welcome",
          lane: (["control", "log", "bulk"] as const)[call[8] as number] as "control",
          nonce: "00000000000000aa",
          attempt: call.readUInt32BE(17),
          cluster: "test",
          from: "node-b",
          to: "node-a",
          ...changes,
        }),
      );
    });
  }

  function welcomeAsMany(socket: Socket): void {
    processes += 1;
    welcome(socket, { nonce: processes.toString(16).padStart(16, "0") });
  }

  test.each(reasons)(
    "%s: never connected, one line says why, dialing goes on",
    async (_name, greet, why) => {
      const port = await freePort();
      let calls = 0;
      const server = await listen(port, (socket) => {
        calls += 1;
        greet(socket);
      });
      const a = await startNode(
        "node-a",
        `127.0.0.1:${await freePort()}`,
        { "node-b": `127.0.0.1:${port}` },
        { connectTimeout: 200 },
      );
      await vi.waitFor(() => {
        expect(a.observer.lines.map(({ fields }) => String(fields.reason)).join()).toContain(why);
        expect(calls).toBeGreaterThan(6);
      }, PATIENCE);
      expect(a.events).toEqual([]);
      expect(a.transport.send(B, Buffer.from("x"), "log")).toBe("disconnected");
      // The true peer comes: the same node connects without being told.
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const cleanup of cleanups.splice(0, 1)) void cleanup();
      });
      const address = `127.0.0.1:${await freePort()}`;
      await startNode("node-b", `127.0.0.1:${port}`, { "node-a": address });
      await vi.waitFor(() => expect(a.events).toEqual(["node-b connected"]), PATIENCE);
    },
  );
});

describe("the listening socket", () => {
  /** The server of the transport under test, which it does not show to anybody. */
  function serverOn(port: number): Server {
    const handles = Reflect.get(process, "_getActiveHandles") as () => unknown[];
    const found = handles.call(process).find((handle): handle is Server => {
      if (!(handle instanceof Server)) return false;
      const address = handle.address();
      return typeof address === "object" && address?.port === port;
    });
    if (found === undefined) throw new Error(`nobody listens on ${port}`);
    return found;
  }

  test("that cannot accept for lack of file descriptors is no reason to stop; one that dies is", async () => {
    const port = await freePort();
    const a = await startNode("node-a", `127.0.0.1:${port}`, {});
    const server = serverOn(port);
    server.emit("error", Object.assign(new Error("accept EMFILE"), { syscall: "accept" }));
    expect(a.events).toEqual([]);
    expect(a.observer.counted("transport_refusals accept")).toBe(1);
    server.emit("error", new Error("the interface is gone"));
    expect(a.events).toEqual(["failed: the interface is gone"]);
  });
});

describe("a peer that takes nothing", () => {
  /** node-a, played by sockets that are never read. */
  async function connectDeafPeer(options: Record<string, unknown>): Promise<StartedNode> {
    const port = await freePort();
    const peers = { "node-a": `127.0.0.1:${await freePort()}` };
    const b = await startNode("node-b", `127.0.0.1:${port}`, peers, options);
    const lanes = Object.values(callOnAllLanes(port));
    cleanups.push(() => {
      for (const lane of lanes) lane.destroy();
    });
    await vi.waitFor(() => expect(b.events).toEqual(["node-a connected"]), PATIENCE);
    for (const { socket } of lanes) socket.pause();
    return b;
  }

  function fill({ transport }: StartedNode): void {
    const frame = Buffer.alloc(1_000_000);
    while (transport.send(A, frame, "log") === "accepted");
  }

  test("is given up after stallTimeout", async () => {
    const b = await connectDeafPeer({ stallTimeout: 200 });
    // Again and again, until it is more than the kernel's buffers hold, however large they are.
    await vi.waitFor(() => {
      fill(b);
      expect(b.events).toEqual(["node-a connected", "node-a disconnected"]);
    }, PATIENCE);
    expect(b.observer.counted("transport_stalls log")).toBe(1);
    expect(b.transport.bufferedBytes(A)).toBe(0);
    expect(b.transport.send(A, Buffer.from("x"), "log")).toBe("disconnected");
  });

  test("does not hold up close beyond its timeout", async () => {
    const b = await connectDeafPeer({});
    await vi.waitFor(() => {
      fill(b);
      expect(b.transport.send(A, Buffer.alloc(1_000_000), "log")).toBe("saturated");
    }, PATIENCE);
    expect(b.transport.bufferedBytes(A)).toBeGreaterThan(0);
    await b.transport.close({ timeoutMs: 100 });
    expect(b.transport.bufferedBytes(A)).toBe(0);
  });
});

describe("a connection on which nothing comes any more, though nobody closed it,", () => {
  /** What stands between two nodes, and may forget the connections that there are. */
  async function gateTo(port: number): Promise<{ readonly port: number; forget(): void }> {
    const gate = await freePort();
    let forgotten = 0;
    let calls = 0;
    await listen(gate, (near) => {
      const number = calls++;
      const far = connect({ port, host: "127.0.0.1" });
      cleanups.push(() => {
        far.destroy();
      });
      far.on("error", () => undefined);
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        from.on("data", (chunk: Buffer) => {
          if (number >= forgotten) to.write(chunk);
        });
        from.on("close", () => {
          if (number >= forgotten) to.destroy();
        });
      }
    });
    return {
      port: gate,
      forget: () => {
        forgotten = calls;
      },
    };
  }

  /** Each node says something to the other every so often. */
  function speak(...nodes: readonly (readonly [StartedNode, NodeId])[]): void {
    const timer = setInterval(() => {
      for (const [{ transport }, peer] of nodes) transport.send(peer, Buffer.from("."), "control");
    }, 20);
    cleanups.push(() => clearInterval(timer));
  }

  const story = ({ events }: StartedNode): readonly string[] =>
    events.filter((event) => event.endsWith("connected"));

  async function startBoth(heartbeats: { readonly heartbeatMs?: number }) {
    const [portA, portB] = [await freePort(), await freePort()];
    const gate = await gateTo(portB);
    const options = { stallTimeout: 200 };
    const peersOfA = { "node-b": `127.0.0.1:${gate.port}` };
    const peersOfB = { "node-a": `127.0.0.1:${portA}` };
    const a = await startNode("node-a", `127.0.0.1:${portA}`, peersOfA, options, heartbeats);
    const b = await startNode("node-b", `127.0.0.1:${portB}`, peersOfB, options, heartbeats);
    await vi.waitFor(() => {
      expect(story(a)).toEqual(["node-b connected"]);
      expect(story(b)).toEqual(["node-a connected"]);
    }, PATIENCE);
    return { a, b, gate };
  }

  test("is given up, and made anew", async () => {
    const { a, b, gate } = await startBoth({ heartbeatMs: 20 });
    speak([a, B], [b, A]);
    gate.forget();
    await vi.waitFor(() => {
      expect(story(a).at(-1)).toBe("node-b connected");
      expect(story(a).length).toBeGreaterThan(1);
      expect(story(b).at(-1)).toBe("node-a connected");
      expect(story(b).length).toBeGreaterThan(1);
    }, PATIENCE);
    expect(
      a.observer.counted("transport_silences") + b.observer.counted("transport_silences"),
    ).toBe(
      a.observer.counted("transport_disconnections") +
        b.observer.counted("transport_disconnections"),
    );
  });

  test("is kept where nodes need not speak, or speak seldom", async () => {
    for (const heartbeats of [{}, { heartbeatMs: 60_000 }]) {
      const { a, b } = await startBoth(heartbeats);
      speak([a, B]);
      await new Promise((resolve) => setTimeout(resolve, 600));
      expect([story(a), story(b)]).toEqual([["node-b connected"], ["node-a connected"]]);
    }
  });
});
