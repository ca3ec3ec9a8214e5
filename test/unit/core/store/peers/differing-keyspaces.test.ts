import { describe, expect, it } from "vitest";
import { resolveConfiguration } from "../../../../../src/core/model/configuration.ts";
import { keyspaceHash } from "../../../../../src/core/model/hash.ts";
import type { OwnKeyspaces } from "../../../../../src/core/store/seams.ts";
import {
  ADDRESS,
  HEARTBEAT_MS,
  type NodeOptions,
  nodeId,
  type TestNode,
  textCodec,
  World,
} from "./world.ts";

const STORED = { storedClusterId: "one" };

function given(keyspaces: Readonly<Record<string, object>>, more: NodeOptions = {}): NodeOptions {
  const { digest, outline } = resolveConfiguration({ keyspaces });
  return { ...STORED, digest, outline, ...more };
}

function waiting(...names: string[]): OwnKeyspaces {
  return {
    isWaiting: names.length > 0,
    isPersistent: true,
    leftOutTo: () => ["carts"],
    standing: (name) => (names.includes(name) ? "waiting" : "born"),
  };
}

const OLD = { users: {} };
const NEW = { users: {}, audit: {} };

async function met(ours: NodeOptions, theirs: NodeOptions) {
  const world = new World("a", "b");
  const a = await world.start("a", ours);
  const b = await world.start("b", theirs);
  world.advance(20 * HEARTBEAT_MS);
  return { world, a, b };
}

describe("two nodes of which one has a keyspace that the other lacks", () => {
  it("meet, say so once, and exchange messages of those that both have", async () => {
    const { world, a, b } = await met(given(NEW), given(OLD));
    expect([a.reaches("b"), b.reaches("a")]).toEqual([true, true]);
    expect(a.noticesOf("keyspaces-differ")).toEqual([
      { type: "keyspaces-differ", peer: "b", onlyHere: ["audit"], onlyThere: [] },
    ]);
    expect(b.noticesOf("keyspaces-differ")).toEqual([
      { type: "keyspaces-differ", peer: "a", onlyHere: [], onlyThere: ["audit"] },
    ]);
    const say = (name: string) =>
      a.network.send(
        nodeId("b"),
        "log",
        { ...ADDRESS, keyspaceHash: keyspaceHash(name) },
        textCodec,
        name,
      );
    expect([say("users"), say("audit")]).toEqual(["queued", "unreachable"]);
    world.advance(HEARTBEAT_MS);
    expect(b.texts()).toEqual(["users"]);
    const reaches = (name: string) => a.network.isReachable(nodeId("b"), keyspaceHash(name));
    expect([reaches("users"), reaches("audit")]).toEqual([true, false]);
    expect(a.network.lacks(nodeId("b"), keyspaceHash("audit"))).toBe(true);
    expect(a.network.describe().peers[0]).toMatchObject({ lacking: ["audit"], further: [] });
    expect(b.network.describe().peers[0]).toMatchObject({ lacking: [], further: ["audit"] });
    expect([...a.noticesOf("configuration-mismatch"), ...b.fatal]).toEqual([]);
  });

  it("agree again once the other one has been restarted with it", async () => {
    const { world, a, b } = await met(given(NEW), given(OLD));
    world.kill(b);
    const again = await world.start("b", given(NEW));
    world.advance(2 * HEARTBEAT_MS);
    expect(again.reaches("a")).toBe(true);
    expect(a.network.isReachable(nodeId("b"), keyspaceHash("audit"))).toBe(true);
    expect(a.network.describe().peers[0]?.lacking).toEqual([]);
  });

  it("do not begin a cluster together, and name the keyspace", async () => {
    const none = { storedClusterId: undefined };
    const { a, b } = await met(given(NEW, none), given(OLD, none));
    expect([...a.born, ...b.born]).toEqual([]);
    expect(a.noticesOf("configuration-mismatch")).toMatchObject([
      { peer: "b", differs: ["keyspaces.audit"] },
    ]);
  });

  it("meet though one of them has still to hear of the cluster", async () => {
    const { a, b } = await met(given(NEW), given(OLD, { storedClusterId: undefined }));
    expect([b.born, a.reaches("b")]).toEqual([["empty"], true]);
  });
});

