import type { CoordinatorContext, ShardPlacement } from "../../../core/contracts/machine.ts";
import type { NodeId } from "../../../core/model/ids.ts";
import { membersOf } from "./shard-map.ts";

/**
 * A shard's placement as coordinators work with it. While a change is under way `replicas` are all
 * who take part, and levels have to be met in each of several sets of them.
 */
export interface JointPlacement extends ShardPlacement {
  readonly readSets?: readonly (readonly NodeId[])[];
  readonly writeSets?: readonly (readonly NodeId[])[];
}

/**
 * The same context, with joint placements. Reads stay with the old replicas until the new ones have
 * been streamed, writes go to both. Once the switch is decided reads ask both, too: some nodes have
 * it in force already, and write to the new ones alone.
 *
 * `onNewOnly`: a planted bug.
 */
export function withJointPlacements(
  context: CoordinatorContext,
  onNewOnly = false,
): CoordinatorContext {
  const known = new Map<number, { readonly of: ShardPlacement; readonly joint: JointPlacement }>();
  const placement = (shardIndex: number): JointPlacement => {
    const current = context.placement(shardIndex);
    if (current.pending === undefined && current.leaving === undefined) return current;
    const before = known.get(shardIndex);
    if (before?.of === current) return before.joint;
    const joint = jointOf(current, onNewOnly);
    known.set(shardIndex, { of: current, joint });
    return joint;
  };
  return { ...context, placement };
}

function jointOf(placement: ShardPlacement, onNewOnly: boolean): JointPlacement {
  const { replicas, pending, leaving } = placement;
  const both = [replicas, pending ?? leaving ?? replicas];
  return Object.freeze({
    ...placement,
    replicas: membersOf(placement),
    readSets: pending === undefined ? both : [replicas],
    writeSets: onNewOnly && pending !== undefined ? [pending] : both,
  });
}
