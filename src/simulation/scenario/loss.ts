import { DURABILITIES, type Durability } from "../../core/model/durability.ts";
import type { SimNode } from "../sim-node.ts";
import type { Draw } from "./draw.ts";
import type { FaultScene } from "./faults.ts";

export type EndOfProcess = "kill" | "power";

/** Of the flipped bits, this share hits what was written last: most of a log is of no use any more. */
const AIMED_SHARE = 0.7;
const NEWEST_BYTES = 2_048;
/** Both the header and the trailer of a short batch lie in one sector: no bit hits both. */
const ZEROED_SHARE = 0.5;

/** Whether a process that ends like this takes with it what some keyspace has acknowledged. */
export function losesBy(end: EndOfProcess, { plan, topology }: FaultScene): boolean {
  if (plan.storage === "memory") return true;
  const kept: Durability = end === "kill" ? "os" : "fsync";
  return DURABILITIES.indexOf(topology.durability) < DURABILITIES.indexOf(kept);
}

export function mayLoseBy(end: EndOfProcess, scene: FaultScene, { id }: SimNode): boolean {
  return !losesBy(end, scene) || scene.topology.mayLose(id);
}

export function noteLossBy(end: EndOfProcess, scene: FaultScene, node: SimNode): void {
  if (losesBy(end, scene)) scene.topology.noteLoss(node, "end");
}

/**
 * One bit of what was written to some file of the log is another one, or a whole sector is zeros.
 * The node has to be down.
 */
export function damageLog({ topology }: FaultScene, draw: Draw, { id, disk }: SimNode): void {
  const { files } = disk;
  const paths = files.files().sort();
  if (paths.length === 0) return;
  const isAimed = draw.chance(AIMED_SHARE);
  const any = files.content(draw.pick(paths));
  const content = isAimed ? (files.newestFile ?? any) : any;
  const end = content.writtenBytes;
  if (end === 0) return;
  const from = isAimed ? Math.max(0, end - NEWEST_BYTES) : 0;
  if (draw.chance(ZEROED_SHARE)) content.zeroSector(draw.whole(from, end - 1));
  else content.flip(draw.whole(from * 8, end * 8 - 1));
  topology.noteDamage(id);
}
