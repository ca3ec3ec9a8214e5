import { expect, test } from "vitest";
import { LoneConsensus } from "./lone-consensus.ts";
import { World } from "./world/world.ts";

const YES = Object.freeze({
  ...{ type: "vote-reply", term: 1, pre: true, granted: true, recovering: true, original: true },
} as const);

test("the vote of one that may have lost its tail counts only if every voter votes so", () => {
  const lone = new LoneConsensus();
  lone.wait(100);
  lone.hear("n2", YES);
  expect(lone.consensus.standing.role).toBe("pre-candidate");
  lone.hear("n3", YES);
  expect(lone.consensus.standing.role).toBe("candidate");
});

/** A shard of three that has served, and whose disks are as they were when all power failed. */
function served(): World {
  const world = new World({ seed: 7, nodes: 3, voters: 3 });
  world.run(400);
  world.leader?.propose("kept");
  world.run(500);
  expect(world.checks.ackedCount).toBe(1);
  // Said by those who know what a disk may have lost: they cannot say whether it has.
  world.tailsLost = 3;
  for (const node of world.nodes) node.crash();
  return world;
}

test("where all may have lost their tails, all together go on with what there is", () => {
  const world = served();
  for (const node of world.nodes) node.start("empty");
  const isServed = world.run(world.nowMs + 2_000, () => {
    for (const node of world.nodes) {
      if (node.consensus?.standing.role === "leader") node.propose("new");
    }
    return world.checks.ackedCount > 1;
  });
  expect(isServed).toBe(true);
  world.run(world.nowMs + 200);
  expect(world.nodes.map((node) => node.consensus?.serving)).toEqual([true, true, true]);
  world.checks.finish();
});

test("two of three that may have lost their tails do not go on without the third", () => {
  const world = served();
  for (const node of world.nodes.slice(0, 2)) node.start("empty");
  expect(world.run(world.nowMs + 2_000, () => world.leader !== undefined)).toBe(false);
  world.nodes[2]?.restart();
  expect(world.run(world.nowMs + 2_000, () => world.leader !== undefined)).toBe(true);
});

test("a majority of voters whose nodes answer under other stores is a lost quorum", () => {
  const lone = new LoneConsensus();
  lone.wait(100);
  const stranger = { ...YES, recovering: false, granted: false, term: 0, original: false };
  lone.hear("n2", stranger);
  expect(lone.consensus.describe()).toMatchObject({ quorumLost: false });
  lone.hear("n3", stranger);
  expect(lone.consensus.describe()).toMatchObject({ quorumLost: true });
  // Its vote is nobody's, too.
  lone.hear("n2", { ...stranger, granted: true, term: 1 });
  expect(lone.consensus.standing.role).toBe("pre-candidate");
});
