import type { Draw } from "../draw.ts";

/** Of the moves of what several nodes hold, this share removes some and adds none. */
const SHRINK_SHARE = 0.2;
/** Of the others, this share asks for another number of replicas. */
const RESIZE_SHARE = 0.2;
/** The same of a shard that only one or two nodes hold: it is to be a larger one for most of a seed. */
const GROW_SHARE = 0.8;
/** From one node to two, and not to more at once. */
const BY_ONE_SHARE = 0.4;
const SMALL = 2;
const MOST_REPLICAS = 5;
/** Where nodes are down, this share of the moves takes them before others: to join, or to leave. */
const DOWN_SHARE = 0.5;

export interface GoalScene {
  readonly nodes: readonly string[];
  /** Who holds the shard. */
  readonly current: readonly string[];
  /** Nodes that are down now. */
  readonly down: readonly string[];
  /** So many are to hold it at least. */
  readonly fewest: number;
}

/** Other nodes than the current ones, to hold the shard; undefined: there are none. */
export function drawGoal(draw: Draw, scene: GoalScene): readonly string[] | undefined {
  const { nodes, current, down, fewest } = scene;
  const others = nodes.filter((id) => !current.includes(id));
  const prefersDown = draw.chance(DOWN_SHARE);
  const isDown = (id: string): boolean => prefersDown && down.includes(id);
  const staying = downLast(draw.shuffled(current), isDown);
  const mayShrink = current.length > fewest;
  if (others.length === 0 && !mayShrink) return undefined;
  if (others.length === 0 || (mayShrink && draw.chance(SHRINK_SHARE))) {
    return staying.slice(0, draw.whole(fewest, current.length - 1));
  }
  const joining = downLast(draw.shuffled(others), isDown).reverse();
  const size = Math.max(fewest, drawSize(draw, current.length, nodes.length));
  const least = Math.max(1, size - current.length);
  const count = draw.whole(least, Math.max(least, Math.min(size, joining.length)));
  return [...staying.slice(0, size - count), ...joining.slice(0, count)];
}

function drawSize(draw: Draw, current: number, nodes: number): number {
  const most = Math.min(MOST_REPLICAS, nodes);
  if (current <= SMALL) {
    if (current === most || !draw.chance(GROW_SHARE)) return current;
    if (current < SMALL && draw.chance(BY_ONE_SHARE)) return SMALL;
    return draw.whole(Math.min(SMALL + 1, most), most);
  }
  return draw.chance(RESIZE_SHARE) ? draw.whole(Math.min(SMALL + 1, most), most) : current;
}

function downLast(ids: readonly string[], isDown: (id: string) => boolean): string[] {
  return [...ids.filter((id) => !isDown(id)), ...ids.filter(isDown)];
}
