import type { CoordinatorContext } from "../../core/contracts/machine.ts";
import type { NodeId } from "../../core/model/ids.ts";

/**
 * Who is to name a new write: this node where it holds a copy, since nothing has to be forwarded
 * then; else a replica that can be reached; else, where availability is preferred, a stand-in.
 */
export function chooseMinter(
  context: CoordinatorContext,
  shardIndex: number,
  withStandIns: boolean,
): NodeId | undefined {
  const { replicas, standIns } = context.placement(shardIndex);
  const self = context.self.node;
  const isServing = context.servingState(shardIndex) !== undefined;
  if (isServing) return self;
  const others = replicas.filter((node) => node !== self);
  const reachable = others.find((node) => context.isReachable(node));
  if (reachable !== undefined) return reachable;
  // A copy that is being rebuilt can name events: its actor is new, and its copy grows only.
  if (replicas.includes(self)) return self;
  if (!withStandIns) return undefined;
  if (standIns.includes(self)) return self;
  return standIns.find((node) => context.isReachable(node));
}
