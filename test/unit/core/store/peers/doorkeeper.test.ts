import { describe, expect, it, vi } from "vitest";
import type { BusTransport } from "./bus.ts";
import { DoorWorld } from "./doors.ts";
import { HEARTBEAT_MS, nodeId, SUSPECT_AFTER_MS, type TestNode } from "./world.ts";

// Two processes under one id, over a transport that lets in one of them.

// Milliseconds, but not on a busy machine.
vi.setConfig({ testTimeout: 30_000 });

const STORED = { storedClusterId: "cluster" };
/** Of the greeter, and of two that have counted. */
const PATIENCE_MS = 3 * SUSPECT_AFTER_MS;
const B = nodeId("b");

function codesOf({ fatal, disowned }: TestNode): string[] {
  return [
    ...fatal.map(({ code }) => code),
    ...disowned.map(({ code }) => `${code}, its data is given up`),
  ];
}

function expectUnharmed(...lives: readonly TestNode[]): void {
  expect(lives.flatMap(codesOf)).toEqual([]);
}

function conflictsOf(...nodes: readonly TestNode[]): unknown[] {
  return nodes.flatMap((node) => node.noticesOf("identity-conflict"));
}

/** `a` and `c` with a `b` that both have met, and that has counted. */
async function met() {
  const world = new DoorWorld("a", "b", "c");
  const [a, b, c] = (await world.startAll(STORED)) as [TestNode, TestNode, TestNode];
  expect(world.runUntil(() => b.reaches("a", "c") && a.reaches("b") && c.reaches("b"))).toBe(true);
  for (const peer of ["a", "c"]) b.say(peer, "counted");
  world.advance(HEARTBEAT_MS);
  return { world, a, b, c };
}

describe("the second of two live processes with one node id", () => {
  it("stops, and says what to do; the first one goes on without a break", async () => {
    const { world, a, b, c } = await met();
    const second = await world.start("b", STORED);
    world.advance(SUSPECT_AFTER_MS);
    expect(second.reachability).toEqual([]);
    expect(second.noticesOf("identity-conflict")).toHaveLength(2);
    expectUnharmed(second);
    expect(world.runUntil(() => second.fatal.length > 0, 2 * PATIENCE_MS)).toBe(true);
    // Nobody has ever counted it: its data is as it was.
    expect(codesOf(second)).toEqual(["IDENTITY_CONFLICT"]);
    expect(second.fatal[0]?.message).toContain("give it a node id and an empty data directory");
    expectUnharmed(a, b, c);
    expect(b.reachability).toEqual(["a up", "c up"]);
    expect(a.identities.filter(({ node }) => node === B)).toEqual([b.self]);
    expect(a.noticesOf("identity-conflict")).toHaveLength(1);
  });

  it("stops also if a copy of the same store was started again and again", async () => {
    const { world, b } = await met();
    for (let start = 2; start < 6; start += 1) {
      const copy = await world.start("b", {
        ...STORED,
        storeId: b.self.storeId,
        incarnation: start,
      });
      expect(world.runUntil(() => copy.fatal.length > 0, 3 * PATIENCE_MS)).toBe(true);
      expect(codesOf(copy)).toEqual(["IDENTITY_CONFLICT"]);
      world.kill(copy);
    }
    expectUnharmed(b);
    expect(b.reachability).toEqual(["a up", "c up"]);
  });

  it("stops if both were started at one moment", async () => {
    const world = new DoorWorld("a", "b");
    const a = await world.start("a", STORED);
    const both = await Promise.all([world.start("b", STORED), world.start("b", STORED)]);
    const stopped = () => both.filter((node) => codesOf(node).length > 0);
    expect(world.runUntil(() => stopped().length > 0)).toBe(true);
    world.advance(3 * PATIENCE_MS);
    expect(stopped().map(codesOf)).toEqual([["IDENTITY_CONFLICT"]]);
    const left = both.find((node) => !stopped().includes(node));
    expect(left?.reaches("a") && a.reaches("b")).toBe(true);
  });

  it("takes the place of the first if that ends in time", async () => {
    const { world, a, b } = await met();
    const second = await world.start("b", STORED);
    world.advance(2 * SUSPECT_AFTER_MS);
    expect(conflictsOf(second).length).toBeGreaterThan(0);
    world.kill(b);
    world.advance(SUSPECT_AFTER_MS + PATIENCE_MS);
    expectUnharmed(second);
    expect(a.reaches("b") && second.reaches("a", "c")).toBe(true);
    expect(a.network.identityOf(B)).toEqual(second.self);
  });

  it("does not slip in where the first one loses a connection for a moment", async () => {
    const { world, a, b, c } = await met();
    const second = await world.start("b", STORED);
    world.advance(SUSPECT_AFTER_MS);
    for (let round = 0; round < 5; round += 1) {
      world.doors.end(a.transport, b.transport);
      world.advance(HEARTBEAT_MS);
    }
    expect(world.runUntil(() => second.fatal.length > 0, 3 * PATIENCE_MS)).toBe(true);
    world.advance(SUSPECT_AFTER_MS);
    expectUnharmed(a, b, c);
    expect(b.reaches("a", "c")).toBe(true);
    expect(a.identities.filter(({ node }) => node === B)).toEqual([b.self]);
  });
});

