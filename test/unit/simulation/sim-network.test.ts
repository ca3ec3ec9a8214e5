import { beforeEach, describe, expect, test } from "vitest";
import { SILENT_OBSERVER } from "../../../src/core/contracts/observer.ts";
import type { Transport } from "../../../src/core/contracts/transport.ts";
import type { NodeId } from "../../../src/core/model/ids.ts";
import {
  type ConnectionMode,
  GOOD_NETWORK,
  MachineClock,
  SeededRandom,
  SimEnvironment,
  SimNetwork,
  VirtualTime,
} from "../../../src/simulation/index.ts";
import { Trace } from "../../../src/simulation/trace.ts";

const NODES = ["a", "b", "c"];
const A = "a" as NodeId;
const B = "b" as NodeId;

interface Heard {
  readonly frames: string[];
  readonly peers: string[];
  readonly writable: string[];
}

let time: VirtualTime;
let network: SimNetwork;
let trace: Trace;

function make(mode: ConnectionMode = "pairs", maxHeldBytes?: number): void {
  time = new VirtualTime();
  trace = new Trace();
  const random = new SeededRandom(3, "network");
  network = new SimNetwork({
    ...{ time, trace, random, mode, nodes: NODES },
    ...(maxHeldBytes !== undefined && { maxHeldBytes }),
  });
}

function join(self: string): { readonly transport: Transport; readonly heard: Heard } {
  const number = NODES.indexOf(self);
  const clock = new MachineClock(time);
  const environment = new SimEnvironment({ time, clock, trace, seed: number, number });
  const context = { self: self as NodeId, cluster: "one", address: undefined, environment };
  const transport = network.transportFor(environment)(
    {},
    {
      ...{ ...context, observer: SILENT_OBSERVER },
    },
  ) as Transport;
  const heard: Heard = { frames: [], peers: [], writable: [] };
  transport.setPeers(
    NODES.filter((id) => id !== self).map((id) => ({ node: id as NodeId, address: undefined })),
  );
  void transport.start({
    onFrame: (from, frame) => heard.frames.push(`${from} ${Buffer.from(frame).toString()}`),
    onPeer: (peer, state) => heard.peers.push(`${peer} ${state}`),
    onWritable: (peer, lane) => heard.writable.push(`${peer} ${lane}`),
    onFailed: () => undefined,
  });
  return { transport, heard };
}

function send(transport: Transport, to: NodeId, text: string): string {
  return transport.send(to, Buffer.from(text), "log");
}

beforeEach(() => make());

describe("SimNetwork", () => {
  test("a cut link loses what is sent in its one direction, and joined again it carries", () => {
    const { transport: a, heard: atA } = join("a");
    const { transport: b, heard: atB } = join("b");
    time.advance(10);
    network.cutOneWay("a", "b");
    expect(send(a, B, "lost")).toBe("accepted");
    send(b, A, "heard");
    time.advance(10);
    expect([atA.frames, atB.frames]).toEqual([["b heard"], []]);
    network.join("a", "b");
    send(a, B, "carried");
    time.advance(10);
    expect(atB.frames).toEqual(["a carried"]);
    expect(network.lost).toBe(1);
  });

  test("a clogged link holds frames up to its bound, then refuses, and tells when it takes again", () => {
    make("pairs", 100);
    const { transport: a, heard: atA } = join("a");
    const { heard: atB } = join("b");
    time.advance(10);
    network.clog("a", "b");
    const text = "x".repeat(60);
    expect(send(a, B, text)).toBe("accepted");
    expect(send(a, B, text)).toBe("saturated");
    expect(a.bufferedBytes(B)).toBe(60);
    time.advance(1_000);
    expect(atB.frames).toEqual([]);
    network.unclog("a", "b");
    time.advance(10);
    expect(atB.frames).toHaveLength(1);
    expect(atA.writable).toEqual(["b log"]);
    expect(a.bufferedBytes(B)).toBe(0);
  });

  test("frames of one lane keep their order unless they may overtake each other", () => {
    const arrivals = (reorders: boolean): string[] => {
      make();
      network.conditions = { ...GOOD_NETWORK, meanDelayMs: 20, reorders };
      const { transport: a } = join("a");
      const { heard } = join("b");
      time.advance(200);
      for (let number = 10; number < 40; number += 1) send(a, B, String(number));
      time.advance(2_000);
      return heard.frames;
    };
    const ordered = arrivals(false);
    expect(ordered).toHaveLength(30);
    expect(ordered).toEqual([...ordered].sort());
    const mixed = arrivals(true);
    expect(mixed).toHaveLength(30);
    expect(mixed).not.toEqual(ordered);
  });

  test("shares of the frames vanish and arrive twice", () => {
    const { transport: a } = join("a");
    const { heard } = join("b");
    time.advance(10);
    network.conditions = { ...GOOD_NETWORK, loss: 0.3, doubling: 0.3 };
    for (let number = 0; number < 400; number += 1) send(a, B, String(number));
    time.advance(1_000);
    expect(network.lost).toBeGreaterThan(80);
    expect(network.lost).toBeLessThan(160);
    expect(network.doubled).toBeGreaterThan(50);
    expect(heard.frames).toHaveLength(400 - network.lost + network.doubled);
  });

  test("a lane carries so many bytes in a millisecond, and the control lane does not wait for it", () => {
    const { transport: a } = join("a");
    const { heard } = join("b");
    time.advance(10);
    network.conditions = { ...GOOD_NETWORK, minDelayMs: 0, meanDelayMs: 0, bytesPerMs: 1_000 };
    send(a, B, "l".repeat(50_000));
    time.advance(49);
    expect(heard.frames).toHaveLength(0);
    a.send(B, Buffer.from("beat"), "control");
    time.advance(0.5);
    expect(heard.frames).toEqual(["a beat"]);
    time.advance(1);
    expect(heard.frames).toHaveLength(2);
  });

  test("a node that loses its server loses all that is under way, and takes nothing meanwhile", () => {
    make("server");
    network.conditions = { ...GOOD_NETWORK, minDelayMs: 50 };
    const { transport: a, heard: atA } = join("a");
    const { heard: atB } = join("b");
    time.advance(500);
    send(a, B, "under way");
    network.takeOffline("a");
    time.advance(500);
    expect(atB.frames).toEqual([]);
    expect(send(a, B, "nobody there")).toBe("disconnected");
    expect(atA.peers).toEqual(["b connected", "b disconnected"]);
    network.bringOnline("a");
    time.advance(500);
    send(a, B, "again");
    time.advance(500);
    expect(atB.frames).toEqual(["a again"]);
  });

  test("peers hear of a process that ends, unless its machine loses power", () => {
    const { heard } = join("a");
    join("b");
    join("c");
    time.advance(10);
    network.lose("b", false);
    network.lose("c", true);
    time.advance(10);
    expect(heard.peers).toEqual(["b connected", "c connected", "b disconnected"]);
  });

  test("every frame that is sent, and where it comes, is in the trace", () => {
    const digestOf = (text: string, to: NodeId): string => {
      make();
      const { transport: a } = join("a");
      join("b");
      join("c");
      time.advance(10);
      send(a, to, text);
      time.advance(10);
      return trace.digest();
    };
    const digests = [digestOf("one", B), digestOf("two", B), digestOf("one", "c" as NodeId)];
    expect(new Set(digests).size).toBe(3);
    expect(digestOf("one", B)).toBe(digests[0]);
  });

  test("names what it does not know", () => {
    expect(() => network.cut("a", "z")).toThrow(/no node "z"/);
    expect(() => network.cut("a", "a")).toThrow(/a to itself/);
  });
});
