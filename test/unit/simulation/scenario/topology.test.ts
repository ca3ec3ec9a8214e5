import { expect, test } from "vitest";
import { Topology } from "../../../../src/simulation/scenario/topology.ts";
import { SimWorld } from "../../../../src/simulation/sim-world.ts";

const NODES = ["n1", "n2", "n3"];
const KEYSPACE = "things";
const CONFIGURATION = { keyspaces: { [KEYSPACE]: { strategy: "raft", replicas: 3, shards: 1 } } };
const SLOW = { timeout: 60_000 };
const LIMIT_MS = 10_000;
/** Longer than what a replica that came back is on trial for. */
const BEYOND_TRIAL_MS = 3_000;

function shardOf(world: SimWorld, id: string): Readonly<Record<string, unknown>> {
  const described = world.node(id).life?.store?.keyspace(KEYSPACE).describe();
  return (
    (described as { shards: Readonly<Record<string, unknown>>[] } | undefined)?.shards[0] ?? {}
  );
}

async function waitFor(world: SimWorld, condition: () => boolean, everyMs = 20): Promise<void> {
  const endMs = world.time.nowMs + LIMIT_MS;
  while (!condition()) {
    if (world.time.nowMs > endMs) throw new Error(`the condition did not hold: ${condition}`);
    await world.driver.run(everyMs);
  }
}

function cutOff(world: SimWorld, id: string): void {
  for (const other of NODES) if (other !== id) world.network.cut(id, other);
}

/**
 * A follower comes back with an empty store, and the other one is cut off when the leader is about to
 * give the first its vote: the joint configuration is not decided without it.
 */
async function openUndecided() {
  const world = new SimWorld({ seed: 1, nodes: NODES, configuration: CONFIGURATION });
  const topology = new Topology(world, CONFIGURATION);
  const starting = Promise.all(NODES.map((id) => world.start(id)));
  await world.driver.until(starting, LIMIT_MS);
  const leads = (id: string): boolean => shardOf(world, id).role === "leader";
  await waitFor(world, () => NODES.some(leads));
  const leader = NODES.find(leads) as string;
  const [emptied, other] = NODES.filter((id) => id !== leader) as [string, string];
  const things = world.node(leader).life?.store?.keyspace(KEYSPACE);
  await world.driver.until(things?.put("key", 1) as Promise<unknown>, LIMIT_MS);
  world.crash(emptied);
  world.node(emptied).disk.wipe();
  topology.noteLoss(world.node(emptied), "damage");
  await world.driver.until(world.start(emptied), LIMIT_MS);
  await waitFor(
    world,
    () => {
      const { configuration, isSettled } = shardOf(world, leader);
      return String(configuration).includes("/") && isSettled === true;
    },
    1,
  );
  cutOff(world, other);
  await waitFor(world, () => shardOf(world, emptied).isVoter === true);
  return { world, topology, leader, emptied, other };
}

/** How many nodes of a shard that so many hold may be emptied, one after the other. */
function mayBeEmptied(strategy: string, replicas: number): number {
  const nodes = Array.from({ length: replicas }, (_, at) => `n${at + 1}`);
  const configuration = { keyspaces: { [KEYSPACE]: { strategy, replicas, shards: 1 } } };
  const world = new SimWorld({ seed: 1, nodes, configuration });
  const topology = new Topology(world, configuration);
  for (const [emptied, id] of nodes.entries()) {
    if (!topology.mayLose(id)) return emptied;
    topology.noteLoss(world.node(id), "damage");
  }
  return replicas;
}

test("of raft replicas a majority is left that votes, of leaderless ones one that has each write", () => {
  const emptied = (strategy: string) =>
    [1, 2, 3, 4, 5].map((replicas) => mayBeEmptied(strategy, replicas));
  expect(emptied("raft")).toEqual([0, 0, 1, 1, 2]);
  expect(emptied("tunable")).toEqual([0, 1, 1, 2, 2]);
});

test("of a datacenter a majority keeps what it holds, where that may hold a write alone", () => {
  const nodes = ["n1", "n2", "n3", "n4", "n5"];
  const datacenters = { n1: "east", n2: "east", n3: "east", n4: "west", n5: "west" };
  const mayFollow = (strategy: string) => {
    const configuration = { keyspaces: { [KEYSPACE]: { strategy, replicas: 5, shards: 1 } } };
    const world = new SimWorld({ seed: 1, nodes, datacenters, configuration });
    const topology = new Topology(world, configuration);
    topology.noteLoss(world.node("n1"), "damage");
    return nodes.slice(1).filter((id) => topology.mayLose(id));
  };
  expect(mayFollow("tunable")).toEqual(["n4", "n5"]);
  // Raft has no majority but that of all.
  expect(mayFollow("raft")).toEqual(["n2", "n3", "n4", "n5"]);
});

test("a node decides alone while there is a shard that nobody else may decide about", () => {
  const world = new SimWorld({ seed: 1, nodes: NODES, configuration: CONFIGURATION });
  const topology = new Topology(world, CONFIGURATION);
  const things = topology.of(KEYSPACE);
  const alone = () => NODES.filter((id) => topology.decidesAlone(id));
  expect(alone()).toEqual([]);
  things.mayMoveTo(0, ["n2"]);
  expect(alone()).toEqual(["n2"]);
  things.hasMovedTo(0, ["n1", "n2"]);
  expect(alone()).toEqual([]);
});

/** As the nemesis asks, now and then. */
async function askForLong(world: SimWorld, ask: () => boolean): Promise<boolean> {
  ask();
  await world.driver.run(BEYOND_TRIAL_MS);
  ask();
  await world.driver.run(BEYOND_TRIAL_MS);
  return ask();
}

test(
  "a raft replica whose vote is undecided is not whole: no other may be lost before it is",
  SLOW,
  async () => {
    const { world, topology, emptied, other } = await openUndecided();
    expect(world.node(emptied).life?.store?.keyspace(KEYSPACE).describe().serving).toBe(1);
    expect(topology.isServing(world.node(emptied))).toBe(false);
    expect(await askForLong(world, () => topology.mayLose(other))).toBe(false);
    world.network.heal();
    await waitFor(world, () => topology.isServing(world.node(emptied)));
    expect(await askForLong(world, () => topology.mayLose(other))).toBe(true);
  },
);

test("were another one lost all the same, the quorum would be", SLOW, async () => {
  const { world, leader, other } = await openUndecided();
  world.crash(other);
  world.node(other).disk.wipe();
  world.network.heal();
  await world.driver.until(world.start(other), LIMIT_MS);
  await waitFor(world, () => shardOf(world, leader).quorumLost === true);
});
