import type { NodeId } from "../../../../../src/core/model/ids.ts";
import { isQuorum } from "../../../../../src/strategies/raft/configuration.ts";
import { termOfEntry } from "../../../../../src/strategies/raft/entry.ts";
import { BrokenProperty } from "./broken-property.ts";
import { World, type WorldOptions } from "./world.ts";
import type { WorldNode } from "./world-node.ts";

/** Which faults a run has; drawn from its seed. */
interface Faults {
  readonly crashes: boolean;
  readonly partitions: boolean;
  readonly wipes: boolean;
  readonly lostTails: boolean;
  readonly changes: boolean;
  readonly transfers: boolean;
  readonly stalls: boolean;
  /** Leaders that are cut off with what they were just given, and then crash. */
  readonly storms: boolean;
  /** Times in which only new leaders are given anything: the logs are equal, and anybody can win. */
  readonly pauses: boolean;
  /** Somebody stands while the leader's promises are fresh. */
  readonly ambushes: boolean;
}

const ACTION_MS = 6;
const PAUSE_MS = 200;
const NEW_LEADER_MS = 50;
/** Where shards rest: so long nobody wants anything of it, in turns. */
const SLEEP_MS = 300;

/**
 * One world in chaos for `chaosMs`, then healed: what is checked all the time is in `WorldChecks`;
 * at the end the shard must serve again, and every replica must have the same.
 */
export function runChaos(options: {
  readonly seed: number;
  readonly chaosMs: number;
  readonly planted?: WorldOptions["planted"];
  readonly rests?: WorldOptions["rests"];
  readonly forgetful?: boolean;
}): World {
  const world = new World({ ...drawShape(options.seed), ...options });
  const faults = drawFaults(world);
  world.loss = world.random.fraction() * 0.1;
  world.duplication = world.random.fraction() * 0.1;
  world.maxDelayMs = 1 + world.random.fraction() * 12;
  world.maxSyncMs = 0.5 + world.random.fraction() * 12;
  if (faults.ambushes) {
    world.maxDelayMs = 1;
    world.maxSyncMs = 1;
  }
  let actions = 0;
  const act = (): void => {
    if (world.nowMs >= options.chaosMs) return;
    actions++;
    disturb(world, faults);
    const sleeps = options.rests !== undefined && Math.floor(world.nowMs / SLEEP_MS) % 2 === 1;
    if (!sleeps)
      work(world, actions, faults.pauses && Math.floor(world.nowMs / PAUSE_MS) % 2 === 1);
    world.after(world.random.fraction() * ACTION_MS * 2, act);
  };
  world.after(1, act);
  world.run(options.chaosMs);
  heal(world);
  return world;
}

function drawShape(seed: number): { readonly nodes: number; readonly voters: number } {
  const voters = [1, 2, 3, 3, 3, 3, 5, 5][seed % 8] as number;
  return { nodes: voters + ((seed >> 3) % 3), voters };
}

function drawFaults(world: World): Faults {
  const has = (): boolean => world.pick(2) === 0;
  return {
    ...{ crashes: has(), partitions: has(), wipes: world.pick(3) === 0, changes: has() },
    ...{ transfers: has(), lostTails: world.pick(4) === 0, stalls: has() },
    ...{ storms: world.pick(3) === 0, pauses: has() },
    ambushes: world.pick(3) === 0,
  };
}

function disturb(world: World, faults: Faults): void {
  const dice = world.pick(100);
  const node = world.nodes[world.pick(world.nodes.length)] as WorldNode;
  if (faults.crashes && dice < 6) toggle(world, node, faults);
  else if (!node.isUp && dice < 40) node.restart();
  else if (faults.partitions && dice < 12) partition(world);
  else if (dice < 18) world.cut.clear();
  else if (faults.transfers && dice < 22) transfer(world, node);
  else if (faults.changes && dice < 28) change(world);
  else if (faults.stalls && dice < 30) world.maxLateMs = world.pick(2) * world.pick(60);
  else if (faults.storms && dice < 38) storm(world);
  else if (faults.ambushes && dice < 44) ambush(world);
}

/**
 * One follower does not hear the leader any more; shortly before it stands nobody does, and maybe
 * another one has just been started again.
 */
function ambush(world: World): void {
  const { leader } = world;
  if (leader === undefined || world.nowMs < world.quietUntilMs) return;
  world.quietUntilMs = world.nowMs + 160;
  world.cut.clear();
  const deaf = world.nodes[world.pick(world.nodes.length)] as WorldNode;
  world.after(30, () => world.cut.add(`${leader.id}>${deaf.id}`));
  world.after(50 + world.random.fraction() * 50, () => {
    for (const node of world.nodes) {
      world.cut.add(`${leader.id}>${node.id}`);
      world.cut.add(`${node.id}>${leader.id}`);
      if (node === leader || node === deaf || !node.isUp || world.pick(2) === 0) continue;
      node.crash();
      node.restart();
    }
  });
  world.after(160, () => world.cut.clear());
}

