// Goal: nothing that a stranger, or a peer gone mad, sends to the peer port harms the node. In each
// test node-b listens and is connected with node-c; whatever happens, node-c's connection lasts,
// nothing is delivered that was not sent by a peer in the protocol, and the connection is closed.
import { once } from "node:events";
import { afterEach, describe, expect, test, vi } from "vitest";
import { LANES, type Lane, type Transport } from "../../../../src/core/contracts/transport.ts";
import type { NodeId } from "../../../../src/core/model/ids.ts";
import type { Introduction } from "../../../../src/transports/tcp/preamble.ts";
import { tcpTransport } from "../../../../src/transports/tcp/tcp-transport.ts";
import { freePort } from "../free-ports.ts";
import { RecordingObserver } from "../recording-observer.ts";
import { contextOf } from "../testbeds.ts";
import { callOf, callOnAllLanes, ForeignSocket, frameOf } from "./foreign-socket.ts";

const PATIENCE = { timeout: 10_000, interval: 5 };
const NODE_B = "node-b" as NodeId;
const NODE_C = "node-c" as NodeId;

let port: number;
let observer: RecordingObserver;
let node: Transport;
let neighbour: Transport;
let events: string[];
let neighbourEvents: string[];
let sockets: ForeignSocket[];

async function setUp(connectTimeout = 5_000, stallTimeout = 10_000): Promise<void> {
  port = await freePort();
  const addressB = `127.0.0.1:${port}`;
  const addressC = `127.0.0.1:${await freePort()}`;
  observer = new RecordingObserver();
  events = [];
  neighbourEvents = [];
  sockets = [];
  const options = { connectTimeout, stallTimeout };
  node = tcpTransport(options, { ...contextOf("node-b", "test", addressB), observer });
  neighbour = tcpTransport({}, contextOf("node-c", "test", addressC));
  node.setPeers([
    { node: "node-a" as NodeId, address: "127.0.0.1:9" },
    { node: NODE_C, address: addressC },
  ]);
  neighbour.setPeers([{ node: NODE_B, address: addressB }]);
  await Promise.all([node.start(recordInto(events)), neighbour.start(recordInto(neighbourEvents))]);
  await vi.waitFor(() => {
    expect(events).toEqual(["node-c connected"]);
    expect(neighbourEvents).toEqual(["node-b connected"]);
  }, PATIENCE);
}

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all([node.close({ timeoutMs: 0 }), neighbour.close({ timeoutMs: 0 })]);
});

function recordInto(list: string[]) {
  return {
    onFrame: (from: NodeId, frame: Uint8Array, lane: Lane) => {
      list.push(`${from} ${lane}: ${Buffer.from(frame).toString()}`);
    },
    onPeer: (peer: NodeId, state: string) => list.push(`${peer} ${state}`),
    onWritable: () => undefined,
    onFailed: (error: Error) => list.push(`failed: ${error.message}`),
  };
}

function stranger(): ForeignSocket {
  const socket = new ForeignSocket(port);
  sockets.push(socket);
  return socket;
}

function lanes(changes: Partial<Introduction> = {}): Record<Lane, ForeignSocket> {
  const called = callOnAllLanes(port, changes);
  sockets.push(called.control, called.log, called.bulk);
  return called;
}

/** A frame goes to the neighbour and its answer comes back over the connection of the beginning. */
async function expectNeighbourUnharmed(): Promise<void> {
  expect(node.send(NODE_C, Buffer.from("still there?"), "log")).toBe("accepted");
  expect(neighbour.send(NODE_B, Buffer.from("yes"), "control")).toBe("accepted");
  await vi.waitFor(() => {
    expect(neighbourEvents).toEqual(["node-b connected", "node-b log: still there?"]);
    expect(events.filter((event) => event.startsWith("node-c"))).toEqual([
      "node-c connected",
      "node-c control: yes",
    ]);
  }, PATIENCE);
}

function eventsOfA(): string[] {
  return events.filter((event) => event.startsWith("node-a"));
}

interface WrongBeginning {
  readonly name: string;
  readonly bytes: Uint8Array | string;
  readonly fault: string;
  /** What the caller is told, if it speaks the protocol. */
  readonly told?: string;
}

