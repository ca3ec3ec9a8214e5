import { describe, expect, test } from "vitest";
import type { NodeId } from "../../../../../src/core/model/ids.ts";
import type { PlaceChange } from "../../../../../src/strategies/leaderless/place/place-change.ts";
import { SeededRandom } from "../../../../support/seeded-random.ts";
import { PlaceWorld } from "./place-world.ts";

function worldOf(seed = 1, loss = 0): PlaceWorld {
  return new PlaceWorld(new SeededRandom(seed), loss);
}

describe("a change of a shard's replicas", () => {
  test("goes from the old ones over pending and switching to the new ones", () => {
    const world = worldOf();
    const change = world.begin("a", ["b", "c", "d"]);
    for (let n = 0; n < 4; n++) world.round(change);
    expect(change.map).toMatchObject({ epoch: 2, replicas: ["a", "b", "c"] });
    expect(change.map.pending).toEqual(["b", "c", "d"]);
    expect(world.copy("d").place.map.epoch).toBe(2);
    for (let n = 0; n < 4; n++) world.round(change);
    expect(change.map.epoch).toBe(2);
    world.stream();
    for (let n = 0; n < 3; n++) world.round(change);
    expect(change.map).toEqual({
      epoch: 3,
      replicas: ["b", "c", "d"],
      leaving: ["a", "b", "c"],
    });
    for (let n = 0; n < 3; n++) world.round(change);
    expect(change.outcome).toBe("done");
    expect(change.map).toEqual({ epoch: 4, replicas: ["b", "c", "d"] });
  });

  test("waits with the switch until enough old replicas have the pending map", () => {
    const world = worldOf();
    const change = world.begin("a", ["d", "e", "b"]);
    for (let n = 0; n < 3; n++) world.round(change);
    expect(change.map.epoch).toBe(2);
    world.stream();
    // Of the old ones only one is heard.
    const hear = (heard: PlaceChange) => {
      for (const node of ["b", "d", "e"]) {
        const message = { type: "place-map", requestId: 1, map: change.map } as const;
        const state = world.copy(node).take("a", message);
        if (state !== undefined) heard.onState(node as NodeId, state);
      }
      return heard.messages(1)[0]?.message.type;
    };
    expect(hear(world.begin("b", ["d", "e", "b"]))).toBe("place-map");
    const planted = world.begin("b", ["d", "e", "b"], { switchedWithoutOldAcks: true });
    expect(hear(planted)).toBe("place-prepare");
  });

  test("goes on where another one left it, from any node", () => {
    for (let rounds = 0; rounds < 10; rounds++) {
      const world = worldOf(rounds + 1);
      const first = world.begin("a", ["c", "d", "e"]);
      for (let n = 0; n < rounds; n++) world.round(first);
      for (const copy of world.copies.values()) copy.restart();
      const second = world.begin("e", ["c", "d", "e"]);
      for (let n = 0; n < 20 && second.outcome === undefined; n++) {
        world.round(second);
        world.stream();
        if (n % 4 === 3) second.tryAgain();
      }
      expect(second.outcome).toBe("done");
      expect(second.map.replicas).toEqual(["c", "d", "e"]);
    }
  });

  test("is taken back where it was only proposed: whoever sees it to its end could decide it yet", () => {
    const world = worldOf();
    const change = world.begin("a", ["b", "c", "d"]);
    // Old replicas have accepted it, and whoever asked for it is gone before it tells them the map.
    for (let n = 0; n < 10 && world.copy("a").place.vote?.accepted === undefined; n++) {
      world.round(change);
    }
    expect(world.copy("a").place.map.epoch).toBe(1);
    const back = world.begin("b", ["a", "b", "c"]);
    for (let n = 0; n < 10 && back.outcome === undefined; n++) world.round(back);
    expect(back.outcome).toBe("done");
    expect(back.map).toEqual({ epoch: 3, replicas: ["a", "b", "c"] });
  });

  test("to those who are there rules out what only one that is silent may have accepted", () => {
    const world = worldOf();
    const away = world.begin("a", ["b", "c", "d"]);
    for (let n = 0; n < 10 && away.messages(1)[0]?.message.type !== "place-accept"; n++) {
      world.round(away);
    }
    // What it proposes reaches c alone.
    world.round(away, ["c"]);
    expect(world.copy("c").place.vote?.accepted?.map.pending).toEqual(["b", "c", "d"]);
    const stay = world.begin("b", ["a", "b", "c"]);
    for (let n = 0; n < 10 && stay.outcome === undefined; n++) world.round(stay, ["a", "b"]);
    expect(stay.outcome).toBe("done");
    expect(stay.map).toEqual({ epoch: 2, replicas: ["a", "b", "c"] });
    const finisher = world.begin("c", ["b", "c", "d"]);
    world.round(finisher);
    expect(finisher.map).toEqual(stay.map);
  });

  test("to those who are there is done at once where none of them has promised anything", () => {
    const world = worldOf();
    const stay = world.begin("b", ["a", "b", "c"]);
    world.round(stay, ["a", "b"]);
    expect(stay.outcome).toBeUndefined();
    expect(stay.messages(1).map(({ message }) => message.type)).not.toContain("place-prepare");
    world.round(stay, ["c"]);
    expect(stay.outcome).toBe("done");
    expect(stay.map.epoch).toBe(1);
  });

  test("to those who are there is decided where one of them stays silent", () => {
    const world = worldOf();
    const stay = world.begin("b", ["a", "b", "c"]);
    world.round(stay, ["a", "b"]);
    stay.tryAgain();
    for (let n = 0; n < 3; n++) world.round(stay, ["a", "b"]);
    expect(stay.outcome).toBe("done");
    expect(stay.map).toEqual({ epoch: 2, replicas: ["a", "b", "c"] });
  });

  test("is taken back before the switch, and not after it", () => {
    const world = worldOf();
    const change = world.begin("a", ["b", "c", "d"]);
    for (let n = 0; n < 4; n++) world.round(change);
    const back = world.begin("b", ["a", "b", "c"]);
    for (let n = 0; n < 5; n++) world.round(back);
    expect(back.outcome).toBe("done");
    expect(back.map).toEqual({ epoch: 3, replicas: ["a", "b", "c"] });
    const again = world.begin("a", ["b", "c", "d"]);
    for (let n = 0; n < 4; n++) world.round(again);
    world.stream();
    for (let n = 0; n < 3; n++) world.round(again);
    expect(again.map.leaving).toEqual(["a", "b", "c"]);
    const late = world.begin("b", ["a", "b", "c"]);
    for (let n = 0; n < 5; n++) world.round(late);
    expect(late.outcome).toBe("other-change");
  });

  test("is refused while another one is under way", () => {
    const world = worldOf();
    const change = world.begin("a", ["b", "c", "d"]);
    for (let n = 0; n < 4; n++) world.round(change);
    const other = world.begin("c", ["a", "b", "e"]);
    world.round(other);
    expect(other.outcome).toBe("other-change");
  });

  test("does not count the vote of a copy that is being rebuilt", () => {
    const world = worldOf();
    for (const node of ["b", "c"]) world.copy(node).serving = false;
    const change = world.begin("a", ["b", "c", "d"]);
    for (let n = 0; n < 6; n++) world.round(change);
    expect(change.map.epoch).toBe(1);
    world.copy("b").serving = true;
    for (let n = 0; n < 4; n++) world.round(change);
    expect(change.map.epoch).toBe(2);
  });
});

test("of changes that compete, over losses and restarts, one map is decided per epoch", () => {
  const goals = [
    ["b", "c", "d"],
    ["a", "b", "c"],
    ["c", "d", "e"],
  ];
  let finished = 0;
  for (let seed = 1; seed <= 150; seed++) {
    const random = new SeededRandom(seed);
    const world = new PlaceWorld(random, 0.3);
    for (const [at, goal] of goals.entries()) world.begin(["a", "b", "e"][at] as string, goal);
    for (let n = 0; n < 60; n++) {
      const change = world.changes[random.uint32() % world.changes.length];
      if (change === undefined) continue;
      world.round(change);
      const dice = random.uint32() % 12;
      if (dice === 0)
        world.copy(["a", "b", "c", "d", "e"][random.uint32() % 5] as string).restart();
      if (dice === 1) change.tryAgain();
      if (dice < 4) world.stream();
    }
    for (const [epoch, maps] of world.decided) {
      expect({ seed, epoch, maps: [...maps] }).toMatchObject({ maps: [expect.any(String)] });
    }
    if ([...world.decided.keys()].some((epoch) => epoch >= 4)) finished++;
  }
  expect(finished).toBeGreaterThan(30);
});