describe("one node that is started again", () => {
  it.each([
    ["killed, and its peers told", (world: DoorWorld, life: TestNode) => world.kill(life)],
    [
      "cut off, so that its connections look alive",
      (world: DoorWorld, life: TestNode) => {
        world.doors.vanish(life.transport);
        life.transport.result = "disconnected";
      },
    ],
  ])("20 times, %s, is never taken for two processes", async (_how, end) => {
    const world = new DoorWorld("a", "b", "c");
    const a = await world.start("a", STORED);
    const c = await world.start("c", STORED);
    const lives: TestNode[] = [];
    for (let life = 0; life < 20; life += 1) {
      const b = await world.start("b", { ...STORED, storeId: "disk", incarnation: life + 1 });
      lives.push(b);
      // From not at all to long enough to be denied, and let in.
      world.advance((life * 97) % 700);
      end(world, b);
      world.advance((life * 31) % 60);
    }
    const last = await world.start("b", { ...STORED, storeId: "disk", incarnation: 21 });
    world.advance(2 * PATIENCE_MS);
    expectUnharmed(a, c, last, ...lives);
    expect(conflictsOf(a, c, last, ...lives)).toEqual([]);
    expect(last.reaches("a", "c") && a.reaches("b") && c.reaches("b")).toBe(true);
  });

  it("is not stopped by a peer that suspects nobody, with its earlier life half-open", async () => {
    const { world, a, b, c } = await met();
    for (const peer of [a, c]) peer.environment.lagMs = SUSPECT_AFTER_MS;
    world.doors.vanish(b.transport);
    b.transport.result = "disconnected";
    const next = await world.start("b", STORED);
    world.advance(100);
    expect(next.network.describe().peers.map(({ isTaken }) => isTaken)).toEqual([true, true]);
    world.advance(3 * PATIENCE_MS);
    expectUnharmed(a, c, next);
    expect(conflictsOf(a, c, next)).toEqual([]);
    expect(next.reaches("a", "c")).toBe(true);
  });

  it("is not stopped for what its earlier life has answered, which comes late", async () => {
    const { world, a, b, c } = await met();
    const hellos = b.transport.sent.filter(({ peer }) => peer === a.self.node);
    world.doors.vanish(b.transport);
    b.transport.result = "disconnected";
    const next = await world.start("b", STORED);
    for (const { frame } of [...hellos, ...hellos, ...hellos]) {
      a.transport.handlers?.onFrame(B, frame, "control");
      world.advance(20);
    }
    world.advance(2 * PATIENCE_MS);
    expectUnharmed(a, c, next);
    expect(conflictsOf(a, c, next)).toEqual([]);
  });

  it("counts with nobody while one peer has its earlier life, half-open", async () => {
    const { world, a, b, c } = await met();
    world.doors.end(c.transport, b.transport);
    world.doors.vanish(b.transport);
    b.transport.result = "disconnected";
    const next = await world.start("b", STORED);
    world.advance(150);
    expect(next.network.describe().peers.map(({ isTaken }) => isTaken)).toEqual([true, false]);
    expect([c.network.identityOf(B), next.say("c", "x")]).toEqual([next.self, "unreachable"]);
    world.advance(PATIENCE_MS);
    expect(next.reaches("a", "c")).toBe(true);
    expectUnharmed(a, c, next);
  });
});

