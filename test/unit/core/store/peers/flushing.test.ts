import { describe, expect, it } from "vitest";
import { nodeId, World } from "./world.ts";

async function met(options?: { readonly isPersistent: boolean }) {
  const world = new World("a", "b");
  const [a, b] = await world.startAll(options);
  world.advance(1);
  const frames = () => a!.transport.sent.filter(({ lane }) => lane !== "control").length;
  return { world, a: a!, b: b!, frames };
}

describe("flushing", () => {
  it("sends nothing before the turn's end, and one frame then", async () => {
    const { world, a, b, frames } = await met();
    for (let n = 0; n < 64; n += 1) a.say("b", `${n}`);
    expect(frames()).toBe(0);
    a.network.flush();
    expect(frames()).toBe(1);
    world.time.settle();
    expect(frames()).toBe(1);
    expect(b.texts()).toEqual(Array.from({ length: 64 }, (_, n) => `${n}`));
    expect(b.turnEnds).toBe(1);
  });

  it.each([
    ["hands over the first 6 KiB of a turn at once", false, 1, 2],
    ["keeps a turn together where a peer would begin a sync with its first part", true, 0, 1],
  ])("%s", async (_what, isPersistent, early, inAll) => {
    const { a, frames } = await met({ isPersistent });
    for (let n = 0; n < 64; n += 1) a.say("b", "x".repeat(150));
    expect(frames()).toBe(early);
    a.network.flush();
    expect(frames()).toBe(inAll);
  });

  it("flushes by itself at the end of the turn when nobody did", async () => {
    const { world, a, frames } = await met();
    a.say("b", "one");
    world.time.settle();
    expect(frames()).toBe(1);
    a.say("b", "two");
    a.say("b", "three");
    world.time.settle();
    expect(frames()).toBe(2);
  });

  it("sends what waited when the transport becomes writable, or replaces the connection", async () => {
    const { world, a, b } = await met();
    a.transport.result = "saturated";
    a.say("b", "one");
    a.network.flush();
    expect(a.network.describe().peers[0]?.bufferedBytes).toBeGreaterThan(0);
    a.transport.result = "accepted";
    a.transport.handlers?.onWritable(nodeId("b"), "log");
    world.time.settle();
    expect(b.texts()).toEqual(["one"]);

    a.transport.result = "saturated";
    a.say("b", "two");
    a.network.flush();
    a.transport.result = "accepted";
    a.transport.handlers?.onPeer(nodeId("b"), "connected");
    world.time.settle();
    expect(b.texts()).toEqual(["one", "two"]);
    expect(a.network.describe().peers[0]?.bufferedBytes).toBe(0);
  });
});