/** A leader that few hear takes entries that few get, and is gone. */
function storm(world: World): void {
  const { leader } = world;
  if (leader === undefined) return;
  for (const node of world.nodes) {
    if (world.pick(3) > 0) world.cut.add(`${leader.id}>${node.id}`);
  }
  for (let i = 0; i < 3; i++) leader.propose(`storm ${Math.round(world.nowMs)} ${i} ${leader.id}`);
  world.after(world.random.fraction() * 30, () => {
    if (leader.isUp && world.pick(2) === 0) {
      leader.crash();
      leader.restart();
    }
    world.cut.clear();
  });
}

/** At most one node at a time has lost something: more is beyond what any quorum stands. */
function toggle(world: World, node: WorldNode, faults: Faults): void {
  if (!node.isUp) return;
  node.crash();
  const others = world.nodes.filter((other) => other !== node);
  const isWhole = others.every((other) => other.isUp);
  const canLose = isWhole && world.placement.replicas.length > 2 && world.leader !== undefined;
  if (canLose && faults.wipes && world.pick(3) === 0 && isSpare(world, node)) {
    node.wipe();
    node.start("empty");
  } else if (canLose && faults.lostTails && world.pick(2) === 0 && isSpare(world, node)) {
    world.tailsLost++;
    const { leader } = world;
    node.loseTail();
    node.start("empty");
    if (leader !== undefined && leader !== node) pauseNode(world, leader);
  } else if (world.pick(2) === 0) node.restart();
}

/** It is gone for a while, with its disk as it is. */
function pauseNode(world: World, node: WorldNode): void {
  world.after(world.random.fraction() * 20, () => {
    if (!node.isUp) return;
    node.crash();
    world.after(150 + world.random.fraction() * 150, () => {
      if (!node.isUp) node.restart();
    });
  });
}

/** Without this node every majority that is in force is still there, and nothing is changing. */
function isSpare(world: World, node: WorldNode): boolean {
  const leader = world.leader?.consensus;
  if (leader === undefined) return false;
  const { voters, outgoing, goal } = leader.configuration;
  if (outgoing.length > 0 || goal !== undefined || voters.length < 3) return false;
  return voters.every((member) => {
    const other = world.node(member.node);
    if (member.node === node.id) return true;
    return other?.consensus?.serving === true && other.answersAs(member);
  });
}

function partition(world: World): void {
  const kind = world.pick(4);
  if (kind === 3) {
    const deaf = world.nodes[world.pick(world.nodes.length)];
    if (world.leader !== undefined) world.cut.add(`${world.leader.id}>${deaf?.id}`);
    return;
  }
  const some = new Set(world.nodes.filter(() => world.pick(2) === 0).map((node) => node.id));
  for (const from of world.nodes) {
    for (const to of world.nodes) {
      const isAcross = some.has(from.id) !== some.has(to.id);
      const isCut =
        kind === 0 ? isAcross : kind === 1 ? isAcross && some.has(from.id) : world.pick(4) === 0;
      if (isCut) world.cut.add(`${from.id}>${to.id}`);
    }
  }
}

function transfer(world: World, node: WorldNode): void {
  const { leader } = world;
  // None of these worlds' nodes goes for good.
  const others = world.nodes.filter((other) => other !== leader);
  const to = world.pick(2) === 0 ? node.id : others[0]?.id;
  if (to === undefined) return;
  leader?.step((at, effects) => {
    leader.consensus?.transferLeadership(to as NodeId, at, effects);
  });
}

function change(world: World): void {
  const leaders = world.nodes.filter((node) => node.consensus?.standing.role === "leader");
  const leader = leaders[world.pick(leaders.length)];
  if (leader === undefined) return;
  const ids = world.nodes.map((node) => node.id as NodeId);
  const voters = ids.filter(() => world.pick(3) > 0);
  const learners = ids.filter((id) => !voters.includes(id) && world.pick(3) === 0);
  leader.step((at, effects) => {
    const result = leader.consensus?.proposeConfiguration({ voters, learners }, at, effects);
    if (result?.refused === undefined) world.checks.changes++;
  });
}

export function work(world: World, action: number, isPause: boolean): void {
  const node = world.nodes[world.pick(world.nodes.length)] as WorldNode;
  const leaders = world.nodes.filter((other) => other.consensus?.standing.role === "leader");
  for (const leader of leaders) {
    const since = world.checks.leaderSinceMs(leader.consensus?.standing.term ?? 0);
    const isQuiet = isPause || world.nowMs < world.quietUntilMs;
    if (isQuiet && world.nowMs - since > NEW_LEADER_MS) continue;
    for (let i = world.pick(4); i > 0; i--) leader.propose(`${action} ${i} ${leader.id}`);
  }
  for (const other of world.nodes) world.checks.checkLease(other);
  read(world, node);
  for (const leader of leaders) read(world, leader);
}

