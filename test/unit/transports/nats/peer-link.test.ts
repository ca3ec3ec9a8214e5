import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SILENT_OBSERVER } from "../../../../src/core/contracts/observer.ts";
import type { Lane } from "../../../../src/core/contracts/transport.ts";
import type { NodeId } from "../../../../src/core/model/ids.ts";
import { FaultLog } from "../../../../src/transports/nats/fault-log.ts";
import type { NatsNode } from "../../../../src/transports/nats/nats-node.ts";
import { parseNatsOptions } from "../../../../src/transports/nats/nats-options.ts";
import { PeerLink } from "../../../../src/transports/nats/peer-link.ts";
import {
  greeting,
  type LinkId,
  NO_LINK,
  newMessageHeader,
  readMessage,
} from "../../../../src/transports/nats/wire.ts";
import { SeededRandom } from "../../../support/seeded-random.ts";
import { VirtualEnvironment, VirtualTime } from "../../../support/virtual-environment.ts";

const TICK_MS = 500;

/** How messages fare on their way; a delay reorders. */
interface Weather {
  readonly lossShare: number;
  readonly doubleShare: number;
  readonly longestDelayMs: number;
}

const FAIR: Weather = { lossShare: 0, doubleShare: 0, longestDelayMs: 0 };

/** Two ends of a link with nothing but weather between them. */
class World {
  readonly time = new VirtualTime();
  readonly a: End;
  readonly b: End;
  weather = FAIR;
  readonly #random: SeededRandom;

  constructor(seed = 1) {
    this.#random = new SeededRandom(seed, "weather");
    this.a = new End("a", "b", 1, this);
    this.b = new End("b", "a", 2, this);
  }

  carry(from: End, lane: Lane, message: Uint8Array): void {
    const to = from === this.a ? this.b : this.a;
    const { lossShare, doubleShare, longestDelayMs } = this.weather;
    if (this.#random.fraction() < lossShare) return;
    const copies = this.#random.fraction() < doubleShare ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      const delayMs = this.#random.fraction() * longestDelayMs;
      const bytes = Uint8Array.from(message);
      this.time.setTimer(1 + delayMs, () => to.receive(lane, bytes));
    }
  }

  begin(): this {
    this.a.link.begin();
    this.b.link.begin();
    return this;
  }

  /** With the ticks of both ends. */
  pass(durationMs: number): void {
    for (let passedMs = 0; passedMs < durationMs; passedMs += TICK_MS) {
      this.time.advance(TICK_MS);
      for (const { link } of [this.a, this.b]) link.tick(this.time.nowMs);
    }
  }
}

class End {
  readonly link: PeerLink;
  readonly events: string[] = [];
  readonly frames: Uint8Array[] = [];
  readonly faults: string[] = [];
  /** The id in the last message that it sent. */
  lastSaid: LinkId = NO_LINK;
  /** Cuts what this end sends. */
  isMute = false;
  readonly #node: NatsNode;

  constructor(self: string, peer: string, start: number, world: World) {
    const environment = new VirtualEnvironment({ time: world.time });
    let generation = 0;
    this.#node = {
      self: self as NodeId,
      cluster: "test",
      environment,
      observer: SILENT_OBSERVER,
      settings: parseNatsOptions({}),
      faults: new FaultLog(environment, SILENT_OBSERVER),
      maxFrameBytes: 100_000,
      limits: { chunkBytes: 300, windowBytes: 2_000, maxBufferedBytes: 20_000 },
      handlers: {
        onFrame: (_from, frame) => this.frames.push(Uint8Array.from(frame)),
        onPeer: (_peer, state) => this.events.push(state),
        onWritable: (_peer, lane) => this.events.push(`writable ${lane}`),
        onFailed: (error) => this.events.push(error.message),
      },
      nextLinkId: () => {
        generation += 1;
        return { start, generation };
      },
      publish: (lane, _subject, message) => {
        const header = newMessageHeader();
        if (readMessage(message, header) === undefined) this.lastSaid = header.sender;
        if (!this.isMute) world.carry(this, lane, message);
      },
    };
    this.link = new PeerLink(this.#node, peer as NodeId);
  }

