import { majorityOf } from "../../core/model/quorum.ts";
import type { SimNode } from "../sim-node.ts";
import type { SimWorld } from "../sim-world.ts";
import type { Draw } from "./draw.ts";
import type { Operator } from "./operator.ts";
import { strategyScenario } from "./strategies.ts";
import type { Violation } from "./strategy-scenario.ts";
import type { KeyspaceTopology, Topology } from "./topology.ts";
import type { Workload } from "./workload.ts";

/** Everything that is pending has to have ended by then, in milliseconds. */
const PENDING_MS = 65_000;
/** Replicas of the core have to serve again by then. */
const SERVING_MS = 60_000;
const NEW_REQUESTS = 100;
const BETWEEN_REQUESTS_MS = 50;
const CORE_DRAWS = 10;

export interface LivenessScene {
  readonly world: SimWorld;
  readonly operator: Operator;
  readonly topology: Topology;
  readonly workload: Workload;
  readonly draw: Draw;
}

/**
 * The core: nodes that are enough for every shard, among themselves. Drawn, and all nodes where the
 * draw is not lucky.
 */
export function drawCore({ world, topology, draw }: LivenessScene): readonly string[] {
  const ids = world.nodes.map(({ id }) => id);
  const weak = topology.weak();
  for (let draws = 0; draws < CORE_DRAWS; draws += 1) {
    const core = draw.shuffled(ids).slice(0, draw.whole(1, ids.length));
    const isEnough = topology.deciders.every((replicas) => {
      const whole = replicas.filter((id) => core.includes(id) && !weak.has(id));
      return whole.length >= majorityOf(replicas.length);
    });
    if (isEnough) return core.sort();
  }
  return ids;
}

/** The core is whole; whatever is outside stays broken for good, in one way or another. */
export function breakTheRest(scene: LivenessScene, core: readonly string[]): void {
  const { world, operator, draw } = scene;
  world.network.heal();
  for (const { id, disk } of world.nodes) {
    disk.files.capacityBytes = Number.POSITIVE_INFINITY;
    disk.files.resume();
    disk.files.clearFaults();
    world.resume(id);
    if (core.includes(id)) continue;
    const how = draw.pick(["down", "paused", "deaf", "mute", "cut"] as const);
    if (how === "down") operator.holdDown(id, {});
    if (how === "paused" && world.node(id).life !== undefined) world.pause(id);
    for (const other of world.nodes) {
      if (other.id === id) continue;
      if (how === "deaf" || how === "cut") world.network.cutOneWay(other.id, id);
      if (how === "mute" || how === "cut") world.network.cutOneWay(id, other.id);
    }
  }
  for (const id of core) operator.letGo(id);
}

/** What the core owes once it is whole. Runs the world. */
export async function demandLiveness(
  scene: LivenessScene,
  core: readonly string[],
): Promise<readonly Violation[]> {
  const { world, topology, workload, draw } = scene;
  const violations: Violation[] = [];
  const miss = (message: string): void => {
    violations.push({ check: "liveness", message: `core ${core.join(", ")}: ${message}` });
  };
  const nodes = core.map((id) => world.node(id));
  workload.confineTo(core);
  workload.stop();
  // One that has stopped itself is not up until the operator has started it again.
  const isUp = (): boolean =>
    nodes.every(({ life }) => (life?.store?.describe().state ?? "failed") !== "failed");
  if (!(await world.driver.runWhile(() => !isUp(), SERVING_MS))) miss("a node did not come up");
  const served = await world.driver.runWhile(
    () => !nodes.every((node) => canServe(node, core, topology, nearOf(world, topology, node))),
    SERVING_MS,
  );
  if (!served) miss(`replicas do not serve: ${describeServing(nodes, topology)}`);
  const asked = { left: NEW_REQUESTS, failed: 0 };
  for (let number = 0; number < NEW_REQUESTS; number += 1) {
    const node = nodes[number % nodes.length] as SimNode;
    world.time.setTimer(number * BETWEEN_REQUESTS_MS, () => {
      const asking = workload.once(`late-${number}`, draw, node);
      void asking.then((ending) => {
        asked.left -= 1;
        if (ending === "down") asked.failed += 1;
      });
    });
  }
  await world.driver.run(NEW_REQUESTS * BETWEEN_REQUESTS_MS);
  const ended = await world.driver.runWhile(() => asked.left > 0, PENDING_MS);
  if (!ended) miss(`${asked.left} of ${NEW_REQUESTS} new requests were not answered`);
  // A node that is told of its old copy stops, to begin anew.
  const mayDie = topology.losses.some(({ how }) => how === "old-copy");
  if (asked.failed > 0 && !mayDie) miss(`${asked.failed} new requests met a process that died`);
  return violations;
}

function canServe(
  node: SimNode,
  core: readonly string[],
  topology: Topology,
  near: Near | undefined,
): boolean {
  return topology.keyspaces.every((keyspace) => canServeIn(keyspace, node, core, near));
}

/** The other nodes of a node's datacenter: all, and those that have lost nothing. */
interface Near {
  readonly all: readonly string[];
  readonly whole: readonly string[];
}

function nearOf(world: SimWorld, topology: Topology, node: SimNode): Near | undefined {
  const all = world.nearTo(node.id)?.filter((id) => id !== node.id);
  if (all === undefined) return undefined;
  const weak = topology.weak();
  return { all, whole: all.filter((id) => !weak.has(id)) };
}

/**
 * Every replica of the node that has enough others to learn from in the core serves, and a majority
 * of each shard can be reached.
 */
function canServeIn(
  topology: KeyspaceTopology,
  node: SimNode,
  core: readonly string[],
  near: Near | undefined,
): boolean {
  const { keyspace } = topology;
  if (node.life?.store === undefined) return false;
  const { shards } = node.life.store.keyspace(keyspace.name).describe() as {
    readonly shards: readonly { readonly shard: number; readonly state: string }[];
  };
  const needed = strategyScenario(keyspace.strategy).othersToServe ?? sharedWithEveryMajority;
  return shards.every(({ shard, state }) => {
    if (state === "serving") return true;
    // Whoever decides, it has to be one of them, with enough others.
    return !topology.decidersOf(shard).every((replicas) => {
      const others = replicas.filter((id) => id !== node.id && core.includes(id));
      if (!replicas.includes(node.id) || others.length < needed(replicas.length)) return false;
      return !topology.knowsDatacenters || near === undefined || isEnoughNear(near, replicas, core);
    });
  });
}

/** What a majority of its datacenter alone has written it learns there, too (`local-quorum`). */
function isEnoughNear(
  { all, whole }: Near,
  replicas: readonly string[],
  core: readonly string[],
): boolean {
  const others = all.filter((id) => replicas.includes(id)).length;
  const able = whole.filter((id) => replicas.includes(id) && core.includes(id)).length;
  return able >= Math.min(others, sharedWithEveryMajority(others + 1));
}

/** So many replicas that they share one with every majority. */
function sharedWithEveryMajority(replicas: number): number {
  return replicas - majorityOf(replicas) + 1;
}

function describeServing(nodes: readonly SimNode[], { keyspaces }: Topology): string {
  return nodes
    .flatMap(({ id, life }) =>
      keyspaces.map(({ keyspace: { name } }) => {
        const description = life?.store?.keyspace(name).describe();
        return `${id}/${name}: ${JSON.stringify(description)}`;
      }),
    )
    .join("; ");
}