const wrongMagic = callOf();
wrongMagic[3] = 0x58;
const wrongVersion = callOf();
wrongVersion[4] = 2;
const wrongKind = callOf();
wrongKind[5] = 9;
const welcome = callOf();
welcome[5] = 1;
const refusal = callOf();
refusal[5] = 2;
const hugePreamble = callOf();
hugePreamble[6] = 0xff;
const wrongLane = callOf();
wrongLane[8] = 3;
const longName = callOf();
longName[8 + 13] = 0xff;
const trailing = Buffer.concat([callOf(), Buffer.alloc(1)]);
trailing[7] = (trailing[7] as number) + 1;

const WRONG_BEGINNINGS: readonly WrongBeginning[] = [
  { name: "garbage", bytes: Uint8Array.of(0xff, 0, 1, 2, 3), fault: "magic" },
  { name: "one wrong byte", bytes: "x", fault: "magic" },
  { name: "an HTTP request", bytes: "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", fault: "magic" },
  { name: "a TLS hello", bytes: Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1), fault: "magic" },
  { name: "a megabyte of zeros", bytes: Buffer.alloc(1_000_000), fault: "magic" },
  { name: "a frame without a preamble", bytes: frameOf(Buffer.from("hello")), fault: "magic" },
  { name: "a wrong magic", bytes: wrongMagic, fault: "magic" },
  {
    name: "another protocol version",
    bytes: wrongVersion,
    fault: "version",
    told: "protocol version 2 is not spoken here, only 1",
  },
  { name: "an unknown kind", bytes: wrongKind, fault: "malformed" },
  { name: "a welcome instead of a call", bytes: welcome, fault: "malformed" },
  { name: "a refusal instead of a call", bytes: refusal, fault: "malformed" },
  { name: "a preamble of 65 KB", bytes: hugePreamble, fault: "malformed" },
  { name: "an unknown lane", bytes: wrongLane, fault: "malformed" },
  { name: "a name that is longer than the preamble", bytes: longName, fault: "malformed" },
  { name: "a preamble with a byte too many", bytes: trailing, fault: "malformed" },
  {
    name: "another cluster",
    bytes: callOf({ cluster: "production" }),
    fault: "cluster",
    told: 'node-b belongs to the cluster "test", not to "production"',
  },
  {
    name: "a call for another node",
    bytes: callOf({ to: "node-x" }),
    fault: "recipient",
    told: "this is node-b, not node-x",
  },
  {
    name: "a call from the node itself",
    bytes: callOf({ from: "node-b" }),
    fault: "sender",
    told: "node-b is this node itself",
  },
  {
    name: "a call from a node that is not known",
    bytes: callOf({ from: "node-0" }),
    fault: "sender",
    told: "node-b knows no node node-0",
  },
  {
    name: "a call from __proto__",
    bytes: callOf({ from: "__proto__" }),
    fault: "sender",
    told: "node-b knows no node __proto__",
  },
  {
    name: "a call from a node that should be called",
    bytes: callOf({ from: "node-c" }),
    fault: "direction",
    told: "node-b dials node-c, not the other way round",
  },
  { name: "a preamble that is cut", bytes: callOf().subarray(0, 20), fault: "deadline" },
  { name: "a magic and nothing more", bytes: "CPST", fault: "deadline" },
  { name: "nothing at all", bytes: "", fault: "deadline" },
];

describe("a connection that begins with", () => {
  test.each(WRONG_BEGINNINGS)("$name: closed", async ({ bytes, fault, told }) => {
    await setUp(fault === "deadline" ? 200 : undefined);
    const socket = stranger();
    if (bytes.length > 0) socket.send(bytes);
    await vi.waitFor(() => expect(socket.isClosed).toBe(true), PATIENCE);
    expect(observer.counted(`transport_refusals ${fault}`)).toBe(1);
    expect(socket.answer).toEqual(
      told === undefined ? undefined : { kind: "refusal", reason: told },
    );
    expect(eventsOfA()).toEqual([]);
    await expectNeighbourUnharmed();
  });

  test("control characters of a stranger do not reach the log", async () => {
    await setUp();
    const socket = stranger();
    socket.send(callOf({ cluster: "x\n\u001b[31mWARN all is lost" }));
    await vi.waitFor(() => expect(socket.isClosed).toBe(true), PATIENCE);
    const logged = JSON.stringify(observer.lines);
    expect(logged).toContain("x??[31mWARN");
    expect(logged).not.toMatch(/\\n|\\u001b/);
  });
});