describe("nodes that differ in what both have", () => {
  it.each([
    ["a count", { users: { replicas: 5 } }, ["keyspaces.users.replicas"]],
    ["an option of the strategy", { users: { read: "one" } }, ["keyspaces.users.read"]],
    [
      "several",
      { users: { durability: "memory", strategy: "raft" }, audit: {} },
      ["keyspaces.users.strategy"],
    ],
  ])("refuse each other by name: %s", async (_what, keyspaces, differs) => {
    const { a, b } = await met(given(OLD), given(keyspaces));
    expect([a.reaches("b"), b.reaches("a")]).toEqual([false, false]);
    for (const node of [a, b]) {
      expect(node.noticesOf("configuration-mismatch")).toMatchObject([{ differs }]);
      expect(node.network.describe().peers[0]?.refusedPaths).toEqual(differs);
    }
  });

  it("refuse each other by name: the cluster's own part", async () => {
    const { digest, outline } = resolveConfiguration({
      cluster: { key: "00".repeat(32), nodes: ["local"] },
      keyspaces: OLD,
    });
    const { a } = await met(given(OLD), { ...STORED, digest, outline });
    expect(a.noticesOf("configuration-mismatch")).toMatchObject([{ differs: ["cluster.key"] }]);
  });

  it("refuse each other where one of them cannot say what it was given", async () => {
    const { a } = await met({ ...STORED, digest: "x" }, { ...STORED, digest: "y" });
    const [notice] = a.noticesOf("configuration-mismatch");
    expect([notice?.digest, notice?.differs]).toEqual(["y", undefined]);
  });
});

describe("what a peer says of its keyspaces", () => {
  const standingsOf = (node: { network: { standingsOf(name: string): unknown } }, name: string) =>
    node.network.standingsOf(name);

  it("is that they are there, where neither has anything to tell apart", async () => {
    const { a } = await met(given(NEW), given(NEW));
    expect(standingsOf(a, "audit")).toMatchObject([{ node: "b", standing: "born" }]);
  });

  it("is what it says, once it has heard that one of them waits here", async () => {
    const { a, b } = await met(
      given(NEW, { keyspaces: waiting("audit") }),
      given(NEW, { keyspaces: waiting() }),
    );
    expect(standingsOf(a, "audit")).toMatchObject([{ standing: "born", persistent: true }]);
    expect(standingsOf(b, "audit")).toMatchObject([{ standing: "waiting", persistent: true }]);
    expect(standingsOf(b, "users")).toMatchObject([{ standing: "born" }]);
  });

  it("is whether it ever had one that it lacks now", async () => {
    const { a } = await met(given({ ...NEW, carts: {} }), given(OLD, { keyspaces: waiting() }));
    expect(standingsOf(a, "audit")).toMatchObject([{ standing: "never" }]);
    expect(standingsOf(a, "carts")).toMatchObject([{ standing: "left-out" }]);
  });

  it("is what it says also after it was restarted while one waits here", async () => {
    const theirs = given(NEW, {
      keyspaces: { ...waiting(), standing: () => "born-with-you" },
    });
    const said = new Set<string>();
    const ours: OwnKeyspaces = {
      ...waiting("audit"),
      // Asked for with each hello, and so right after what was heard.
      standing: (name) => {
        const [peer] = a?.network.standingsOf("audit") ?? [];
        if (peer !== undefined && peer.standing !== "unmet") said.add(peer.standing);
        return name === "audit" ? "waiting" : "born";
      },
    };
    const world = new World("a", "b");
    let a: TestNode | undefined;
    a = await world.start("a", given(NEW, { keyspaces: ours }));
    const b = await world.start("b", theirs);
    world.advance(20 * HEARTBEAT_MS);
    world.kill(b);
    await world.start("b", { ...theirs, incarnation: 2, storeId: b.self.storeId });
    world.advance(20 * HEARTBEAT_MS);
    expect([...said]).toEqual(["born-with-you"]);
  });

  it("is not final before it has accepted this very store", async () => {
    const { a } = await met(given(NEW), given(OLD, { keyspaces: waiting() }));
    expect(standingsOf(a, "audit")).toMatchObject([{ standing: "never", acceptsUs: true }]);
    const world = new World("a", "b");
    const b = await world.start("b", given(OLD, { keyspaces: waiting() }));
    const first = await world.start("a", given(NEW, { storeId: "first" }));
    world.advance(5 * HEARTBEAT_MS);
    world.kill(first);
    const second = await world.start("a", given(NEW, { storeId: "second" }));
    world.advance(20 * HEARTBEAT_MS);
    world.kill(second);
    const again = await world.start("a", given(NEW, { storeId: "first", incarnation: 2 }));
    world.advance(20 * HEARTBEAT_MS);
    expect([b.fatal, again.relearning.length]).toEqual([[], 1]);
    expect(standingsOf(again, "audit")).toMatchObject([{ standing: "never", acceptsUs: false }]);
  });

  it("is nothing before it is met", async () => {
    const world = new World("a", "b");
    const a = await world.start("a", given(NEW));
    world.advance(HEARTBEAT_MS);
    expect(standingsOf(a, "audit")).toMatchObject([{ standing: "unmet" }]);
  });
});
