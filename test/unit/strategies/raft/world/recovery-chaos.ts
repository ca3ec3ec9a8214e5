import type { NodeId } from "../../../../../src/core/model/ids.ts";
import { BrokenProperty } from "./broken-property.ts";
import { describe, isAgreed, work } from "./chaos.ts";
import { World, type WorldOptions } from "./world.ts";
import type { WorldNode } from "./world-node.ts";

const VOTERS = 3;
const ACTION_MS = 12;
/** Longer than any promise or silence of the world's timing. */
const ELECTION_MS = 250;

/**
 * A shard that loses two of its three voters for good, and is recovered from the third with what
 * that has; then those that were given up come back after all, with their data or without, to be cut
 * off from some and to hear others, to crash and to start. At the end all are taken in, and have to
 * have the same. What is checked all the time is in `WorldChecks`.
 */
export function runRecovery(options: {
  readonly seed: number;
  readonly planted?: WorldOptions["planted"];
}): World {
  // With all of the leader's log there those who come back need no picture of its state.
  const limits = options.seed % 2 === 0 ? {} : { retainedBytes: 1_000_000 };
  const world = new World({ ...options, limits, nodes: VOTERS + 1, voters: VOTERS });
  world.loss = world.random.fraction() * 0.05;
  world.maxDelayMs = 1 + world.random.fraction() * 6;
  world.maxSyncMs = 0.5 + world.random.fraction() * 6;
  let actions = 0;
  let isOver = false;
  const act = (): void => {
    if (isOver) return;
    actions += 1;
    work(world, actions, false);
    if (world.pick(20) === 0) world.cut.clear();
    world.after(world.random.fraction() * ACTION_MS * 2, act);
  };
  world.after(1, act);
  pass(world, ELECTION_MS + world.pick(200));
  const survivor = world.nodes[world.pick(VOTERS)] as WorldNode;
  loseOthers(world, survivor);
  recover(world, survivor);
  pass(world, world.pick(200));
  const [second] = comeBack(world, survivor);
  // Somebody else, who has not heard of that, accepts the loss of another majority.
  if (second !== undefined && world.pick(4) === 0) {
    loseOthers(world, second);
    if (recover(world, second)) comeBack(world, second);
  }
  isOver = true;
  takeInAll(world);
  return world;
}

/** The others go on without the one that is left; then they are gone. */
function loseOthers(world: World, survivor: WorldNode): void {
  if (world.pick(3) > 0) isolate(world, survivor);
  pass(world, world.pick(ELECTION_MS));
  for (const node of world.nodes) {
    if (node === survivor) continue;
    if (node.isUp) node.crash();
    world.unreachable.add(node.id);
  }
  world.cut.clear();
  if (!survivor.isUp) survivor.restart();
  else if (world.pick(3) === 0) {
    survivor.crash();
    survivor.restart();
  }
  world.unreachable.delete(survivor.id);
  // Who has led until now finds out that nobody answers.
  pass(world, ELECTION_MS);
}

/** False if there is nothing to recover: the replica has nothing, or what it has is enough. */
function recover(world: World, node: WorldNode): boolean {
  const isDone = node.recover() === undefined;
  pass(world, 20);
  return isDone;
}

/** Those that were given up, at any time, and with faults of all kinds; answers in which order. */
function comeBack(world: World, survivor: WorldNode): readonly WorldNode[] {
  const back: WorldNode[] = [];
  const others = world.nodes.filter((node) => node !== survivor);
  for (let round = 0; round < 14; round += 1) {
    const node = others[world.pick(others.length)] as WorldNode;
    world.unreachable.delete(node.id);
    if (!node.isUp) {
      if (world.pick(5) === 0) {
        node.wipe();
        node.start("empty");
      } else node.restart();
      if (!back.includes(node)) back.push(node);
    } else if (world.pick(3) === 0) node.crash();
    const cut = world.pick(6);
    if (cut < 2) isolate(world, cut === 0 ? survivor : node);
    else if (cut < 4) world.cut.clear();
    if (world.pick(4) === 0) change(world);
    pass(world, world.pick(80));
  }
  return back;
}

function isolate(world: World, { id }: WorldNode): void {
  for (const other of world.nodes) {
    world.cut.add(`${id}>${other.id}`);
    world.cut.add(`${other.id}>${id}`);
  }
}

function change(world: World): void {
  const { leader } = world;
  const voters = world.nodes.map(({ id }) => id as NodeId);
  leader?.step((at, effects) => {
    leader.consensus?.proposeConfiguration({ voters, learners: [] }, at, effects);
  });
}

/** Everybody can hear everybody, and is to be a voter of the group that is left. */
function takeInAll(world: World): void {
  world.cut.clear();
  world.unreachable.clear();
  world.loss = 0;
  for (const node of world.nodes) if (!node.isUp) node.restart();
  const before = world.checks.committedLength;
  const untilMs = world.nowMs + 8_000;
  const isWhole = (): boolean =>
    world.leader?.consensus?.configuration.voters.length === world.nodes.length &&
    isAgreed(world, before);
  while (!isWhole()) {
    if (world.nowMs >= untilMs) {
      throw new BrokenProperty(`not all are taken in: ${describe(world)}; seed ${world.seed}`);
    }
    change(world);
    world.leader?.propose(`all ${world.nowMs}`);
    world.run(world.nowMs + 40, isWhole);
  }
  world.checks.finish();
}

function pass(world: World, ms: number): void {
  world.run(world.nowMs + ms);
}
