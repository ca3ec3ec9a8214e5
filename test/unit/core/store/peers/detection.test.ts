import { describe, expect, it } from "vitest";
import type { FrameFilter } from "../../../../../src/core/store/seams.ts";
import { HEARTBEAT_MS, SUSPECT_AFTER_MS, type TestNode, World } from "./world.ts";

/** Cuts a node off without anybody being told: frames vanish, connections stand. */
class Cut implements FrameFilter {
  active = false;
  outgoing(): readonly number[] | undefined {
    return this.active ? [] : undefined;
  }
  incoming(): readonly number[] | undefined {
    return this.active ? [] : undefined;
  }
}

async function pair(): Promise<{ world: World; a: TestNode; b: TestNode; cut: Cut }> {
  const world = new World("a", "b");
  const cut = new Cut();
  const a = await world.start("a");
  // Apart from a's own ticks, so that suspicion must not depend on them.
  world.advance(37);
  const b = await world.start("b", { filter: cut });
  world.advance(20 * HEARTBEAT_MS);
  return { world, a, b, cut };
}

function silenceOf(node: TestNode): number {
  return node.network.describe().peers[0]?.silentMs ?? 0;
}

describe("failure detection", () => {
  it("suspects a silent peer between four heartbeats and suspectAfter, and trusts it when heard", async () => {
    const { world, a, cut } = await pair();
    const lastHeardMs = world.time.nowMs - silenceOf(a);
    cut.active = true;
    world.advance(3 * HEARTBEAT_MS);
    expect(a.reaches("b")).toBe(true);

    expect(world.runUntil(() => !a.reaches("b"))).toBe(true);
    const silenceMs = world.time.nowMs - lastHeardMs;
    expect(silenceMs).toBeGreaterThanOrEqual(4 * HEARTBEAT_MS);
    expect(silenceMs).toBeLessThan(6 * HEARTBEAT_MS);
    expect(a.say("b", "suspected, but not gone")).toBe("queued");

    cut.active = false;
    world.advance(HEARTBEAT_MS);
    expect(a.reaches("b")).toBe(true);
    expect(a.reachability).toEqual(["b up", "b down", "b up"]);
    expect(a.identities).toHaveLength(1);
  });

  it("suspects an irregular peer later, but at suspectAfter to the millisecond", async () => {
    const world = new World("a", "b");
    const a = await world.start("a");
    world.advance(37);
    let nextMs = 0;
    let sent = 0;
    let cut = false;
    const b = await world.start("b", {
      filter: {
        // Pairs of heartbeats with a gap between, which grows from 300 to 600 ms.
        outgoing: () => {
          if (cut || world.time.nowMs < nextMs) return [];
          if (world.time.nowMs > 0) sent += 1;
          const gap = sent < 20 ? 3 : 6;
          nextMs = world.time.nowMs + (sent % 2 === 0 ? HEARTBEAT_MS : gap * HEARTBEAT_MS);
          return undefined;
        },
      },
    });
    world.advance(200 * HEARTBEAT_MS);
    expect(a.reachability).toEqual(["b up"]);
    expect(b.reaches("a")).toBe(true);

    cut = true;
    world.advance(SUSPECT_AFTER_MS - silenceOf(a) - 1);
    expect(a.reaches("b")).toBe(true);
    world.advance(1);
    expect(a.reaches("b")).toBe(false);
  });

  it("takes a lost connection for unreachable at once", async () => {
    const { world, a, b } = await pair();
    world.kill(b);
    world.time.settle();
    expect(a.reaches("b")).toBe(false);
    expect(a.say("b", "x")).toBe("unreachable");
  });

  it("does not suspect others after it stood still itself", async () => {
    const { world, a, b } = await pair();
    world.time.stall(5 * SUSPECT_AFTER_MS);
    world.advance(3 * HEARTBEAT_MS);
    expect(a.reachability).toEqual(["b up"]);
    expect(b.reachability).toEqual(["a up"]);
  });

  it("does not suspect others while its event loop lags, and does once it trusts itself again", async () => {
    const { world, a, cut } = await pair();
    a.environment.lagMs = SUSPECT_AFTER_MS / 4 + 1;
    cut.active = true;
    world.advance(5 * SUSPECT_AFTER_MS);
    expect(a.reaches("b")).toBe(true);

    a.environment.lagMs = 0;
    world.advance(SUSPECT_AFTER_MS);
    expect(a.reaches("b")).toBe(false);
  });

  it("does not suspect others after the machine was suspended with its monotonic clock", async () => {
    const { world, a, cut } = await pair();
    cut.active = true;
    world.advance(3 * HEARTBEAT_MS);
    a.environment.wallOffsetMs = 3_600_000;
    world.advance(3 * HEARTBEAT_MS);
    expect(a.reaches("b")).toBe(true);
    world.advance(SUSPECT_AFTER_MS);
    expect(a.reaches("b")).toBe(false);
  });

  it("says which side of a broken network the node is on, when that changes", async () => {
    const world = new World("a", "b", "c", "d");
    const cuts = world.names.map(() => new Cut());
    const nodes: TestNode[] = [];
    for (const [at, name] of world.names.entries()) {
      nodes.push(await world.start(name, { filter: cuts[at]! }));
    }
    const a = nodes[0]!;
    expect(a.network.describe().side).toBe("isolated");
    world.advance(HEARTBEAT_MS);
    expect(a.network.describe().side).toBe("majority");

    cuts[3]!.active = true;
    world.advance(2 * SUSPECT_AFTER_MS);
    expect(a.network.describe().side).toBe("majority");
    cuts[2]!.active = true;
    world.advance(2 * SUSPECT_AFTER_MS);
    expect(a.network.describe().side).toBe("minority");
    cuts[1]!.active = true;
    world.advance(2 * SUSPECT_AFTER_MS);
    expect(a.network.describe().side).toBe("isolated");

    const sides = a.noticesOf("side").map(({ side }) => side);
    expect(sides).toEqual(["minority", "majority", "minority", "isolated"]);
    expect(a.noticesOf("side").at(-1)).toEqual({
      type: "side",
      side: "isolated",
      reachable: 1,
      nodes: 4,
    });
  });
});
