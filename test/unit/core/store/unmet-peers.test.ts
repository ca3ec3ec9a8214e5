import { describe, expect, it } from "vitest";
import { unmetPeers } from "../../../../src/core/store/unmet-peers.ts";
import { HEARTBEAT_MS, SUSPECT_AFTER_MS, type TestNode, World } from "./peers/world.ts";

const unmetOf = (node: TestNode, digest = "digest-a") => unmetPeers(node.network, digest);

describe("unmet peers", () => {
  it("are none for a node that reaches all", async () => {
    const world = new World("a", "b", "c");
    const [a] = await world.startAll();
    world.advance(HEARTBEAT_MS);
    expect(unmetOf(a!)).toEqual({ peers: [], causes: [], text: "" });
  });

  it("are those that keep the cluster from being born, not those that wait as well", async () => {
    const world = new World("a", "b", "c");
    const a = await world.start("a");
    await world.start("b");
    world.advance(10 * HEARTBEAT_MS);
    expect(a.born).toEqual([]);
    expect(unmetOf(a)).toEqual({
      peers: ["c"],
      causes: ["not-connected"],
      text: "c is not connected; a new cluster begins once all its nodes have met",
    });
  });

  it("say which configurations disagree", async () => {
    const world = new World("a", "b");
    const a = await world.start("a", { digest: "0123456789abcdef" });
    await world.start("b", { digest: "fedcba9876543210" });
    world.advance(10 * HEARTBEAT_MS);
    expect(unmetOf(a, "0123456789abcdef")).toEqual({
      peers: ["b"],
      causes: ["configuration-mismatch"],
      text: "b is refused (another configuration: digest fedcba98, here 01234567)",
    });
  });

  it("say that a peer belongs to another cluster", async () => {
    const world = new World("a", "b");
    const a = await world.start("a", { storedClusterId: "first" });
    await world.start("b", { storedClusterId: "second" });
    world.advance(10 * HEARTBEAT_MS);
    expect(unmetOf(a)).toMatchObject({
      causes: ["cluster-mismatch"],
      text: "b is refused (its data belongs to another cluster)",
    });
  });

  it("tell one that is connected and says nothing from one that does not answer any more", async () => {
    const world = new World("a", "b");
    let cut = true;
    const filter = { incoming: () => (cut ? [] : undefined) };
    const a = await world.start("a", { filter });
    await world.start("b");
    world.advance(10 * HEARTBEAT_MS);
    expect(unmetOf(a)).toMatchObject({ causes: ["unheard"], text: "b was not heard yet" });
    cut = false;
    world.advance(10 * HEARTBEAT_MS);
    expect(unmetOf(a).peers).toEqual([]);
    cut = true;
    world.advance(4 * SUSPECT_AFTER_MS);
    const { causes, text } = unmetOf(a);
    expect(causes).toEqual(["silent"]);
    expect(text).toMatch(/^b does not answer, last heard \d+ ms ago$/);
  });

  it("name what a node waits for that has met everybody", async () => {
    const world = new World("a", "b", "c");
    const [b] = await Promise.all(
      ["b", "a", "c"].map((name) =>
        world.start(name, name === "a" ? { filter: withoutPeer("c") } : {}),
      ),
    );
    world.advance(10 * HEARTBEAT_MS);
    expect(b!.born).toEqual([]);
    expect(unmetOf(b!)).toEqual({
      peers: [],
      causes: [],
      text: "its peers are met, and none has told the cluster's id yet",
    });
  });
});

function withoutPeer(name: string) {
  const decide = (peer: string) => (peer === name ? [] : undefined);
  return { outgoing: decide, incoming: decide };
}
