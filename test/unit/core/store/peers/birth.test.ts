import { describe, expect, it } from "vitest";
import { ByteReader, ByteWriter } from "../../../../../src/core/model/bytes.ts";
import {
  FRAME_HEADER_BYTES,
  newFrameHeader,
  patchMessageLength,
  readFrameHeader,
  writeFrameHeader,
  writeMessageHeader,
} from "../../../../../src/core/model/frames.ts";
import type { FrameFilter } from "../../../../../src/core/store/seams.ts";
import { SeededRandom } from "../../../../support/seeded-random.ts";
import { ADDRESS, allMet, HEARTBEAT_MS, lossy, nodeId, type TestNode, World } from "./world.ts";

function clusterIds(nodes: readonly TestNode[]): Set<string | undefined> {
  return new Set(nodes.map(({ clusterId }) => clusterId));
}

const ORDERS = [
  ["a", "b", "c"],
  ["a", "c", "b"],
  ["b", "a", "c"],
  ["b", "c", "a"],
  ["c", "a", "b"],
  ["c", "b", "a"],
];

describe("birth of the cluster", () => {
  it("happens once, whatever the order of starts and although hellos are lost", async () => {
    for (const [seed, order] of ORDERS.entries()) {
      const world = new World("a", "b", "c");
      const nodes: TestNode[] = [];
      for (const name of order) {
        nodes.push(await world.start(name, { filter: lossy(0.4, new SeededRandom(seed)) }));
        world.advance(7 * HEARTBEAT_MS);
      }
      expect(world.runUntil(() => allMet(nodes), 60_000)).toBe(true);
      expect(clusterIds(nodes).size).toBe(1);
      expect(nodes[0]?.clusterId).toMatch(/^[0-9a-f]{32}$/);
      for (const node of nodes) {
        // Lost hellos may cost a node the news that it is a founder; `empty` is then the safe word.
        expect(node.born).toHaveLength(1);
        expect(["newborn", "empty"]).toContain(node.born[0]);
        expect(node.savedClusterIds).toEqual([node.clusterId]);
      }
      expect(nodes.find(({ self }) => self.node === "a")?.born).toEqual(["newborn"]);
    }
  });

  it("makes every founder newborn when no frame is lost", async () => {
    const world = new World("a", "b", "c");
    const nodes = await world.startAll();
    world.advance(1);
    expect(nodes.map(({ born }) => born)).toEqual([["newborn"], ["newborn"], ["newborn"]]);
  });

  it("waits for every configured node", async () => {
    const world = new World("a", "b", "c");
    const a = await world.start("a");
    const b = await world.start("b");
    world.advance(60_000);
    expect([...a.born, ...b.born]).toEqual([]);
    expect(a.say("b", "too early")).toBe("unreachable");

    const c = await world.start("c");
    world.advance(1);
    expect([a, b, c].map(({ born }) => born)).toEqual([["newborn"], ["newborn"], ["newborn"]]);
    expect(allMet([a, b, c])).toBe(true);
  });

  it("makes a founder newborn that hears of the birth late, and from another than the minter", async () => {
    const world = new World("a", "b", "c");
    let born = false;
    // From the moment of the birth on, c hears nothing of a.
    const filter: FrameFilter = { incoming: (from) => (born && from === "a" ? [] : undefined) };
    const c = await world.start("c", { filter });
    world.advance(HEARTBEAT_MS);
    const b = await world.start("b");
    world.advance(HEARTBEAT_MS);
    const a = await world.start("a", {
      filter: {
        outgoing: () => {
          born ||= a.born.length > 0;
          return undefined;
        },
      },
    });
    world.advance(5 * HEARTBEAT_MS);
    expect([a.born, b.born, c.born]).toEqual([["newborn"], ["newborn"], ["newborn"]]);
    expect(c.reaches("a")).toBe(false);
  });

  it("lets a late node with an empty store join as empty", async () => {
    const world = new World("a", "b", "c");
    const nodes = await world.startAll();
    world.advance(1);
    world.kill(nodes[2]!);
    world.advance(1);
    const late = await world.start("c");
    world.advance(1);
    expect(late.born).toEqual(["empty"]);
    expect(late.clusterId).toBe(nodes[0]!.clusterId);
    expect(late.reaches("a", "b")).toBe(true);
  });

  it("joins as empty, after a while, where nobody remembers the founders", async () => {
    const world = new World("a", "b");
    const a = await world.start("a", { storedClusterId: "kept-since-long" });
    expect(a.born).toEqual(["kept"]);
    expect(a.savedClusterIds).toEqual([]);
    const b = await world.start("b");
    world.advance(HEARTBEAT_MS);
    expect(b.born).toEqual([]);
    world.advance(3 * HEARTBEAT_MS);
    expect(b.born).toEqual(["empty"]);
    expect(b.savedClusterIds).toEqual(["kept-since-long"]);
    expect(b.reaches("a")).toBe(true);
  });

  it("never makes a second cluster when the minter comes back empty", async () => {
    const world = new World("a", "b", "c");
    const [a, b, c] = await world.startAll();
    world.advance(1);
    const id = b!.clusterId;
    world.kill(a!);
    world.advance(1);
    const again = await world.start("a");
    world.advance(1);
    expect(again.born).toEqual(["empty"]);
    expect(clusterIds([again, b!, c!])).toEqual(new Set([id]));
  });

  it("is born anew when every node restarts empty", async () => {
    const world = new World("a", "b", "c");
    const first = await world.startAll();
    world.advance(1);
    for (const node of first) world.kill(node);
    world.advance(10);
    const second = await world.startAll();
    world.advance(1);
    expect(second.map(({ born }) => born)).toEqual([["newborn"], ["newborn"], ["newborn"]]);
    expect(clusterIds(second).size).toBe(1);
    expect(second[0]!.clusterId).not.toBe(first[0]!.clusterId);
  });

  it("comes before any message is delivered", async () => {
    const world = new World("a", "b");
    const a = await world.start("a");
    const b = await world.start("b", { storedClusterId: "kept-since-long" });
    world.advance(1);
    expect(a.network.identityOf(nodeId("b"))).toEqual(b.self);
    expect(a.born).toEqual([]);

    const header = newFrameHeader();
    readFrameHeader(new ByteReader(b.transport.sent.at(-1)!.frame), header);
    const writer = new ByteWriter();
    const { clusterTag, senderTag, receiverTag } = header;
    writeFrameHeader(writer, "messages", clusterTag, senderTag, receiverTag);
    writeMessageHeader(writer, ADDRESS.role, ADDRESS.keyspaceHash, ADDRESS.shardIndex);
    writer.string("early");
    patchMessageLength(writer, FRAME_HEADER_BYTES);
    const deliver = () => a.transport.handlers?.onFrame(nodeId("b"), writer.copy(), "log");
    deliver();
    expect(a.messages).toEqual([]);
    world.advance(4 * HEARTBEAT_MS);
    expect(a.born).toEqual(["empty"]);
    deliver();
    expect(a.texts()).toEqual(["early"]);
  });

  it("tells the id to nobody, and serves nothing under it, before it is durable", async () => {
    const world = new World("a", "b");
    const a = await world.start("a", { saveMs: 300 });
    const b = await world.start("b", { saveMs: 1_000 });
    world.advance(250);
    expect(a.savedClusterIds).toHaveLength(1);
    expect([a.born, a.clusterId, b.savedClusterIds]).toEqual([[], undefined, []]);
    world.advance(200);
    expect([a.born, b.savedClusterIds]).toEqual([["newborn"], [a.clusterId]]);
    world.advance(500);
    // b hears of it with every heartbeat, and writes it down once.
    expect([b.born, b.clusterId, a.say("b", "too early")]).toEqual([[], undefined, "unreachable"]);
    expect(b.savedClusterIds).toHaveLength(1);
    world.advance(500);
    expect([a.born, b.born]).toEqual([["newborn"], ["newborn"]]);
    expect(allMet([a, b])).toBe(true);
  });

  it("makes a founder that has lost what it held empty, not newborn", async () => {
    const world = new World("a", "b");
    const a = await world.start("a", { isUnused: false });
    const b = await world.start("b", { isUnused: false });
    world.advance(HEARTBEAT_MS);
    expect([a.born, b.born]).toEqual([["empty"], ["empty"]]);
    const alone = await new World("a").start("a", { isUnused: false });
    expect(alone.born).toEqual(["empty"]);
  });

  it("is immediate for a node alone, which then needs no timers", async () => {
    const world = new World("a");
    const a = await world.start("a");
    expect(a.born).toEqual(["newborn"]);
    expect(a.network.describe().side).toBe("majority");
    expect(world.time.pendingTimers).toBe(0);
  });
});
