import { describe, expect, it } from "vitest";
import { HEARTBEAT_MS, nodeId, SUSPECT_AFTER_MS, type TestNode, World } from "./world.ts";

function refusalOf(node: TestNode, peer: string): string | undefined {
  return node.network.describe().peers.find((one) => one.node === peer)?.refusal;
}

describe("the refusal of a store that another one has followed", () => {
  const STORED = { storedClusterId: "cluster" };
  const FIRST = { ...STORED, storeId: "first", incarnation: 3, logPosition: 500 };
  const SECOND = { ...STORED, storeId: "second", incarnation: 1, logPosition: 7 };

  /** `a` has met both stores of `b`; the first one is back, with all that it had. */
  async function back(...names: string[]) {
    const world = new World("a", "b", ...names);
    const a = await world.start("a", STORED);
    for (const data of [FIRST, SECOND]) {
      const b = await world.start("b", data);
      world.advance(HEARTBEAT_MS);
      expect(a.reaches("b")).toBe(true);
      world.kill(b);
      world.advance(1);
    }
    const again = { ...FIRST, incarnation: 4 };
    return { world, a, again, b: await world.start("b", again) };
  }

  it("lasts until it counts nowhere before it has learned again, and costs no data", async () => {
    const { world, a, b } = await back();
    world.advance(5 * SUSPECT_AFTER_MS);
    expect([a.reaches("b"), refusalOf(a, "b"), b.reaches("a")]).toEqual([false, "followed", false]);
    // It is told again with every heartbeat, and asked once.
    expect(b.relearning).toHaveLength(1);
    b.relearning[0]?.();
    world.advance(1);
    expect([a.reaches("b"), b.reaches("a")]).toEqual([true, true]);
    expect([...b.fatal, ...b.disowned]).toEqual([]);
    expect(a.identities.map(({ storeId }) => storeId)).toEqual(["first", "second", "first"]);
  });

  it("keeps it from counting with others, who do not know", async () => {
    const { world, b } = await back("c");
    const c = await world.start("c", STORED);
    world.advance(2 * HEARTBEAT_MS);
    expect(c.network.identityOf(nodeId("b"))).toEqual(b.self);
    expect([b.reaches("c"), b.say("c", "x")]).toEqual([false, "unreachable"]);
    b.relearning[0]?.();
    world.advance(HEARTBEAT_MS);
    expect(b.reaches("a", "c")).toBe(true);
  });

  it("ends with the learning, though who refused hears nothing of it, as long as it lasts", async () => {
    const world = new World("a", "b", "c");
    let isDeaf = false;
    const filter = { incoming: () => (isDeaf ? [] : undefined) };
    const a = await world.start("a", { ...STORED, filter });
    for (const data of [FIRST, SECOND]) {
      const b = await world.start("b", data);
      world.advance(HEARTBEAT_MS);
      world.kill(b);
      world.advance(1);
    }
    const c = await world.start("c", STORED);
    const b = await world.start("b", { ...FIRST, incarnation: 4 });
    world.advance(2 * HEARTBEAT_MS);
    isDeaf = true;
    world.advance(5 * SUSPECT_AFTER_MS);
    // It counts nowhere before that, whoever else has accepted it.
    expect([b.relearning.length, b.reachability, refusalOf(a, "b")]).toEqual([1, [], "followed"]);
    b.relearning[0]?.();
    expect(b.reachability).toEqual(["c up"]);
    world.advance(5 * SUSPECT_AFTER_MS);
    expect([b.reachability, c.reaches("b"), a.reaches("b")]).toEqual([["c up"], true, false]);
    expect(b.say("c", "x")).toBe("queued");
    isDeaf = false;
    world.advance(2 * HEARTBEAT_MS);
    expect(b.reaches("a", "c") && a.reaches("b")).toBe(true);
    expect([b.relearning.length, ...b.fatal, ...b.disowned]).toEqual([1]);
  });

  it("holds for its next start, too, if it ended before", async () => {
    const { world, a, again, b } = await back();
    world.advance(HEARTBEAT_MS);
    world.kill(b);
    world.advance(1);
    const next = await world.start("b", { ...again, incarnation: 5 });
    world.advance(HEARTBEAT_MS);
    expect([refusalOf(a, "b"), next.relearning.length]).toEqual(["followed", 1]);
  });

  it("is over once it was taken in; the one in between has been followed then", async () => {
    const { world, a, again, b } = await back();
    world.advance(HEARTBEAT_MS);
    b.relearning[0]?.();
    world.advance(HEARTBEAT_MS);
    world.kill(b);
    world.advance(1);
    const next = await world.start("b", { ...again, incarnation: 5 });
    world.advance(HEARTBEAT_MS);
    expect([a.reaches("b"), next.relearning]).toEqual([true, []]);
    world.kill(next);
    world.advance(1);
    const second = await world.start("b", { ...SECOND, incarnation: 2 });
    world.advance(HEARTBEAT_MS);
    expect([refusalOf(a, "b"), second.relearning.length]).toEqual(["followed", 1]);
  });

  describe("by each of two, of which each has met what followed the other", () => {
    async function mutual() {
      const ears = { areDeaf: false };
      const filter = { incoming: () => (ears.areDeaf ? [] : undefined) };
      const { world, a, again, b: before } = await back("c");
      world.advance(HEARTBEAT_MS);
      world.kill(before);
      world.advance(1);
      const b = await world.start("b", { ...again, incarnation: 5, filter });
      world.advance(HEARTBEAT_MS);
      world.kill(a);
      world.advance(1);
      // The one that it meets now is not the one that `b` met last.
      const other = await world.start("a", { ...STORED, storeId: "a-second" });
      world.advance(HEARTBEAT_MS);
      expect(b.network.identityOf(nodeId("a"))).toEqual(other.self);
      world.kill(other);
      world.advance(1);
      const data = { storeId: a.self.storeId, incarnation: 2, met: a.met };
      const first = await world.start("a", { ...STORED, ...data });
      world.advance(HEARTBEAT_MS);
      expect([refusalOf(first, "b"), refusalOf(b, "a")]).toEqual(["followed", "followed"]);
      return { world, ears, first, b };
    }

    it("does not keep them apart", async () => {
      const { world, first, b } = await mutual();
      for (const each of [first, b]) each.relearning[0]?.();
      world.advance(HEARTBEAT_MS);
      expect([first.reaches("b"), b.reaches("a")]).toEqual([true, true]);
    });

    it("keeps neither from the others once both have learned, though one hears nothing", async () => {
      const { world, ears, first, b } = await mutual();
      const c = await world.start("c", STORED);
      world.advance(HEARTBEAT_MS);
      ears.areDeaf = true;
      b.relearning[0]?.();
      world.advance(HEARTBEAT_MS);
      // Taken in by now, its word counts, and holds as long as there is something to learn.
      expect(first.network.identityOf(nodeId("b"))).toEqual(b.self);
      expect([first.reaches("c"), c.reaches("b")]).toEqual([false, true]);
      first.relearning[0]?.();
      world.advance(HEARTBEAT_MS);
      expect([first.reaches("c"), first.reaches("b"), refusalOf(b, "a")]).toEqual([
        ...[true, false],
        "followed",
      ]);
      ears.areDeaf = false;
      world.advance(2 * HEARTBEAT_MS);
      expect([first.reaches("b", "c"), b.reaches("a", "c")]).toEqual([true, true]);
    });
  });

  it("comes after that of an older copy of it", async () => {
    const { world, a, again, b } = await back();
    world.kill(b);
    world.advance(1);
    const copy = await world.start("b", { ...again, logPosition: 499 });
    world.advance(HEARTBEAT_MS);
    expect([refusalOf(a, "b"), copy.disowned.length, copy.relearning]).toEqual([
      ...["old-copy", 1],
      [],
    ]);
  });
});