describe("a peer in the protocol", () => {
  test("that sends one byte at a time is understood", async () => {
    await setUp();
    const called = lanes();
    await vi.waitFor(() => expect(eventsOfA()).toEqual(["node-a connected"]), PATIENCE);
    for (const byte of frameOf(Buffer.from("slow"))) {
      called.log.send(Uint8Array.of(byte));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await vi.waitFor(() => expect(eventsOfA()[1]).toBe("node-a log: slow"), PATIENCE);
    await expectNeighbourUnharmed();
  });

  test("that sends its call one byte at a time is understood", async () => {
    await setUp();
    const calls = LANES.map((lane) => ({ socket: stranger(), call: callOf({ lane }) }));
    for (let at = 0; at < callOf().length; at += 1) {
      for (const { socket, call } of calls) socket.send(call.subarray(at, at + 1));
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    await vi.waitFor(() => expect(eventsOfA()).toEqual(["node-a connected"]), PATIENCE);
  });

  test("whose frames come behind the call is heard once all its lanes stand", async () => {
    await setUp();
    const control = stranger();
    control.send(Buffer.concat([callOf(), frameOf(Buffer.from("early"))]));
    await vi.waitFor(() => expect(control.answer?.kind).toBe("welcome"), PATIENCE);
    expect(eventsOfA()).toEqual([]);
    for (const lane of ["log", "bulk"] as const) stranger().send(callOf({ lane }));
    await vi.waitFor(
      () => expect(eventsOfA()).toEqual(["node-a connected", "node-a control: early"]),
      PATIENCE,
    );
  });

  test("that brings up one lane only is closed at the deadline", async () => {
    await setUp(200);
    const control = stranger();
    control.send(callOf());
    await vi.waitFor(() => expect(control.isClosed).toBe(true), PATIENCE);
    expect(eventsOfA()).toEqual([]);
    await expectNeighbourUnharmed();
  });

  test("that calls twice on a lane has the second call refused", async () => {
    await setUp();
    lanes();
    await vi.waitFor(() => expect(eventsOfA()).toEqual(["node-a connected"]), PATIENCE);
    const again = stranger();
    again.send(callOf());
    await vi.waitFor(() => expect(again.isClosed).toBe(true), PATIENCE);
    expect(observer.counted("transport_refusals stale")).toBe(1);
    expect(eventsOfA()).toEqual(["node-a connected"]);
  });

  test("of an earlier attempt is refused, of a later one replaces what stands", async () => {
    await setUp();
    const first = lanes({ attempt: 5 });
    await vi.waitFor(() => expect(eventsOfA()).toEqual(["node-a connected"]), PATIENCE);
    const late = stranger();
    late.send(callOf({ attempt: 4 }));
    await vi.waitFor(() => expect(late.isClosed).toBe(true), PATIENCE);
    lanes({ attempt: 6 });
    await vi.waitFor(
      () => expect(eventsOfA()).toEqual(["node-a connected", "node-a connected"]),
      PATIENCE,
    );
    await vi.waitFor(() => expect(first.log.isClosed).toBe(true), PATIENCE);
  });

  test("of a second process is refused while the first one is heard, not once it is silent", async () => {
    await setUp(5_000, 800);
    const first = lanes();
    await vi.waitFor(() => expect(eventsOfA()).toEqual(["node-a connected"]), PATIENCE);
    const other = { nonce: "fedcba9876543210" };
    const callAgain = async () => {
      const second = stranger();
      second.send(callOf(other));
      await vi.waitFor(() => expect(second.answer).toBeDefined(), PATIENCE);
      return second.answer;
    };
    for (const word of ["one", "two", "three"]) {
      first.control.send(frameOf(Buffer.from(word)));
      await vi.waitFor(() => expect(eventsOfA().at(-1)).toBe(`node-a control: ${word}`), PATIENCE);
      expect(await callAgain()).toEqual({
        ...{ kind: "denial", denial: "identity-taken" },
        reason: "another process is connected as node-a, and is still heard",
      });
    }
    expect(observer.counted("transport_refusals identity")).toBe(3);
    expect(first.control.isClosed).toBe(false);

    await vi.waitFor(async () => expect((await callAgain())?.kind).toBe("welcome"), PATIENCE);
    lanes(other);
    await vi.waitFor(() => expect(eventsOfA().at(-1)).toBe("node-a connected"), PATIENCE);
    await vi.waitFor(() => expect(first.control.isClosed).toBe(true), PATIENCE);
  });

  const body = Buffer.from("x");
  const WRONG_FRAMES: readonly (readonly [string, Uint8Array])[] = [
    ["a frame of 0 bytes", Buffer.alloc(4)],
    ["a length of 2^31", frameOf(body, 2 ** 31)],
    ["a length of 2^32 - 1", frameOf(body, 2 ** 32 - 1)],
    ["a length one above the allowed", frameOf(body, 16 * 1024 * 1024 + 1)],
    ["text", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
  ];

  test.each(WRONG_FRAMES)(
    "that sends %s after a good frame is closed on all lanes",
    async (_name, bytes) => {
      await setUp();
      const called = lanes();
      await vi.waitFor(() => expect(eventsOfA()).toEqual(["node-a connected"]), PATIENCE);
      called.log.send(Buffer.concat([frameOf(Buffer.from("good")), bytes]));
      await vi.waitFor(
        () => expect(eventsOfA().slice(1)).toEqual(["node-a log: good", "node-a disconnected"]),
        PATIENCE,
      );
      for (const socket of Object.values(called)) {
        await vi.waitFor(() => expect(socket.isClosed).toBe(true), PATIENCE);
      }
      expect(observer.counted("transport_malformed_frames node-a")).toBe(1);
      await expectNeighbourUnharmed();
    },
  );

  test("that dies in the middle of a frame leaves nothing of it", async () => {
    await setUp();
    const called = lanes();
    await vi.waitFor(() => expect(eventsOfA()).toEqual(["node-a connected"]), PATIENCE);
    called.bulk.send(frameOf(Buffer.from("cut"), 1_000));
    called.bulk.socket.end();
    for (const socket of [called.control, called.log]) socket.socket.end();
    await vi.waitFor(
      () => expect(eventsOfA()).toEqual(["node-a connected", "node-a disconnected"]),
      PATIENCE,
    );
    await expectNeighbourUnharmed();
  });

  test("that announces the largest frame on every lane and sends nothing costs no memory", async () => {
    await setUp();
    const before = process.memoryUsage().arrayBuffers;
    const called = lanes();
    await vi.waitFor(() => expect(eventsOfA()).toEqual(["node-a connected"]), PATIENCE);
    for (const socket of Object.values(called)) socket.send(frameOf(body, 16 * 1024 * 1024));
    await expectNeighbourUnharmed();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * 1024 * 1024);
  });
});

describe("many connections", () => {
  test("200 that say nothing are closed at the deadline, and peers do not notice", async () => {
    await setUp(1_000);
    const idle = Array.from({ length: 200 }, stranger);
    const called = lanes();
    await vi.waitFor(() => expect(eventsOfA()).toEqual(["node-a connected"]), PATIENCE);
    await expectNeighbourUnharmed();
    await vi.waitFor(() => expect(idle.filter(({ isClosed }) => !isClosed)).toEqual([]), PATIENCE);
    expect(observer.counted("transport_refusals deadline")).toBe(200);
    // One line speaks for all of them.
    expect(observer.lines.filter(({ fields }) => fields.fault === "deadline")).toHaveLength(1);
    expect(called.log.isClosed).toBe(false);
  });

  test("of more than 512 strangers the oldest make room", async () => {
    await setUp();
    // Its own node, with a deadline that does not come in the way.
    const crowdedPort = await freePort();
    const address = `127.0.0.1:${crowdedPort}`;
    const crowded = tcpTransport({}, { ...contextOf("node-d", "test", address), observer });
    await crowded.start(recordInto([]));
    try {
      // In rounds, so that the kernel's queue of connections does not overflow.
      for (let round = 0; round < 6; round += 1) {
        const arrivals = Array.from({ length: 90 }, () => new ForeignSocket(crowdedPort));
        sockets.push(...arrivals);
        await Promise.all(arrivals.map(({ socket }) => once(socket, "connect")));
      }
      const refused = "transport_refusals crowded";
      await vi.waitFor(() => expect(observer.counted(refused)).toBe(28), PATIENCE);
      await vi.waitFor(
        () => expect(sockets.slice(0, 28).every(({ isClosed }) => isClosed)).toBe(true),
        PATIENCE,
      );
      expect(sockets.at(-1)?.isClosed).toBe(false);
    } finally {
      await crowded.close({ timeoutMs: 0 });
    }
  }, 20_000);
});
