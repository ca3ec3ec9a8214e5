import type { NodeId } from "../../../../../src/core/model/ids.ts";
import { BrokenProperty } from "./broken-property.ts";
import { describe, isAgreed, work } from "./chaos.ts";
import { World, type WorldOptions } from "./world.ts";
import type { WorldNode } from "./world-node.ts";

const NODES = 4;
const VOTERS = 3;
const ACTION_MS = 12;
const STEP_MS = 20;
/** Longer than any promise or silence of the world's timing. */
const ELECTION_MS = 250;
const PATIENCE_MS = 8_000;
const ROUNDS = 10;

/**
 * A shard that one node holds, or two, and is then moved to others; those that had it lose the tail
 * of what they have, and with it, at times, that the shard is theirs no more. Nodes crash, start and
 * are cut off from each other meanwhile. What is checked all the time is in `WorldChecks`; at the end
 * the shard has to serve where it was moved to, with all that was acknowledged.
 */
export function runMovedAway(options: {
  readonly seed: number;
  readonly planted?: WorldOptions["planted"];
}): World {
  // With all of the log there a tail that is lost may begin before the move.
  const limits = options.seed % 2 === 0 ? {} : { retainedBytes: 1_000_000 };
  const world = new World({ ...options, limits, nodes: NODES, voters: VOTERS });
  world.loss = world.random.fraction() * 0.05;
  world.maxDelayMs = 1 + world.random.fraction() * 6;
  world.maxSyncMs = 0.5 + world.random.fraction() * 6;
  let actions = 0;
  let isOver = false;
  const act = (): void => {
    if (isOver) return;
    actions += 1;
    work(world, actions, false);
    world.after(world.random.fraction() * ACTION_MS * 2, act);
  };
  world.after(1, act);
  pass(world, ELECTION_MS + world.pick(200));
  const start = world.pick(NODES);
  const order = world.nodes.map((_, i) => world.nodes[(start + i) % NODES] as WorldNode);
  const former = order.slice(0, 1 + world.pick(2));
  const holders = order.slice(former.length, former.length + 1 + world.pick(2));
  move(world, former);
  pass(world, world.pick(400));
  move(world, holders);
  pass(world, world.pick(200));
  for (let round = 0; round < ROUNDS; round += 1) disturb(world, former);
  isOver = true;
  settle(world, holders);
  return world;
}

function disturb(world: World, former: readonly WorldNode[]): void {
  for (const node of former) {
    if (world.pick(2) === 0) continue;
    if (node.isUp) node.crash();
    world.tailsLost += 1;
    node.loseTail();
    node.start("empty");
  }
  const others = world.nodes.filter((node) => !former.includes(node));
  for (const node of others) {
    if (!node.isUp) node.restart();
    else if (world.pick(4) === 0) node.crash();
  }
  world.cut.clear();
  for (const from of world.nodes) {
    for (const to of world.nodes) if (world.pick(4) === 0) world.cut.add(`${from.id}>${to.id}`);
  }
  pass(world, world.pick(2 * ELECTION_MS));
}

function move(world: World, to: readonly WorldNode[]): void {
  const voters = to.map(({ id }) => id as NodeId);
  until(world, `it is not moved to ${voters.join()}`, () => {
    const { leader } = world;
    leader?.step((at, effects) => {
      leader.consensus?.proposeConfiguration({ voters, learners: [] }, at, effects);
    });
    return isHeldBy(world, to);
  });
}

function settle(world: World, holders: readonly WorldNode[]): void {
  world.cut.clear();
  world.loss = 0;
  for (const node of world.nodes) if (!node.isUp) node.restart();
  const before = world.checks.committedLength;
  until(world, "it does not serve where it was moved to", () => {
    world.leader?.propose(`all ${world.nowMs}`);
    return isHeldBy(world, holders) && isAgreed(world, before);
  });
  world.checks.finish();
}

function isHeldBy(world: World, nodes: readonly WorldNode[]): boolean {
  const configuration = world.leader?.consensus?.configuration;
  if (configuration === undefined || configuration.goal !== undefined) return false;
  const { voters, outgoing } = configuration;
  if (outgoing.length > 0 || voters.length !== nodes.length) return false;
  return voters.every(({ node }) => nodes.some(({ id }) => id === node));
}

function until(world: World, fault: string, isDone: () => boolean): void {
  const endMs = world.nowMs + PATIENCE_MS;
  while (!isDone()) {
    if (world.nowMs >= endMs) {
      throw new BrokenProperty(`${fault}: ${describe(world)}; seed ${world.seed}`);
    }
    pass(world, STEP_MS);
  }
}

function pass(world: World, ms: number): void {
  world.run(world.nowMs + ms);
}
