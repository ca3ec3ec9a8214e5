import { describe, expect, it } from "vitest";
import { ByteReader } from "../../../../../src/core/model/bytes.ts";
import { newFrameHeader, readFrameHeader } from "../../../../../src/core/model/frames.ts";
import { SeededRandom } from "../../../../support/seeded-random.ts";
import { BusTransport } from "./bus.ts";
import { HEARTBEAT_MS, lossy, nodeId, SUSPECT_AFTER_MS, type TestNode, World } from "./world.ts";

const STORED = { storedClusterId: "cluster" };
const B = nodeId("b");
/** Of the greeter: how long a session that answers waits for one that does not. */
const PATIENCE_MS = 3 * SUSPECT_AFTER_MS;

/** Nobody is told when a process goes, as with a broker in between. */
function quiet(world: World, node: string): void {
  void new BusTransport(world.bus, nodeId(node)).start({
    onFrame: () => undefined,
    onPeer: () => undefined,
    onWritable: () => undefined,
    onFailed: () => undefined,
  });
}

/** What this life of `b` has sent to `to`, in its order. */
function framesTo(life: TestNode, to: string): readonly Uint8Array[] {
  return life.transport.sent.filter(({ peer }) => peer === nodeId(to)).map(({ frame }) => frame);
}

/** The session that a frame names as its receiver; 0 if none was heard. */
function namedBy(frame: Uint8Array): number {
  const header = newFrameHeader();
  readFrameHeader(new ByteReader(frame), header);
  return header.receiverTag;
}

function deliver(to: TestNode, frames: readonly Uint8Array[]): void {
  for (const frame of frames) to.transport.handlers?.onFrame(B, frame, "control");
}

/** `a`, which hears `b` only while `hears` is true. */
async function halfDeaf(...names: string[]) {
  const world = new World("a", "b", ...names);
  quiet(world, "b");
  const ears = { hears: true };
  const filter = { incoming: () => (ears.hears ? undefined : []) };
  const a = await world.start("a", { ...STORED, filter });
  return { world, a, ears };
}

function expectUnharmed(...lives: TestNode[]): void {
  expect(lives.flatMap(({ fatal, disowned }) => [...fatal, ...disowned])).toEqual([]);
}

