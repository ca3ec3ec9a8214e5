import type { SimNode } from "../sim-node.ts";
import type { CrashOptions, SimWorld } from "../sim-world.ts";
import type { CutEffect } from "../simulated-file.ts";
import type { CopyWatch } from "./copy-watch.ts";
import type { Draw } from "./draw.ts";
import { damageLog, losesBy, mayLoseBy, noteLossBy } from "./loss.ts";
import { movingMajority } from "./moving-majority.ts";
import { NETWORK_FAULTS } from "./network-faults.ts";
import type { Operator } from "./operator.ts";
import { type FaultKind, MAX_AHEAD_MS, type ScenarioPlan } from "./plan.ts";
import type { Topology } from "./topology.ts";

/** What faults work on. */
export interface FaultScene {
  readonly world: SimWorld;
  readonly plan: ScenarioPlan;
  readonly operator: Operator;
  readonly topology: Topology;
  readonly copies: CopyWatch;
}

export type Undo = () => void;

export interface Fault {
  readonly durationMs: number;
  readonly undo: Undo;
}

/** Begins a fault; undefined if it cannot come now. */
export type FaultStart = (scene: FaultScene, draw: Draw) => Fault | undefined;

const MAX_DOWN_MS = 8_000;
const CUTS: readonly CutEffect[] = Object.freeze(["keep", "lose", "mix", "mix"]);

export const FAULTS: Readonly<Record<FaultKind, FaultStart>> = Object.freeze({
  ...NETWORK_FAULTS,
  kill: (scene, draw) => crash(scene, draw, { silently: draw.chance(0.3) }),
  "power-cut": (scene, draw) =>
    crash(scene, draw, { silently: draw.chance(0.7), power: draw.pick(CUTS) }),
  "power-cut-of-all": (scene, draw) => {
    const { world, operator } = scene;
    if (losesBy("power", scene)) return undefined;
    const down = world.nodes.map(({ id }) => id);
    for (const id of down) operator.holdDown(id, { power: draw.pick(CUTS), silently: true });
    return {
      durationMs: draw.between(100, 2_000),
      undo: () => {
        for (const id of down) operator.letGo(id);
      },
    };
  },
  pause: (scene, draw) => pause(scene, draw, draw.magnitude(200, 10_000)),
  stall: (scene, draw) => pause(scene, draw, draw.magnitude(20, 800)),
  wipe: (scene, draw) => replaceDisk(scene, draw, (node) => node.disk.wipe()),
  "old-copy": (scene, draw) => {
    const node = runningNode(scene, draw);
    if (node === undefined || scene.plan.storage === "memory") return undefined;
    const copy = node.disk.copy();
    const logPosition = node.disk.storage?.log.syncedPosition ?? 0;
    // Who has others in the group today decides by such a copy without them, before they can say what it is.
    const wasAlone = scene.topology.decidesAlone(node.id);
    // Where somebody does not know of the later state the copy may count, and nothing is promised:
    // a few have to show that the others still stand.
    const isBold = draw.chance(scene.plan.boldCopies);
    return {
      durationMs: draw.between(500, 8_000),
      undo: () => {
        const isThere = node.life !== undefined && scene.topology.mayLose(node.id);
        if (!isThere || wasAlone) return;
        const { storeId } = node.disk;
        const of = { storeId: copy.storeId, logPosition };
        if (!isBold && !scene.copies.everybodyKnows(node.id, storeId, of)) return;
        scene.operator.holdDown(node.id, { silently: draw.chance(0.5) });
        node.disk.restore(copy);
        scene.topology.noteLoss(node, "old-copy");
        scene.copies.placed(node.id, node.disk.storeId);
        scene.operator.letGo(node.id);
      },
    };
  },
  "clock-step": ({ world }, draw) => {
    const node = draw.pick(world.nodes);
    node.clock.setAhead(draw.between(-MAX_AHEAD_MS, MAX_AHEAD_MS));
    return { durationMs: 0, undo: () => undefined };
  },
  "clock-rate": ({ world }, draw) => {
    const node = draw.pick(world.nodes);
    node.clock.setRate(1 + draw.between(-0.01, 0.01));
    return { durationMs: draw.between(1_000, 20_000), undo: () => node.clock.setRate(1) };
  },
  "slow-disk": ({ world, plan }, draw) => {
    const { disk } = draw.pick(world.nodes);
    disk.latencyMs = plan.diskLatencyMs * draw.magnitude(5, 200);
    return {
      durationMs: draw.between(500, 8_000),
      undo: () => {
        disk.latencyMs = plan.diskLatencyMs;
      },
    };
  },
  "hung-disk": (scene, draw) => {
    const node = runningNode(scene, draw);
    if (node === undefined || scene.plan.storage === "memory") return undefined;
    const { files } = node.disk;
    files.stalled = draw.pick(["sync", "write"] as const);
    return {
      durationMs: draw.magnitude(200, 8_000),
      undo: () => {
        // What waited for the disk is lost with the power, which is when a word too early shows.
        const isCut = draw.chance(0.5) && node.life !== undefined;
        if (isCut && mayLoseBy("power", scene, node)) {
          const power = draw.pick(["lose", "mix"] as const);
          scene.operator.holdDown(node.id, { power, silently: draw.chance(0.5) });
          noteLossBy("power", scene, node);
          scene.world.time.setTimer(draw.magnitude(20, 2_000), () => scene.operator.letGo(node.id));
        }
        files.resume();
      },
    };
  },
  "full-disk": (scene, draw) => {
    const node = runningNode(scene, draw);
    if (node === undefined || !mayLoseBy("power", scene, node)) return undefined;
    if (scene.plan.storage === "memory") return undefined;
    const { files } = node.disk;
    files.capacityBytes = 0;
    noteLossBy("power", scene, node);
    return {
      durationMs: draw.between(500, 5_000),
      undo: () => {
        files.capacityBytes = Number.POSITIVE_INFINITY;
      },
    };
  },
  "failed-sync": (scene, draw) => {
    const node = runningNode(scene, draw);
    if (node === undefined || !mayLoseBy("power", scene, node)) return undefined;
    if (scene.plan.storage === "memory") return undefined;
    node.disk.files.failNext("sync", "EIO", draw.whole(0, 5));
    scene.topology.noteDamage(node.id);
    noteLossBy("power", scene, node);
    return { durationMs: 0, undo: () => undefined };
  },
  "flipped-bit": (scene, draw) => {
    if (scene.plan.storage === "memory") return undefined;
    return replaceDisk(scene, draw, (node) => damageLog(scene, draw, node));
  },
  "moving-majority": movingMajority,
});

