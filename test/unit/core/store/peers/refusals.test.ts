import { describe, expect, it } from "vitest";
import {
  HEARTBEAT_MS,
  type NodeOptions,
  nodeId,
  SUSPECT_AFTER_MS,
  type TestNode,
  World,
} from "./world.ts";

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

  it("does not take two refusals with a long silence between them for a lasting one", async () => {
    const world = new World("a", "b");
    const [, b] = await world.startAll();
    world.advance(1);
    let hears = true;
    let speaks = true;
    const second = await world.start("b", {
      filter: {
        incoming: () => (hears ? undefined : []),
        outgoing: () => (speaks ? undefined : []),
      },
    });
    world.advance(2 * HEARTBEAT_MS);
    expect(second.noticesOf("identity-conflict")).toHaveLength(1);
    hears = false;
    speaks = false;
    world.kill(b!);
    world.advance(5 * SUSPECT_AFTER_MS);
    // What it hears first is what the peer has thought since.
    hears = true;
    world.advance(2 * HEARTBEAT_MS);
    speaks = true;
    world.advance(5 * SUSPECT_AFTER_MS);
    expect(second.fatal).toEqual([]);
    expect(second.reaches("a")).toBe(true);
  });

  it("counts with nobody while one peer goes on with another process, until that is dead", async () => {
    const world = new World("a", "b", "c");
    const STORED = { storedClusterId: "cluster" };
    const a = await world.start("a", STORED);
    const b = await world.start("b", STORED);
    world.advance(HEARTBEAT_MS);
    // This one has never met the first process, and accepts the second.
    const second = await world.start("b", STORED);
    world.kill(b);
    const c = await world.start("c", STORED);
    world.advance(3 * HEARTBEAT_MS);
    expect(a.network.identityOf(nodeId("b"))).toEqual(b.self);
    expect(c.network.identityOf(nodeId("b"))).toEqual(second.self);
    expect([second.reaches("c"), second.say("c", "x")]).toEqual([false, "unreachable"]);

    world.advance(SUSPECT_AFTER_MS);
    expect(second.reaches("a", "c") && a.reaches("b") && c.reaches("b")).toBe(true);
    expect(second.fatal).toEqual([]);
    second.say("c", "now");
    world.time.settle();
    expect(c.texts()).toEqual(["now"]);
  });

  it("counts again once a peer that refused it is silent", async () => {
    const world = new World("a", "b", "c");
    const STORED = { storedClusterId: "cluster" };
    const a = await world.start("a", STORED);
    const b = await world.start("b", STORED);
    world.advance(HEARTBEAT_MS);
    const second = await world.start("b", STORED);
    world.kill(b);
    await world.start("c", STORED);
    world.advance(3 * HEARTBEAT_MS);
    expect(second.reaches("c")).toBe(false);
    world.kill(a);
    world.advance(2 * SUSPECT_AFTER_MS);
    expect(second.reaches("c")).toBe(true);
  });

  describe("of a peer that hears nobody any more", () => {
    const B = { storedClusterId: "cluster", storeId: "disk", incarnation: 3, logPosition: 500 };

    /** `a` takes the lost `b` for alive when it hears `second`, and then nothing any more. */
    async function refusedByTheDeaf(second: NodeOptions) {
      const world = new World("a", "b", "c");
      const ears = { areDeaf: false };
      const filter = { incoming: () => (ears.areDeaf ? [] : undefined) };
      const a = await world.start("a", { storedClusterId: "cluster", filter });
      const b = await world.start("b", B);
      world.advance(HEARTBEAT_MS);
      const later = await world.start("b", second);
      world.kill(b);
      world.advance(1);
      // Down all that time, it has not met the first.
      const c = await world.start("c", { storedClusterId: "cluster" });
      world.advance(2 * HEARTBEAT_MS);
      expect(a.network.identityOf(nodeId("b"))).toEqual(b.self);
      expect(c.network.identityOf(nodeId("b"))).toEqual(later.self);
      expect(later.reaches("c")).toBe(false);
      ears.areDeaf = true;
      return { world, ears, a, later };
    }

    it("hold a node off no longer than that peer takes the earlier process for alive", async () => {
      const { world, ears, a, later } = await refusedByTheDeaf({ ...B, storeId: "emptied" });
      world.advance(SUSPECT_AFTER_MS + 2 * HEARTBEAT_MS);
      expect([later.reaches("c"), later.reaches("a"), a.reaches("b")]).toEqual([
        true,
        false,
        false,
      ]);
      ears.areDeaf = false;
      world.advance(2 * HEARTBEAT_MS);
      expect(later.reaches("a", "c") && a.reaches("b")).toBe(true);
      expect(later.reachability).toEqual(["c up", "a up"]);
      expect([...later.fatal, ...later.disowned]).toEqual([]);
    });

    it("go on holding off what is a copy, until that peer can say so", async () => {
      const { world, ears, later } = await refusedByTheDeaf({ ...B, logPosition: 400 });
      world.advance(5 * SUSPECT_AFTER_MS);
      expect([later.reachability, later.disowned]).toEqual([[], []]);
      ears.areDeaf = false;
      world.advance(2 * HEARTBEAT_MS);
      expect(later.disowned.map(({ code }) => code)).toEqual(["DATA_DISOWNED"]);
      expect(later.reachability).toEqual([]);
    });
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
    // It has counted, and the other one has since: its data is not gone on with.
    expect(b.disowned.map(({ code }) => code)).toEqual(["IDENTITY_CONFLICT"]);
    expect([...b.fatal, ...second.fatal, ...second.disowned]).toEqual([]);
    expect(a.identities).toEqual([b.self, second.self]);
  });

  describe("of a copy of the data", () => {
    const B = { storedClusterId: "cluster", storeId: "disk", incarnation: 3, logPosition: 500 };

    /** `a`, which has met `b` as `B` says; `b` is gone. */
    async function metAndGone() {
      const world = new World("a", "b");
      const a = await world.start("a", { storedClusterId: "cluster" });
      const b = await world.start("b", B);
      world.advance(HEARTBEAT_MS);
      world.kill(b);
      world.advance(1);
      return { world, a, b };
    }

    it("that knows less than the store did before: it counts nowhere, and gives itself up", async () => {
      const { world, a } = await metAndGone();
      const copy = await world.start("b", { ...B, incarnation: 4, logPosition: 100 });
      world.advance(HEARTBEAT_MS);
      expect(a.reaches("b")).toBe(false);
      expect(refusalOf(a, "b")).toBe("old-copy");
      const seen = { storeId: "disk", incarnation: 4, logPosition: 100 };
      expect(a.noticesOf("old-copy")).toEqual([{ type: "old-copy", peer: "b", ...seen }]);
      expect(copy.noticesOf("old-copy")).toEqual([
        { type: "old-copy", peer: "b", reportedBy: "a" },
      ]);
      expect(copy.disowned.map(({ code }) => code)).toEqual(["DATA_DISOWNED"]);
      expect(copy.disowned[0]?.message).toContain("older copy");
      expect([...copy.fatal, ...a.fatal, ...a.disowned]).toEqual([]);
    });

    it("while its peer still takes the lost process for alive: nobody else counts it either", async () => {
      const world = new World("a", "b", "c");
      const a = await world.start("a", { storedClusterId: "cluster" });
      const b = await world.start("b", B);
      world.advance(HEARTBEAT_MS);
      const copy = await world.start("b", { ...B, logPosition: 400 });
      world.kill(b);
      world.advance(1);
      // Down all that time, it has not met the store in any state.
      const c = await world.start("c", { storedClusterId: "cluster" });
      world.advance(2 * HEARTBEAT_MS);
      expect(a.network.identityOf(nodeId("b"))).toEqual(b.self);
      // For all that it knows, the copy may be what comes after the one that it has met.
      const said = copy.noticesOf("identity-conflict");
      expect([refusalOf(a, "b"), said, copy.disowned]).toEqual(["identity-taken", [], []]);
      expect(c.network.identityOf(nodeId("b"))).toEqual(copy.self);
      expect([copy.reaches("c"), copy.say("c", "x")]).toEqual([false, "unreachable"]);
      world.advance(SUSPECT_AFTER_MS);
      expect(copy.disowned.map(({ code }) => code)).toEqual(["DATA_DISOWNED"]);
      expect(copy.reachability).toEqual([]);
    });

    it("that was held off, and has written more meanwhile than the store had", async () => {
      const { world, a } = await metAndGone();
      // The data was lost, and another store met in its place; then an old copy is put back.
      const other = await world.start("b", { ...B, storeId: "other", incarnation: 1 });
      world.advance(HEARTBEAT_MS);
      expect(a.network.identityOf(nodeId("b"))).toEqual(other.self);
      const copy = await world.start("b", { ...B, incarnation: 4, logPosition: 400 });
      world.advance(HEARTBEAT_MS);
      expect([a.noticesOf("identity-conflict").length, copy.disowned]).toEqual([1, []]);
      copy.logPosition = 900;
      world.kill(other);
      world.advance(2 * SUSPECT_AFTER_MS);
      expect(a.identities).toHaveLength(2);
      expect(copy.disowned.map(({ code }) => code)).toEqual(["DATA_DISOWNED"]);
    });

    it("that was cut off while it wrote more than the store had", async () => {
      const { world, a } = await metAndGone();
      let isCut = true;
      const filter = { outgoing: () => (isCut ? [] : undefined) };
      const copy = await world.start("b", { ...B, incarnation: 4, logPosition: 499, filter });
      world.advance(HEARTBEAT_MS);
      copy.logPosition = 900;
      isCut = false;
      world.advance(HEARTBEAT_MS);
      expect([a.identities.length, refusalOf(a, "b")]).toEqual([1, "old-copy"]);
      expect(copy.disowned).toHaveLength(1);
    });

    it("is not what a node gets that was accepted, and has written since", async () => {
      const { world, a } = await metAndGone();
      const later = await world.start("b", { ...B, incarnation: 4 });
      world.advance(HEARTBEAT_MS);
      later.logPosition = 900;
      world.advance(HEARTBEAT_MS);
      // What it wrote after it was accepted counts: its data as it was before is a copy now.
      world.kill(later);
      world.advance(1);
      const copy = await world.start("b", { ...B, incarnation: 5, logPosition: 899 });
      world.advance(HEARTBEAT_MS);
      expect([refusalOf(a, "b"), copy.disowned.length]).toEqual(["old-copy", 1]);
      const whole = await world.start("b", { ...B, incarnation: 5, logPosition: 900 });
      world.kill(copy);
      world.advance(HEARTBEAT_MS);
      expect([a.reaches("b"), whole.disowned]).toEqual([true, []]);
    });

    it("whose start is not later than one that was met", async () => {
      for (const incarnation of [2, 3]) {
        const { world, a } = await metAndGone();
        const copy = await world.start("b", { ...B, incarnation });
        world.advance(HEARTBEAT_MS);
        expect([a.reaches("b"), refusalOf(a, "b")]).toEqual([false, "old-copy"]);
        expect(copy.disowned).toHaveLength(1);
      }
    });

    it("is not what a later start that has kept everything gets, nor another store", async () => {
      const { world, a } = await metAndGone();
      const later = await world.start("b", { ...B, incarnation: 4 });
      world.advance(HEARTBEAT_MS);
      expect([a.reaches("b"), later.disowned]).toEqual([true, []]);
      world.kill(later);
      world.advance(1);
      const other = await world.start("b", {
        ...B,
        storeId: "new",
        incarnation: 1,
        logPosition: 0,
      });
      world.advance(HEARTBEAT_MS);
      expect([a.reaches("b"), other.disowned]).toEqual([true, []]);
    });

    it("by a peer that has started anew since, but was told by an earlier start of its own", async () => {
      const { world, a } = await metAndGone();
      world.kill(a);
      world.advance(1);
      const again = await world.start("a", { storedClusterId: "cluster", met: a.met });
      const copy = await world.start("b", { ...B, incarnation: 4, logPosition: 499 });
      world.advance(HEARTBEAT_MS);
      expect([again.reaches("b"), refusalOf(again, "b")]).toEqual([false, "old-copy"]);
      expect(copy.disowned).toHaveLength(1);
    });

    // It knows this start from its own records alone: the process that it met is still alive.
    it("is not what a peer that has started anew says to a node that went on", async () => {
      const world = new World("a", "b");
      const a = await world.start("a", { storedClusterId: "cluster" });
      const b = await world.start("b", B);
      world.advance(HEARTBEAT_MS);
      world.kill(a);
      world.advance(1);
      const again = await world.start("a", { storedClusterId: "cluster", met: a.met });
      world.advance(HEARTBEAT_MS);
      expect([again.reaches("b"), b.disowned]).toEqual([true, []]);
    });

    // What it says to the new start of the peer is what the earlier one has recorded, or more.
    it("nor if it has written since it was met first", async () => {
      const world = new World("a", "b");
      const a = await world.start("a", { storedClusterId: "cluster" });
      const b = await world.start("b", B);
      world.advance(HEARTBEAT_MS);
      b.logPosition = 900;
      world.advance(HEARTBEAT_MS);
      await a.network.close({ timeoutMs: 0 });
      world.kill(a);
      world.advance(1);
      const again = await world.start("a", { storedClusterId: "cluster", met: a.met });
      world.advance(HEARTBEAT_MS);
      expect([again.reaches("b"), b.disowned]).toEqual([true, []]);
    });

    it("is believed of a peer alone that is accepted itself", async () => {
      const { world, a } = await metAndGone();
      // To this one the other belongs to another cluster.
      const foreign = { ...B, incarnation: 4, logPosition: 100, storedClusterId: "other" };
      const copy = await world.start("b", foreign);
      world.advance(5 * SUSPECT_AFTER_MS);
      expect(refusalOf(a, "b")).toBe("cluster-mismatch");
      expect(copy.disowned).toEqual([]);
    });

    it("rests on positions that are recorded seldom, and at the end", async () => {
      const world = new World("a", "b");
      const a = await world.start("a", { storedClusterId: "cluster" });
      const b = await world.start("b", B);
      world.advance(HEARTBEAT_MS);
      expect(a.saves).toEqual(["b"]);
      b.logPosition += 7;
      world.advance(5_000);
      expect(a.saves).toHaveLength(1);
      for (let n = 0; n < 50; n++) {
        b.logPosition += 100;
        world.advance(HEARTBEAT_MS);
      }
      expect(a.saves.length).toBeLessThanOrEqual(1 + 6);
      b.logPosition += 1;
      world.advance(HEARTBEAT_MS);
      await a.network.close({ timeoutMs: 0 });
      world.kill(b);
      world.advance(1);
      const again = await world.start("a", { storedClusterId: "cluster", met: a.met });
      const copy = { ...B, incarnation: 4, logPosition: b.logPosition - 1 };
      const disowned = (await world.start("b", copy)).disowned;
      world.advance(HEARTBEAT_MS);
      expect([disowned.length, again.reaches("b")]).toEqual([1, false]);
    });
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
