import { BrokenProperty } from "./broken-property.ts";
import { describe, isAgreed, work } from "./chaos.ts";
import { World, type WorldOptions } from "./world.ts";
import type { WorldNode } from "./world-node.ts";

const ACTION_MS = 10;
const STEP_MS = 20;
/** Longer than any promise or silence of the world's timing. */
const ELECTION_MS = 250;
/** Of a snapshot whose messages are lost each is sent again after seconds, and more of them each time. */
const PATIENCE_MS = 60_000;
const ROUNDS = 6;

/** What the rounds of one run came to. */
export interface StoreBackRun {
  readonly world: World;
  /** Stores that came back before another one had taken their place in the configuration, and after. */
  readonly inTime: number;
  readonly replaced: number;
}

/**
 * A node's store is set aside, it goes on with an empty one, and after a while the earlier one is there
 * again: before the shard's configuration has the new one, in the middle of that change, or after it.
 * Nodes crash, start and are cut off from each other meanwhile. What is checked all the time is in
 * `WorldChecks`; at the end the shard has to serve, and all of its replicas have the same.
 */
export function runStoreBack(options: {
  readonly seed: number;
  readonly planted?: WorldOptions["planted"];
}): StoreBackRun {
  const voters = options.seed % 3 === 0 ? 5 : 3;
  const world = new World({ ...options, nodes: voters + (options.seed % 2), voters });
  world.loss = world.random.fraction() * 0.05;
  world.maxDelayMs = 1 + world.random.fraction() * 6;
  world.maxSyncMs = 0.5 + world.random.fraction() * 6;
  let actions = 0;
  let isOver = false;
  let isCalm = false;
  const act = (): void => {
    if (isOver) return;
    actions += 1;
    // With as little of the log as is kept here, who lags would not get on while there is much to do.
    if (!isCalm) work(world, actions, false);
    world.after(world.random.fraction() * ACTION_MS * 2, act);
  };
  world.after(1, act);
  let inTime = 0;
  let replaced = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    // One at a time loses what it has: more is beyond what any quorum stands.
    isCalm = true;
    settle(world, "it is not whole before a store is set aside");
    isCalm = false;
    const node = world.nodes[world.pick(voters)] as WorldNode;
    const { storeId } = node;
    if (node.isUp) node.crash();
    node.wipe();
    node.start("empty");
    disturb(world, node, world.pick(2) === 0 ? soon(world) : world.pick(2 * ELECTION_MS));
    if (node.isUp) node.crash();
    const members = world.leader?.consensus?.configuration.voters ?? [];
    const isReplaced = members.some((each) => each.node === node.id && node.answersAs(each));
    if (isReplaced) replaced += 1;
    else inTime += 1;
    node.bringBack();
    if (node.storeId !== storeId) throw new Error(`${node.id} has ${node.storeId}`);
    node.restart();
    if (world.pick(2) === 0) hearsLostLeader(world, node);
    disturb(world, node, world.pick(2 * ELECTION_MS));
  }
  isOver = true;
  settle(world, "it does not serve in the end");
  world.checks.finish();
  return { world, inTime, replaced };
}

/** For a while, with some links cut; at times a node that has lost nothing starts again. */
function disturb(world: World, exempt: WorldNode, durationMs: number): void {
  world.cut.clear();
  const isHard = world.pick(2) === 0;
  for (const from of world.nodes) {
    for (const to of world.nodes) {
      if (isHard && world.pick(4) === 0) world.cut.add(`${from.id}>${to.id}`);
    }
  }
  const other = world.nodes[world.pick(world.nodes.length)] as WorldNode;
  if (world.pick(3) === 0 && other !== exempt && other.isUp) {
    other.crash();
    world.after(world.random.fraction() * ELECTION_MS, () => {
      if (!other.isUp) other.restart();
    });
  }
  world.run(world.nowMs + durationMs);
}

/** It hears a leader that does not hear it, and that is lost then: the next one may be itself. */
function hearsLostLeader(world: World, node: WorldNode): void {
  const { leader } = world;
  if (leader === undefined || leader === node) return;
  world.cut.clear();
  world.cut.add(`${node.id}>${leader.id}`);
  world.run(world.nowMs + soon(world));
  if (!leader.isUp) return;
  leader.crash();
  world.after(2 * ELECTION_MS, () => {
    if (!leader.isUp) leader.restart();
  });
}

/** In the middle of a change that is to replace a store: it has begun, and not ended. */
function soon(world: World): number {
  return 30 + world.pick(60);
}

function settle(world: World, fault: string): void {
  world.cut.clear();
  for (const node of world.nodes) if (!node.isUp) node.restart();
  const before = world.checks.committedLength;
  const endMs = world.nowMs + PATIENCE_MS;
  while (!isAgreed(world, before)) {
    if (world.nowMs >= endMs) {
      throw new BrokenProperty(`${fault}: ${describe(world)}; seed ${world.seed}`);
    }
    if (world.checks.committedLength <= before) world.leader?.propose(`all ${world.nowMs}`);
    world.run(world.nowMs + STEP_MS);
  }
}
