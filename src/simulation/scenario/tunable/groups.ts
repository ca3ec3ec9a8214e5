import type { Level } from "../../../core/model/levels.ts";

/** Which promise a group of keys is held to. */
export type Promised = "linearizable" | "regular" | "forward" | "nothing";

/** Keys that are always written at one level and read at another. */
export interface KeyGroup {
  readonly name: string;
  readonly write: Level;
  readonly read: Level;
  readonly promised: Promised;
  /** Of all operations, as a share; together 1. */
  readonly share: number;
}

/**
 * `quorum` reads see `quorum` writes, and `one` reads those of `all`, because any R and W of them
 * share a replica, and any two W. Where two writes need not meet (`one`), the one with the later
 * stamp wins, which the slower clock need not have: then nothing is promised but that no
 * acknowledged write is lost. A `strong` read is in the majority before it answers: whatever wrote
 * it, no later `strong` read goes back behind it.
 */
export const GROUPS: readonly KeyGroup[] = Object.freeze<KeyGroup[]>([
  { name: "strong", write: "strong", read: "strong", promised: "linearizable", share: 0.35 },
  { name: "quorum-strong", write: "quorum", read: "strong", promised: "forward", share: 0.15 },
  { name: "quorum", write: "quorum", read: "quorum", promised: "regular", share: 0.2 },
  { name: "all-one", write: "all", read: "one", promised: "regular", share: 0.1 },
  { name: "one-all", write: "one", read: "all", promised: "nothing", share: 0.1 },
  { name: "one", write: "one", read: "one", promised: "nothing", share: 0.1 },
]);

/**
 * Where nodes are in several datacenters, each key of these is used in one of them alone: that is what
 * `local-quorum` promises something of. A write at `each-quorum` is seen in every one.
 */
export const LOCAL_GROUPS: readonly KeyGroup[] = Object.freeze<KeyGroup[]>([
  {
    name: "local",
    ...{ write: "local-quorum", read: "local-quorum", promised: "regular", share: 0.5 },
  },
  {
    name: "each-local",
    ...{ write: "each-quorum", read: "local-quorum", promised: "regular", share: 0.5 },
  },
]);

export const ALL_GROUPS: readonly KeyGroup[] = Object.freeze([...GROUPS, ...LOCAL_GROUPS]);

export function groupOf(key: string): KeyGroup {
  const name = key.slice(0, key.lastIndexOf("/")).replace(/@.*/, "");
  const group = ALL_GROUPS.find((each) => each.name === name);
  if (group === undefined) throw new Error(`key ${JSON.stringify(key)} belongs to no group`);
  return group;
}