  receive(lane: Lane, message: Uint8Array): void {
    const header = newMessageHeader();
    const fault = readMessage(message, header) ?? this.link.receive(header, message, lane);
    if (fault !== undefined) this.faults.push(fault);
  }

  /** As the transport does when the turn is over. */
  send(frame: Uint8Array, lane: Lane = "log"): string {
    const result = this.link.send(frame, lane);
    this.link.flush();
    return result;
  }
}

function frameOf(sequence: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (sequence * 31 + at * 7 + length) & 0xff);
}

describe("a link", () => {
  test("opens at both ends once each has heard the other say its id", () => {
    const world = new World().begin();
    expect([world.a.link.isOpen, world.b.link.isOpen]).toEqual([false, false]);
    world.time.advance(5);
    expect([world.a.events, world.b.events]).toEqual([["connected"], ["connected"]]);
    world.pass(60_000);
    expect([world.a.events, world.b.events]).toEqual([["connected"], ["connected"]]);
  });

  test("waits for an end that comes later, and takes nothing meanwhile", () => {
    const world = new World();
    world.a.link.begin();
    expect(world.a.send(frameOf(1, 10))).toBe("disconnected");
    world.b.isMute = true;
    world.pass(5_000);
    expect(world.a.events).toEqual([]);
    world.b.isMute = false;
    world.b.link.begin();
    world.time.advance(5);
    expect([world.a.events, world.b.events]).toEqual([["connected"], ["connected"]]);
  });

  test("opens by a frame whose sender's hello was lost", () => {
    const world = new World().begin();
    // What a answers to the first hello of b is lost.
    world.a.isMute = true;
    world.time.advance(5);
    world.a.isMute = false;
    expect([world.a.events, world.b.events]).toEqual([["connected"], []]);
    expect(world.a.send(frameOf(1, 10))).toBe("accepted");
    world.time.advance(5);
    expect(world.b.events).toEqual(["connected"]);
    expect(world.b.frames).toEqual([frameOf(1, 10)]);
  });

  test("ends at a goodbye, which counts for the life that it ends alone", () => {
    const world = new World().begin();
    world.time.advance(5);
    world.a.link.destroy();
    world.time.advance(5);
    expect(world.b.events).toEqual(["connected", "disconnected"]);
    expect(world.b.send(frameOf(1, 10))).toBe("disconnected");
    world.pass(10_000);
    expect(world.b.events).toEqual(["connected", "disconnected"]);
  });

  test("ends when one end is silent for too long, at both ends, and comes back", () => {
    const world = new World().begin();
    world.time.advance(5);
    world.b.isMute = true;
    world.pass(2_000);
    expect(world.a.events).toEqual(["connected"]);
    world.pass(1_500);
    expect(world.a.events).toEqual(["connected", "disconnected"]);
    // Its next hello has another id: what b has under way is for a life that is over.
    expect(world.b.events).toEqual(["connected", "disconnected"]);
    world.b.isMute = false;
    world.pass(1_000);
    expect(world.a.events).toEqual(["connected", "disconnected", "connected"]);
    expect(world.b.events).toEqual(["connected", "disconnected", "connected"]);
  });

  test("is not ended for a silence in which this end did not listen", () => {
    const world = new World().begin();
    world.time.advance(5);
    world.time.stall(60_000);
    world.a.link.excuse(world.time.nowMs);
    world.a.link.tick(world.time.nowMs);
    world.time.advance(5);
    expect(world.a.events).toEqual(["connected"]);
  });

  test("whose end lost its server is replaced: connected again, streams from the beginning", () => {
    const world = new World().begin();
    world.time.advance(5);
    for (let at = 0; at < 20; at += 1) world.a.send(frameOf(at, 200));
    world.time.advance(50);
    expect(world.b.frames).toHaveLength(20);
    world.b.link.end();
    world.b.link.begin();
    world.time.advance(10);
    expect(world.a.events).toEqual(["connected", "disconnected", "connected"]);
    expect(world.b.events).toEqual(["connected", "disconnected", "connected"]);
    for (let at = 0; at < 20; at += 1) world.a.send(frameOf(at, 200));
    world.time.advance(50);
    expect(world.b.frames).toHaveLength(40);
  });

  test("does not change to another process under the peer's name while the first one speaks", () => {
    const world = new World().begin();
    world.time.advance(5);
    const stranger = { start: 99, generation: 1 };
    const hello = () => world.a.receive("control", greeting("hello", stranger, NO_LINK));
    for (let round = 0; round < 10; round += 1) {
      hello();
      world.pass(TICK_MS);
    }
    expect([world.a.events, world.b.events]).toEqual([["connected"], ["connected"]]);
    world.b.isMute = true;
    world.pass(3 * TICK_MS);
    hello();
    expect(world.a.events).toEqual(["connected", "disconnected"]);
    world.time.advance(1);
    world.a.receive("control", greeting("hello", stranger, world.a.lastSaid));
    expect(world.a.events).toEqual(["connected", "disconnected", "connected"]);
  });

  test("goes on after every acknowledgement was lost", () => {
    const world = new World().begin();
    world.time.advance(5);
    world.b.isMute = true;
    let taken = 0;
    while (world.a.send(frameOf(taken, 200)) === "accepted") taken += 1;
    expect(world.a.send(frameOf(taken, 200))).toBe("saturated");
    world.time.advance(400);
    world.b.isMute = false;
    expect(world.b.frames.length).toBeLessThan(taken);
    world.pass(2_000);
    expect(world.b.frames).toHaveLength(taken);
    expect(world.a.events).toEqual(["connected", "writable log"]);
    expect(world.a.link).toMatchObject({ isSettled: true, bufferedBytes: 0 });
  });

  test("survives any weather: no frame is torn, and fair weather lets all through", () => {
    const weathers = fc.record({
      lossShare: fc.double({ min: 0, max: 0.5, noNaN: true }),
      doubleShare: fc.double({ min: 0, max: 0.5, noNaN: true }),
      longestDelayMs: fc.integer({ min: 0, max: 3_000 }),
    });
    fc.assert(
      fc.property(fc.integer(), fc.array(weathers, { minLength: 1, maxLength: 4 }), (seed, all) => {
        const world = new World(seed).begin();
        let sequence = 0;
        for (const weather of all) {
          world.weather = weather;
          for (let turn = 0; turn < 6; turn += 1) {
            for (const end of [world.a, world.b]) {
              end.send(frameOf(sequence, 20 + ((sequence * 97) % 900)), turn % 2 ? "log" : "bulk");
              sequence += 1;
            }
            world.pass(TICK_MS);
          }
        }
        world.weather = FAIR;
        world.pass(20_000);
        expect([world.a.link.isOpen, world.b.link.isOpen]).toEqual([true, true]);
        const sent = new Set(
          Array.from({ length: sequence }, (_, at) =>
            Buffer.from(frameOf(at, 20 + ((at * 97) % 900))).toString("hex"),
          ),
        );
        for (const { frames, faults } of [world.a, world.b]) {
          expect(faults).toEqual([]);
          for (const frame of frames)
            expect(sent.has(Buffer.from(frame).toString("hex"))).toBe(true);
        }
        const [before, events] = [world.b.frames.length, world.b.events.length];
        for (let at = 0; at < 10; at += 1) expect(world.a.send(frameOf(at, 700))).toBe("accepted");
        world.pass(2_000);
        expect([world.b.frames.length - before, world.b.events.length]).toEqual([10, events]);
      }),
      { numRuns: 60 },
    );
  });
});