describe("a node that was started again", () => {
  it("is not stopped by a peer that suspects nobody, as it distrusts its own event loop", async () => {
    const { world, a } = await halfDeaf();
    const first = await world.start("b", STORED);
    world.advance(HEARTBEAT_MS);
    a.environment.lagMs = SUSPECT_AFTER_MS;
    world.kill(first);
    const second = await world.start("b", STORED);
    world.advance(SUSPECT_AFTER_MS);
    expect(a.network.identityOf(B)).toEqual(first.self);
    expect(a.network.describe().peers[0]?.refusal).toBe("identity-taken");
    expect([second.reaches("a"), a.noticesOf("identity-conflict")]).toEqual([false, []]);

    world.advance(PATIENCE_MS);
    expectUnharmed(second);
    expect(a.reaches("b") && second.reaches("a")).toBe(true);
    expect(a.identities).toEqual([first.self, second.self]);
  });

  it("is not stopped while frames of its earlier life are still coming", async () => {
    const { world, a, ears } = await halfDeaf();
    const first = await world.start("b", STORED);
    world.advance(HEARTBEAT_MS);
    ears.hears = false;
    const heardBefore = framesTo(first, "a").length;
    world.advance(8 * SUSPECT_AFTER_MS);
    a.environment.lagMs = SUSPECT_AFTER_MS;
    world.kill(first);
    ears.hears = true;
    const second = await world.start("b", STORED);
    const late = framesTo(first, "a").slice(heardBefore);
    expect(late.length * HEARTBEAT_MS).toBeGreaterThan(2 * PATIENCE_MS);
    for (const frame of late) {
      deliver(a, [frame]);
      world.advance(HEARTBEAT_MS);
    }
    expectUnharmed(second);
    expect(a.reaches("b") && second.reaches("a")).toBe(true);
    expect([a.noticesOf("identity-conflict"), a.noticesOf("old-copy")]).toEqual([[], []]);
  });

  it.each([0, 1])(
    "also if it was emptied again in between (heard of that life: %i)",
    async (met) => {
      const { world, a, ears } = await halfDeaf();
      const first = await world.start("b", STORED);
      world.advance(HEARTBEAT_MS);
      world.kill(first);
      ears.hears = false;
      // It hears its peer, and names it, but is not heard.
      const second = await world.start("b", STORED);
      world.advance(2 * SUSPECT_AFTER_MS);
      world.kill(second);
      const late = framesTo(second, "a");
      const third = await world.start("b", STORED);
      ears.hears = true;
      if (met === 1) deliver(a, late);
      world.advance(2 * SUSPECT_AFTER_MS);
      expect(a.network.identityOf(B)).toEqual(third.self);
      const identities = a.identities.length;

      // The living one is cut off until it is suspected; then the dead one's hellos come, again.
      ears.hears = false;
      world.advance(2 * SUSPECT_AFTER_MS);
      expect(a.reaches("b")).toBe(false);
      deliver(a, late);
      ears.hears = true;
      world.advance(HEARTBEAT_MS);
      deliver(a, late);
      world.advance(5 * SUSPECT_AFTER_MS);
      expectUnharmed(third);
      expect(a.identities).toHaveLength(identities);
      expect(a.reaches("b") && third.reaches("a")).toBe(true);
      expect([a.noticesOf("identity-conflict"), a.noticesOf("old-copy")]).toEqual([[], []]);
    },
  );

  it.each(["before", "while", "after"])(
    "twice, with what the life in between said heard %s the last one is met",
    async (when) => {
      const { world, a, ears } = await halfDeaf();
      const data = (incarnation: number) => ({
        ...STORED,
        ...{ storeId: "disk", incarnation, logPosition: 100 * incarnation },
      });
      const first = await world.start("b", data(1));
      world.advance(HEARTBEAT_MS);
      world.kill(first);
      ears.hears = false;
      const second = await world.start("b", data(2));
      world.advance(SUSPECT_AFTER_MS / 2);
      world.kill(second);
      const late = framesTo(second, "a");
      ears.hears = true;
      if (when === "before") deliver(a, late);
      const third = await world.start("b", data(3));
      if (when === "while") deliver(a, late);
      world.advance(HEARTBEAT_MS);
      if (when === "after") deliver(a, late);
      world.advance(5 * SUSPECT_AFTER_MS);
      expectUnharmed(third);
      expect(a.network.identityOf(B)).toEqual(third.self);
      expect(a.reaches("b") && third.reaches("a")).toBe(true);
    },
  );

  it("is met by a peer that was cut off through all its lives", async () => {
    const { world, a, ears } = await halfDeaf("c");
    const c = await world.start("c", STORED);
    const lives = [await world.start("b", STORED)];
    world.advance(HEARTBEAT_MS);
    ears.hears = false;
    for (let life = 0; life < 3; life += 1) {
      world.kill(lives.at(-1)!);
      lives.push(await world.start("b", STORED));
      world.advance(2 * SUSPECT_AFTER_MS);
      expect(c.network.identityOf(B)).toEqual(lives.at(-1)!.self);
    }
    ears.hears = true;
    for (const life of lives) deliver(a, framesTo(life, "a"));
    world.advance(5 * SUSPECT_AFTER_MS);
    expectUnharmed(...lives);
    expect(lives.at(-1)!.reaches("a", "c") && a.reaches("b") && c.reaches("b")).toBe(true);
    expect([...a.noticesOf("identity-conflict"), ...c.noticesOf("identity-conflict")]).toEqual([]);
  });

  it("does not mind what a peer's earlier life said of it", async () => {
    const world = new World("a", "b");
    for (const node of world.names) quiet(world, node);
    const a = await world.start("a", STORED);
    const first = await world.start("b", STORED);
    world.advance(HEARTBEAT_MS);
    a.environment.lagMs = SUSPECT_AFTER_MS;
    world.kill(first);
    const second = await world.start("b", STORED);
    world.advance(SUSPECT_AFTER_MS);
    const refusals = a.transport.sent.map(({ frame }) => frame).slice(-5);
    world.kill(a);
    const again = await world.start("a", { ...STORED, met: a.met });
    world.advance(3 * SUSPECT_AFTER_MS);
    expect(second.reaches("a") && again.reaches("b")).toBe(true);
    const { reachability } = second;
    const changes = reachability.length;
    for (const frame of refusals) {
      second.transport.handlers?.onFrame(nodeId("a"), frame, "control");
      expect(second.reaches("a")).toBe(true);
    }
    world.advance(HEARTBEAT_MS);
    expect(reachability).toHaveLength(changes);
    expectUnharmed(second, again);
  });

  it("leaves nothing with a peer that its hellos did not name: a copy of it is met", async () => {
    const { world, a, ears } = await halfDeaf();
    const data = (incarnation: number, logPosition: number) => ({
      ...STORED,
      ...{ storeId: "disk", incarnation, logPosition },
    });
    const first = await world.start("b", data(1, 106));
    world.advance(HEARTBEAT_MS);
    world.kill(first);
    // The peer hangs: it is said nothing that answers it, and finds all of it when it goes on.
    ears.hears = false;
    const second = await world.start("b", data(2, 149));
    world.advance(1);
    const unnamed = framesTo(second, "a").slice(0, 1);
    expect(unnamed.map(namedBy)).toEqual([0]);
    world.kill(second);
    ears.hears = true;
    deliver(a, unnamed);
    expect([a.noticesOf("old-copy"), a.identities]).toEqual([[], [first.self]]);

    const copy = await world.start("b", data(2, 108));
    world.advance(2 * SUSPECT_AFTER_MS);
    expectUnharmed(copy);
    expect(a.identities.map(({ incarnation }) => incarnation)).toEqual([1, 2]);
    expect(a.reaches("b") && copy.reaches("a")).toBe(true);
  });

  it("is known for a copy of itself if a hello of its later life had named the peer", async () => {
    const { world, a } = await halfDeaf();
    const data = (logPosition: number) => ({
      ...STORED,
      ...{ storeId: "disk", incarnation: 2, logPosition },
    });
    const later = await world.start("b", data(149));
    world.advance(HEARTBEAT_MS);
    world.kill(later);
    const copy = await world.start("b", data(108));
    world.advance(5 * SUSPECT_AFTER_MS);
    expect(a.identities).toEqual([later.self]);
    expect(copy.disowned.map(({ code }) => code)).toEqual(["DATA_DISOWNED"]);
  });

  it("is met although its clock went back", async () => {
    const { world, a } = await halfDeaf();
    const first = await world.start("b", { ...STORED, storeId: "disk", incarnation: 7 });
    world.advance(HEARTBEAT_MS);
    world.kill(first);
    const second = await world.start("b", { ...STORED, storeId: "disk", incarnation: 8 });
    second.environment.wallOffsetMs = -3_600_000;
    world.advance(HEARTBEAT_MS);
    expect(a.network.identityOf(B)).toEqual(second.self);
    world.kill(second);
    const emptied = await world.start("b", STORED);
    emptied.environment.wallOffsetMs = -7_200_000;
    world.advance(2 * SUSPECT_AFTER_MS);
    expect(a.network.identityOf(B)).toEqual(emptied.self);
    expect(a.reaches("b") && emptied.reaches("a")).toBe(true);
    expectUnharmed(second, emptied);
  });
});

