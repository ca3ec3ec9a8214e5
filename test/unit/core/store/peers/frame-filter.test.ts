import { describe, expect, it } from "vitest";
import type { FrameFilter } from "../../../../../src/core/store/seams.ts";
import { World } from "./world.ts";

type Verdict = readonly number[] | undefined;

async function metWith(direction: keyof FrameFilter) {
  const world = new World("a", "b");
  let verdict: Verdict;
  const seen: unknown[][] = [];
  const decide = (peer: string, lane: string, bytes: number): Verdict => {
    seen.push([peer, lane, bytes]);
    return lane === "control" ? undefined : verdict;
  };
  const a = await world.start(
    "a",
    direction === "outgoing" ? { filter: { outgoing: decide } } : {},
  );
  const b = await world.start(
    "b",
    direction === "incoming" ? { filter: { incoming: decide } } : {},
  );
  world.advance(1);
  const say = (text: string, next: Verdict): void => {
    verdict = next;
    a.say("b", text);
    world.time.settle();
  };
  return { world, b, say, seen };
}

describe.each(["outgoing", "incoming"] as const)("frame filter, %s", (direction) => {
  it("lets pass, drops, delays and doubles frames", async () => {
    const { world, b, say } = await metWith(direction);
    say("passed", undefined);
    say("now", [0]);
    say("dropped", []);
    say("late", [50]);
    const dropped = b.framesDropped;
    say("doubled", [0, 20]);
    expect(b.texts()).toEqual(["passed", "now", "doubled"]);
    world.advance(20);
    // It came twice, and was taken once.
    expect(b.texts()).toEqual(["passed", "now", "doubled"]);
    expect(b.framesDropped).toBe(dropped + 1);
    world.advance(30);
    expect(b.texts()).toEqual(["passed", "now", "doubled", "late"]);
  });

  it("is asked with the peer, the lane and the frame's size, also for hellos", async () => {
    const { say, seen } = await metWith(direction);
    expect(seen.every(([, lane]) => lane === "control")).toBe(true);
    expect(seen.length).toBeGreaterThan(0);
    say("x", undefined);
    const peer = direction === "outgoing" ? "b" : "a";
    // 18 bytes of header, 11 of the message's, 2 of the text's length and 1 of text.
    expect(seen.at(-1)).toEqual([peer, "log", 32]);
  });

  it("forgets delayed frames when the network closes", async () => {
    const { world, b, say } = await metWith(direction);
    say("late", [50]);
    await b.network.close({ timeoutMs: 0 });
    world.advance(100);
    expect(b.texts()).toEqual([]);
  });
});