function runningNode({ world }: FaultScene, draw: Draw): SimNode | undefined {
  const running = world.running();
  return running.length === 0 ? undefined : draw.pick(running);
}

function crash(scene: FaultScene, draw: Draw, options: CrashOptions): Fault | undefined {
  const node = runningNode(scene, draw);
  const end = options.power === undefined ? "kill" : "power";
  if (node === undefined || !mayLoseBy(end, scene, node)) return undefined;
  scene.operator.holdDown(node.id, options);
  noteLossBy(end, scene, node);
  return {
    durationMs: draw.magnitude(50, MAX_DOWN_MS),
    undo: () => scene.operator.letGo(node.id),
  };
}

function pause({ world }: FaultScene, draw: Draw, durationMs: number): Fault | undefined {
  const running = world.running().filter(({ life }) => life?.environment.isPaused === false);
  if (running.length === 0) return undefined;
  const { environment } = (draw.pick(running).life ?? {}) as NonNullable<SimNode["life"]>;
  environment.pause();
  return { durationMs, undo: () => environment.resume() };
}

/** The machine is off while somebody does something to its disk. */
function replaceDisk(
  scene: FaultScene,
  draw: Draw,
  change: (node: SimNode) => void,
): Fault | undefined {
  const node = runningNode(scene, draw);
  if (node === undefined || !scene.topology.mayLose(node.id)) return undefined;
  scene.operator.holdDown(node.id, { silently: draw.chance(0.5) });
  change(node);
  scene.topology.noteLoss(node, "damage");
  return {
    durationMs: draw.magnitude(50, MAX_DOWN_MS),
    undo: () => scene.operator.letGo(node.id),
  };
}
