import { describe, expect, it } from "vitest";
import { HEARTBEAT_MS, nodeId, SUSPECT_AFTER_MS, type TestNode, World } from "./world.ts";

function refusalOf(node: TestNode, peer: string): string | undefined {
  return node.network.describe().peers.find((one) => one.node === peer)?.refusal;
}

describe("refusals", () => {
  it("does not meet a node whose configuration disagrees, says so once, and heals", async () => {
    const world = new World("a", "b");
    const a = await world.start("a", { digest: "ours" });
    const b = await world.start("b", { digest: "theirs" });
    world.advance(20 * HEARTBEAT_MS);

    expect(a.identities).toEqual([]);
    expect(a.say("b", "x")).toBe("unreachable");
    expect(a.noticesOf("configuration-mismatch")).toEqual([
      { type: "configuration-mismatch", peer: "b", digest: "theirs", expected: "ours" },
    ]);
    expect(b.noticesOf("configuration-mismatch")).toHaveLength(1);
    expect(refusalOf(a, "b")).toBe("configuration-mismatch");
    expect([...a.born, ...b.born]).toEqual([]);

    world.kill(b);
    const fixed = await world.start("b", { digest: "ours" });
    world.advance(HEARTBEAT_MS);
    expect(a.reaches("b") && fixed.reaches("a")).toBe(true);
    expect(refusalOf(a, "b")).toBeUndefined();
  });

  it("keeps clusters of different names apart", async () => {
    const world = new World("a", "b");
    const a = await world.start("a", { clusterName: "orders" });
    await world.start("b", { clusterName: "carts" });
    world.advance(10 * HEARTBEAT_MS);
    expect(a.identities).toEqual([]);
    expect(a.framesDropped).toBeGreaterThan(0);
  });

  it("refuses a node of another cluster id, for ever, without a crash", async () => {
    const world = new World("a", "b");
    const a = await world.start("a", { storedClusterId: "first" });
    const b = await world.start("b", { storedClusterId: "second" });
    world.advance(60_000);
    expect(a.reaches("b") || b.reaches("a")).toBe(false);
    expect(a.noticesOf("cluster-mismatch")).toEqual([
      { type: "cluster-mismatch", peer: "b", clusterId: "second", expected: "first" },
    ]);
    expect(refusalOf(b, "a")).toBe("cluster-mismatch");
    expect([...a.fatal, ...b.fatal]).toEqual([]);
  });

  it("stops the second process under one id, and goes on with the first", async () => {
    const world = new World("a", "b", "c");
    const [a, b, c] = await world.startAll();
    world.advance(1);
    const second = await world.start("b");
    world.advance(SUSPECT_AFTER_MS);

    expect(a!.network.identityOf(nodeId("b"))).toEqual(b!.self);
    expect(second.noticesOf("identity-conflict").length).toBeGreaterThan(0);
    expect(a!.noticesOf("identity-conflict")).toHaveLength(1);
    expect(second.fatal).toEqual([]);

    world.advance(4 * SUSPECT_AFTER_MS);
    expect(second.fatal.map(({ code }) => code)).toEqual(["IDENTITY_CONFLICT"]);
    expect([...a!.fatal, ...b!.fatal, ...c!.fatal]).toEqual([]);

    b!.say("a", "still me");
    world.time.settle();
    expect(a!.texts()).toEqual(["still me"]);
    expect(a!.reachability).toEqual(["b up", "c up"]);
  });

  it("takes the second process under one id once the first is silent", async () => {
    const world = new World("a", "b");
    const [a, b] = await world.startAll();
    world.advance(1);
    const second = await world.start("b");
    world.advance(3 * HEARTBEAT_MS);
    expect(a!.network.identityOf(nodeId("b"))).toEqual(b!.self);

    // The broker does not see it go: the second process still holds the id.
    world.kill(b!);
    world.advance(SUSPECT_AFTER_MS + 2 * HEARTBEAT_MS);
    expect(a!.network.identityOf(nodeId("b"))).toEqual(second.self);
    expect(a!.reaches("b")).toBe(true);
    expect(second.fatal).toEqual([]);
  });

  it("tells a replaced process that comes back to stop", async () => {
    const world = new World("a", "b");
    let cut = false;
    const filter = {
      outgoing: () => (cut ? [] : undefined),
      incoming: () => (cut ? [] : undefined),
    };
    const a = await world.start("a");
    const b = await world.start("b", { filter });
    world.advance(1);
    cut = true;
    world.advance(2 * SUSPECT_AFTER_MS);
    const second = await world.start("b");
    world.advance(HEARTBEAT_MS);
    expect(a.network.identityOf(nodeId("b"))).toEqual(second.self);

    cut = false;
    world.advance(5 * SUSPECT_AFTER_MS);
    expect(b.fatal.map(({ code }) => code)).toEqual(["IDENTITY_CONFLICT"]);
    expect(second.fatal).toEqual([]);
    expect(a.identities).toEqual([b.self, second.self]);
  });

  it("recognises a copy of the data that knows less than the store did before", async () => {
    const world = new World("a", "b");
    const stored = { storedClusterId: "cluster" };
    const a = await world.start("a", stored);
    const b = await world.start("b", {
      ...stored,
      storeId: "disk",
      incarnation: 3,
      logPosition: 500,
    });
    world.advance(1);
    world.kill(b);
    world.advance(1);

    const copy = await world.start("b", {
      ...stored,
      storeId: "disk",
      incarnation: 4,
      logPosition: 100,
    });
    world.advance(HEARTBEAT_MS);
    expect(a.noticesOf("old-copy")).toEqual([
      { type: "old-copy", peer: "b", storeId: "disk", incarnation: 4, logPosition: 100 },
    ]);
    expect(copy.noticesOf("old-copy")).toEqual([{ type: "old-copy", peer: "b", reportedBy: "a" }]);
  });

  it("refuses a start that is earlier than one that it met, once that one is gone", async () => {
    const world = new World("a", "b");
    const stored = { storedClusterId: "cluster", storeId: "disk" };
    const a = await world.start("a", { storedClusterId: "cluster" });
    const b = await world.start("b", { ...stored, incarnation: 5 });
    world.advance(1);
    world.kill(b);
    world.advance(1);
    const copy = await world.start("b", { ...stored, incarnation: 4 });
    world.advance(5 * SUSPECT_AFTER_MS);
    expect(a.reaches("b")).toBe(false);
    expect(refusalOf(a, "b")).toBe("old-copy");
    expect(copy.fatal.map(({ code }) => code)).toEqual(["IDENTITY_CONFLICT"]);
    expect(copy.fatal[0]?.message).toContain("older copy");
  });

  it("notices clocks that lie apart by more than the allowed skew", async () => {
    const world = new World("a", "b");
    const [a, b] = await world.startAll();
    world.advance(HEARTBEAT_MS);
    expect(a!.noticesOf("clock-skew")).toEqual([]);
    b!.environment.wallOffsetMs = 600;
    world.advance(5 * HEARTBEAT_MS);
    expect(a!.noticesOf("clock-skew")).toEqual([
      { type: "clock-skew", peer: "b", skewMs: 600, maxSkewMs: 500 },
    ]);
  });
});
