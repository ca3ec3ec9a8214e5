import type { SimNode } from "../sim-node.ts";
import type { Draw } from "./draw.ts";
import type { Fault, FaultScene } from "./faults.ts";
import { damageLog, mayLoseBy, noteLossBy } from "./loss.ts";

/** What happens to the node that both majorities have, when the one ends and the other begins. */
const HARMS = Object.freeze(["none", "kill", "power-cut", "power-cut", "wipe", "flip"] as const);
const MIN_NODES = 3;

/**
 * Two halves of the cluster, and one node that goes from the one to the other: what was acknowledged
 * in the first majority is known in the second by that node alone, which may have been harmed on the
 * way. Whatever a quorum promises rests on it.
 */
export function movingMajority(scene: FaultScene, draw: Draw): Fault | undefined {
  const { world } = scene;
  const [pivot, ...others] = draw.shuffled(world.nodes.map(({ id }) => id));
  if (pivot === undefined || world.nodes.length < MIN_NODES) return undefined;
  const half = others.length >> 1;
  const first = others.slice(0, half);
  const second = others.slice(half);
  const firstMs = draw.magnitude(200, 4_000);
  let harmed: (() => void) | undefined;
  let isOver = false;
  cutBetween(scene, [pivot, ...first], second);
  world.time.setTimer(firstMs, () => {
    if (isOver) return;
    joinBetween(scene, [pivot], second);
    cutBetween(scene, [pivot], first);
    harmed = harm(scene, draw, world.node(pivot));
  });
  return {
    durationMs: firstMs + draw.magnitude(500, 8_000),
    undo: () => {
      isOver = true;
      joinBetween(scene, [pivot, ...first], second);
      joinBetween(scene, [pivot], first);
      harmed?.();
    },
  };
}

/** Returns what lets go of the node, unless it has been let go by then. */
function harm(scene: FaultScene, draw: Draw, node: SimNode): (() => void) | undefined {
  const { world, operator, topology, plan } = scene;
  const how = draw.pick(HARMS);
  const silently = draw.chance(0.5);
  const downMs = draw.magnitude(20, 2_000);
  if (how === "none" || node.life === undefined) return undefined;
  if (how === "kill" || how === "power-cut") {
    const end = how === "kill" ? "kill" : "power";
    if (!mayLoseBy(end, scene, node)) return undefined;
    const power = draw.pick(["lose", "mix"] as const);
    operator.holdDown(node.id, { silently, ...(how === "power-cut" && { power }) });
    noteLossBy(end, scene, node);
  } else {
    if (!topology.mayLose(node.id) || plan.storage === "memory") return undefined;
    operator.holdDown(node.id, { silently });
    if (how === "wipe") node.disk.wipe();
    else damageLog(scene, draw, node);
    topology.noteLoss(node, "damage");
  }
  let isHeld = true;
  const letGo = (): void => {
    if (isHeld) operator.letGo(node.id);
    isHeld = false;
  };
  world.time.setTimer(downMs, letGo);
  return letGo;
}

function cutBetween({ world }: FaultScene, some: readonly string[], others: readonly string[]) {
  for (const a of some) for (const b of others) world.network.cut(a, b);
}

function joinBetween({ world }: FaultScene, some: readonly string[], others: readonly string[]) {
  for (const a of some) for (const b of others) world.network.join(a, b);
}