describe("processes under one id that are each connected with another peer", () => {
  /** Each of the peers `a`, `c`, `d` has another `b`; nobody else reaches that. */
  async function apart(names: readonly string[], counting: boolean) {
    const world = new DoorWorld("b", ...names);
    const homes = new Map<BusTransport, BusTransport>();
    world.doors.mayMeet = (one, other) => {
      const home = homes.get(one) ?? homes.get(other);
      return home === undefined || home === one || home === other;
    };
    const peers = await Promise.all(names.map((name) => world.start(name, STORED)));
    const lives: TestNode[] = [];
    for (const peer of peers) {
      const life = world.make("b", STORED);
      homes.set(life.transport, peer.transport);
      await life.network.start();
      lives.push(life);
    }
    world.advance(5 * HEARTBEAT_MS);
    peers.forEach((peer, at) => {
      expect(peer.network.identityOf(B)).toEqual(lives[at]?.self);
      expect(lives[at]?.reaches(peer.self.node)).toBe(true);
      if (counting) lives[at]?.say(peer.self.node, "counted");
    });
    world.advance(HEARTBEAT_MS);
    homes.clear();
    return { world, peers, lives };
  }

  it.each([["two", ["a", "c"]] as const, ["three", ["a", "c", "d"]] as const])(
    "all stop where %s have counted, and their data is given up",
    async (_count, names) => {
      const { world, peers, lives } = await apart(names, true);
      world.advance(3 * HEARTBEAT_MS);
      // At once, so that no more is acknowledged by one of them.
      lives.forEach((life, at) => {
        expect(life.say(peers[at]!.self.node, "x")).toBe("unreachable");
      });
      world.advance(2 * PATIENCE_MS);
      for (const life of lives) {
        expect(codesOf(life)).toEqual(["IDENTITY_CONFLICT, its data is given up"]);
      }
      expectUnharmed(...peers);
    },
  );

  it("all stop also if one of them ends before: what it had is not known to the others", async () => {
    const { world, lives } = await apart(["a", "c"], true);
    world.advance(3 * HEARTBEAT_MS);
    world.kill(lives[0]!);
    world.advance(2 * PATIENCE_MS);
    expect(codesOf(lives[1]!)).toEqual(["IDENTITY_CONFLICT, its data is given up"]);
    expect(lives[1]?.reaches("c")).toBe(false);
  });

  it("leave the id to the one of which alone messages were taken", async () => {
    const { world, lives, peers } = await apart(["a", "c"], false);
    lives[0]?.say("a", "only this one has counted");
    expect(world.runUntil(() => codesOf(lives[1]!).length > 0, 3 * PATIENCE_MS)).toBe(true);
    world.kill(lives[1]!);
    world.advance(3 * PATIENCE_MS);
    expect(codesOf(lives[1]!)).toEqual(["IDENTITY_CONFLICT, its data is given up"]);
    expectUnharmed(lives[0]!, ...peers);
    expect(lives[0]?.reaches("a", "c") && peers.every((peer) => peer.reaches("b"))).toBe(true);
  });
});
