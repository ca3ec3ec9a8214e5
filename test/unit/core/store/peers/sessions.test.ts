import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../../support/seeded-random.ts";
import { allMet, HEARTBEAT_MS, lossy, nodeId, SUSPECT_AFTER_MS, World } from "./world.ts";

describe("sessions", () => {
  it("meets at once, and delivers messages with their address and sender", async () => {
    const world = new World("a", "b");
    const [a, b] = await world.startAll();
    world.advance(1);

    expect(allMet([a!, b!])).toBe(true);
    expect(b!.identities).toEqual([a!.self]);
    expect(a!.say("b", "one")).toBe("queued");
    expect(a!.say("b", "two")).toBe("queued");
    world.time.settle();

    const address = { role: "replica", keyspaceHash: 0xfeedbeef, shardIndex: 513 };
    expect(b!.messages).toEqual([
      { from: a!.self, ...address, text: "one" },
      { from: a!.self, ...address, text: "two" },
    ]);
    expect(b!.turnEnds).toBe(1);
  });

  it("awaits the word of a peer that says to be rebuilding, until it has spoken or is whole", async () => {
    const world = new World("a", "b", "c");
    const rebuildingFor = new Set(["a"]);
    const a = await world.start("a");
    const b = await world.start("b", { rebuildingFor });
    const c = await world.start("c");
    world.advance(1);
    expect(allMet([a, b, c])).toBe(true);
    expect(a.network.awaitsWord).toBe(true);
    expect(c.network.awaitsWord).toBe(false);
    b.say("a", "this one");
    world.time.settle();
    expect(a.network.awaitsWord).toBe(false);

    rebuildingFor.add("c");
    world.advance(HEARTBEAT_MS);
    expect(c.network.awaitsWord).toBe(true);
    rebuildingFor.clear();
    world.advance(HEARTBEAT_MS);
    expect(c.network.awaitsWord).toBe(false);
  });

  it("takes nothing for a peer that was not met, nor for a name that it does not know", async () => {
    const world = new World("a", "b");
    const a = await world.start("a");
    world.advance(1_000);
    expect(a.say("b", "lost")).toBe("unreachable");
    expect(a.say("nobody", "lost")).toBe("unreachable");
    expect(a.network.identityOf(nodeId("b"))).toBeUndefined();
  });

  it.each([1, 2, 3, 4, 5])(
    "establishes although half of all frames are lost (seed %i)",
    async (seed) => {
      const world = new World("a", "b", "c");
      const nodes = await world.startAll({ filter: lossy(0.5, new SeededRandom(seed)) });
      expect(world.runUntil(() => allMet(nodes), 30_000)).toBe(true);
    },
  );

  it("learns from a message that the hello which accepted it was lost", async () => {
    const world = new World("a", "b");
    let deaf = false;
    const a = await world.start("a", {
      filter: { incoming: (_from, lane) => (deaf && lane === "control" ? [] : undefined) },
    });
    const b = await world.start("b");
    world.advance(1);
    deaf = true;
    a.transport.handlers?.onPeer(nodeId("b"), "disconnected");
    a.transport.handlers?.onPeer(nodeId("b"), "connected");
    world.advance(HEARTBEAT_MS);
    expect(a.reaches("b")).toBe(false);

    b.say("a", "still here");
    world.time.settle();
    expect(a.reaches("b")).toBe(true);
    expect(a.texts()).toEqual(["still here"]);
  });

  it("meets a restarted peer as somebody else exactly once, before any of its messages", async () => {
    const world = new World("a", "b");
    const [a, b] = await world.startAll();
    world.advance(1);
    world.kill(b!);
    world.advance(HEARTBEAT_MS);
    expect(a!.reaches("b")).toBe(false);

    const again = await world.start("b");
    world.advance(1);
    again.say("a", "hello again");
    world.advance(10 * HEARTBEAT_MS);

    expect(a!.identities).toEqual([b!.self, again.self]);
    expect(a!.network.identityOf(nodeId("b"))).toEqual(again.self);
    expect(a!.messages.map(({ from }) => from)).toEqual([again.self]);
    expect(a!.reachability).toEqual(["b up", "b down", "b up"]);
  });

  it("takes a later start of the same store at once, though the earlier one looks alive", async () => {
    const world = new World("a", "b");
    const a = await world.start("a");
    const b = await world.start("b", { storeId: "disk", incarnation: 1 });
    world.advance(1);
    const again = await world.start("b", {
      storeId: "disk",
      incarnation: 2,
      storedClusterId: b.clusterId,
    });
    world.advance(1);
    expect(a.network.identityOf(nodeId("b"))).toEqual(again.self);
    expect(a.identities.map(({ incarnation }) => incarnation)).toEqual([1, 2]);
  });

  it("drops frames of earlier sessions, and heals by a hello", async () => {
    const world = new World("a", "b");
    const [a, b] = await world.startAll();
    world.advance(1);
    b!.say("a", "from the first life");
    world.time.settle();
    const old = b!.transport.sent.filter(({ lane }) => lane === "log").at(-1)!;
    world.kill(b!);
    const again = await world.start("b");
    world.advance(1);
    const droppedBefore = a!.framesDropped;

    const sentBefore = a!.transport.sent.length;
    a!.transport.handlers?.onFrame(nodeId("b"), old.frame, "log");
    expect(a!.texts()).toEqual(["from the first life"]);
    expect(a!.framesDropped).toBe(droppedBefore + 1);
    expect(a!.transport.sent.length).toBe(sentBefore + 1);

    // Old hellos, too: they must not bring the dead identity back.
    for (const { frame, lane } of b!.transport.sent) {
      a!.transport.handlers?.onFrame(nodeId("b"), frame, lane);
    }
    world.advance(HEARTBEAT_MS);
    expect(a!.identities).toHaveLength(2);
    expect(a!.network.identityOf(nodeId("b"))).toEqual(again.self);
    expect(a!.reaches("b")).toBe(true);
    expect(a!.texts()).toEqual(["from the first life"]);
    expect(a!.noticesOf("identity-conflict")).toEqual([]);
  });

  it("does not meet the dead: a hello that was said before this process started proves nothing", async () => {
    const world = new World("a", "b");
    const [a, b] = await world.startAll();
    world.advance(1);
    const old = b!.transport.sent.map(({ frame }) => frame);
    world.kill(b!);
    world.kill(a!);
    const again = await world.start("a");
    again.transport.handlers?.onPeer(nodeId("b"), "connected");
    for (const frame of old) again.transport.handlers?.onFrame(nodeId("b"), frame, "control");
    world.advance(10 * HEARTBEAT_MS);
    expect(again.identities).toEqual([]);
    expect(again.born).toEqual([]);
  });

  it("is not confused by its own peer's hellos when they come again, late", async () => {
    const world = new World("a", "b");
    const [a, b] = await world.startAll();
    world.advance(1);
    const hellos = b!.transport.sent.map(({ frame }) => frame);
    for (const frame of hellos) a!.transport.handlers?.onFrame(nodeId("b"), frame, "control");
    world.advance(HEARTBEAT_MS);
    expect(a!.reachability).toEqual(["b up"]);
    expect(a!.framesDropped).toBe(hellos.length);
  });

  it("bounds the hellos with which it answers stale frames", async () => {
    const world = new World("a", "b");
    const [a, b] = await world.startAll();
    world.advance(1);
    b!.say("a", "x");
    world.time.settle();
    const old = b!.transport.sent.filter(({ lane }) => lane === "log").at(-1)!;
    world.kill(b!);
    await world.start("b");
    world.advance(HEARTBEAT_MS);
    const sentBefore = a!.transport.sent.length;
    for (let n = 0; n < 1_000; n += 1)
      a!.transport.handlers?.onFrame(nodeId("b"), old.frame, "log");
    expect(a!.transport.sent.length - sentBefore).toBeLessThanOrEqual(4);
  });

  it("does not deliver what was queued for an earlier life of the peer", async () => {
    const world = new World("a", "b");
    const [a, b] = await world.startAll();
    world.advance(1);
    a!.transport.result = "saturated";
    a!.say("b", "for the dead");
    a!.network.flush();
    world.kill(b!);
    world.advance(1);
    expect(a!.network.describe().peers[0]?.bufferedBytes).toBe(0);
    a!.transport.result = "accepted";
    const again = await world.start("b");
    world.advance(HEARTBEAT_MS);
    a!.say("b", "for the living");
    world.time.settle();
    expect(again.texts()).toEqual(["for the living"]);
  });

  it("closes: flushes, stops its ticker, says nothing more", async () => {
    const world = new World("a", "b");
    const [a, b] = await world.startAll();
    world.advance(1);
    a!.say("b", "last words");
    await a!.network.close({ timeoutMs: 100 });
    world.advance(SUSPECT_AFTER_MS * 3);

    expect(b!.texts()).toEqual(["last words"]);
    expect(a!.transport.closed).toBe(true);
    expect(a!.say("b", "too late")).toBe("unreachable");
    expect(a!.reaches("b")).toBe(false);
    expect(a!.reachability).toEqual(["b up"]);
    expect(b!.reachability).toEqual(["a up", "a down"]);
    await a!.network.close({ timeoutMs: 100 });
    await b!.network.close({ timeoutMs: 100 });
    expect(world.time.pendingTimers).toBe(0);
  });

  it("reports a transport that cannot go on as fatal, once", async () => {
    const world = new World("a", "b");
    const a = await world.start("a");
    a.transport.handlers?.onFailed(new Error("the socket died"));
    a.transport.handlers?.onFailed(new Error("again"));
    expect(a.fatal).toHaveLength(1);
    expect(a.fatal[0]).toMatchObject({ code: "STORE_FAILED" });
    expect(a.fatal[0]?.message).toContain("the socket died");
  });
});