describe("two live processes with one node id", () => {
  async function expectOneStopped(world: World, a: TestNode): Promise<void> {
    const holder = await world.start("b", STORED);
    expect(world.runUntil(() => a.reaches("b"))).toBe(true);
    const second = await world.start("b", STORED);
    expect(world.runUntil(() => second.fatal.length > 0)).toBe(true);
    expect(second.fatal.map(({ code }) => code)).toEqual(["IDENTITY_CONFLICT"]);
    expectUnharmed(holder);
    expect(a.identities).toEqual([holder.self]);
    expect(a.noticesOf("identity-conflict")).toHaveLength(1);
  }

  it.each([1, 2, 3])(
    "are recognised although a fifth of the frames is lost each way (seed %i)",
    async (seed) => {
      const world = new World("a", "b");
      const filter = lossy(0.2, new SeededRandom(seed));
      await expectOneStopped(world, await world.start("a", { ...STORED, filter }));
    },
  );

  it("are recognised by a peer that suspects nobody", async () => {
    const world = new World("a", "b");
    const a = await world.start("a", STORED);
    a.environment.lagMs = SUSPECT_AFTER_MS;
    await expectOneStopped(world, a);
  });

  it("are recognised if there are three", async () => {
    const world = new World("a", "b");
    const a = await world.start("a", STORED);
    const lives = [await world.start("b", STORED)];
    world.advance(HEARTBEAT_MS);
    lives.push(await world.start("b", STORED), await world.start("b", STORED));
    world.advance(2 * PATIENCE_MS);
    const codes = lives.map(({ fatal }) => fatal.map(({ code }) => code));
    expect(codes).toEqual([[], ["IDENTITY_CONFLICT"], ["IDENTITY_CONFLICT"]]);
    expect(a.identities).toEqual([lives[0]!.self]);
  });
});
