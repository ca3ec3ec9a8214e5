/**
 * A shard's replicas are one group, with one log. Where a majority of them is lost for good, one that
 * is left begins another group with what it has (`Consensus.recover`), whose terms lie above all those
 * of the group before it: `term = group × 2^32 + term within the group`. So every message and every
 * entry says of which group it is.
 *
 * Invariant: no replica takes part in two groups with one log: who hears of a later group than its own
 * counts for nothing until it has that group's state in place of its own.
 */
const TERMS = 4_294_967_296;
/** Replicas that recover at the same time must not begin the same group. */
const PER_RECOVERY = 1_024;
const PER_NODE = 16;

export function groupOf(term: number): number {
  return Math.floor(term / TERMS);
}

/**
 * The first term of a group behind that of `term`, which nobody else begins.
 *
 * @param rank of the node among those of the configuration, below 64.
 */
export function firstTermBehind(term: number, rank: number, random: number): number {
  const recoveries = Math.floor(groupOf(term) / PER_RECOVERY) + 1;
  return (recoveries * PER_RECOVERY + rank * PER_NODE + (random % PER_NODE)) * TERMS;
}