function read(world: World, node: WorldNode): void {
  const { consensus } = node;
  if (consensus === undefined) return;
  const token = world.newToken();
  node.reads.set(token, world.checks.ackedIndex);
  node.step((at, effects) => consensus.read(token, at, effects));
}

/** All faults end; the shard must elect, serve and agree. */
function heal(world: World): void {
  world.cut.clear();
  world.loss = 0;
  world.duplication = 0;
  world.maxDelayMs = 2;
  world.maxSyncMs = 2;
  world.maxLateMs = 0;
  for (const node of world.nodes) if (!node.isUp) node.restart();
  let isServed = false;
  const nudge = (): void => {
    for (const node of world.nodes) {
      if (node.consensus?.standing.role === "leader") node.propose(`healed ${world.nowMs}`);
    }
    if (!isServed) world.after(40, nudge);
  };
  world.after(1, nudge);
  demand(world, "with every link", (before) => isAgreed(world, before));
  deafen(world);
  isServed = true;
  if (world.rests !== undefined) fallAsleep(world);
  world.checks.finish();
}

/** Nobody wants anything more: the shard comes to rest, and the node of its leader is lost. */
function fallAsleep(world: World): void {
  world.cut.clear();
  const isAtRest = (): boolean => world.leader?.consensus?.describe().resting === true;
  if (!hasQuorum(world)) return;
  if (!world.run(world.nowMs + 3_000, isAtRest)) {
    throw new BrokenProperty(`it does not come to rest: ${describe(world)}; seed ${world.seed}`);
  }
  const { leader } = world;
  const configuration = leader?.consensus?.configuration;
  if (leader === undefined || configuration === undefined) return;
  world.run(world.nowMs + 200);
  if (!isAtRest()) throw new BrokenProperty(`it does not rest for long: ${describe(world)}`);
  for (const { node } of configuration.voters) {
    const applied = world.node(node)?.consensus?.commitIndex;
    if (applied === leader.consensus?.commitIndex) continue;
    throw new BrokenProperty(
      `${node} rests with ${applied}: ${describe(world)}; seed ${world.seed}`,
    );
  }
  if (configuration.voters.length < 3) return;
  leader.crash();
  demand(world, "with the resting leader gone", (before) => world.checks.committedLength > before);
}

/** A leader that is heard by all and hears nobody has to go (CheckQuorum). */
function deafen(world: World): void {
  const leader = world.leader;
  const voters = leader?.consensus?.configuration.voters ?? [];
  if (leader === undefined || voters.length < 3 || world.pick(4) > 0) return;
  for (const node of world.nodes) world.cut.add(`${node.id}>${leader.id}`);
  demand(world, `with ${leader.id} deaf`, (before) => world.checks.committedLength > before + 2);
}

function demand(world: World, how: string, isDone: (before: number) => boolean): void {
  const before = world.checks.committedLength;
  if (world.run(world.nowMs + 5_000, () => isDone(before))) return;
  if (!hasQuorum(world)) {
    world.stuck = true;
    return;
  }
  throw new BrokenProperty(`no liveness ${how}: ${describe(world)}; seed ${world.seed}`);
}

/**
 * Whether those that the newest configuration needs are there: a store that was wiped, or one that
 * lost what it had vouched for, votes for nobody. Then more was lost than is promised to be stood.
 */
function hasQuorum(world: World): boolean {
  const logs = world.nodes.flatMap(({ consensus, disk }) => {
    if (consensus === undefined) return [];
    const record = disk.image.record(disk.image.last);
    const term = record === undefined ? 0 : termOfEntry(record);
    return [{ configuration: consensus.configuration, term, last: disk.image.last }];
  });
  logs.sort((a, b) => b.term - a.term || b.last - a.last);
  const configuration = logs[0]?.configuration;
  if (configuration === undefined || configuration.voters.length === 0) return false;
  return isQuorum(configuration, (member) => {
    const node = world.node(member.node);
    return node?.answersAs(member) === true && node.consensus?.serving === true;
  });
}

export function isAgreed(world: World, before: number): boolean {
  const leader = world.leader?.consensus;
  if (leader === undefined || leader.commitIndex <= before) return false;
  const { outgoing, goal, voters, learners } = leader.configuration;
  if (outgoing.length > 0 || goal !== undefined) return false;
  return [...voters, ...learners].every((member) => {
    const node = world.node(member.node);
    const index = node?.consensus?.appliedIndex ?? 0;
    return node?.answersAs(member) === true && index >= leader.commitIndex;
  });
}

export function describe(world: World): string {
  return world.nodes
    .map((node) => `${node.id} ${JSON.stringify(node.consensus?.describe())}`)
    .join("\n");
}
