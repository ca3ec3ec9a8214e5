import type { KeyspaceTopology } from "../topology.ts";
import type { KeyGroup } from "./groups.ts";
import { LOCAL_GROUPS } from "./groups.ts";

/** A majority of fewer is each of them: nothing is left of what was written there once one is lost. */
export const LOCAL_COPIES = 2;

/**
 * Keys of `LOCAL_GROUPS`. `local@n4/1` is used in the datacenter of n4, its first node, and nowhere
 * else; `each-local/1` is used everywhere.
 */
export class LocalKeys {
  readonly #datacenters: readonly (readonly string[])[];
  readonly #topology: KeyspaceTopology;
  readonly #keysPerGroup: number;

  constructor(
    datacenters: readonly (readonly string[])[],
    topology: KeyspaceTopology,
    keysPerGroup: number,
  ) {
    this.#datacenters = datacenters;
    this.#topology = topology;
    this.#keysPerGroup = keysPerGroup;
  }

  /** Whether there is more than one datacenter. */
  get isUsed(): boolean {
    return this.#datacenters.length > 1;
  }

  /** A key of the group that may be used through the node. */
  nameFor({ name, write }: KeyGroup, node: string, number: number): string {
    const home = write === "local-quorum" ? `@${this.#near(node)[0]}` : "";
    return `${name}${home}/${number}`;
  }

  all(): readonly string[] {
    if (!this.isUsed) return [];
    const numbers = Array.from({ length: this.#keysPerGroup }, (_, at) => at + 1);
    const firsts = this.#datacenters.map(([first]) => first as string);
    const names = LOCAL_GROUPS.flatMap((group) =>
      firsts.flatMap((first) => numbers.map((number) => this.nameFor(group, first, number))),
    );
    return [...new Set(names)];
  }

  mayUse(key: string, node: string): boolean {
    const home = homeOf(key);
    return home === undefined || this.#near(node).includes(home);
  }

  /** The one through which the key is read in the end; undefined: any. */
  homeOf(key: string): string | undefined {
    return homeOf(key);
  }

  /**
   * Whether what is promised of `local-quorum` is promised of this key: it has copies enough in its
   * datacenter, and they are where they have always been. Of one whose shard is moved a node that is
   * cut off from the switch goes on at levels below the keyspace's own.
   */
  isHeldTo(key: string): boolean {
    const shard = this.#topology.shardOf(key);
    if (this.#topology.wasMoved(shard)) return false;
    const home = homeOf(key);
    if (home === undefined) return true;
    const near = this.#near(home);
    const copies = this.#topology.placements[shard]?.filter((node) => near.includes(node)) ?? [];
    return copies.length >= LOCAL_COPIES;
  }

  #near(node: string): readonly string[] {
    return this.#datacenters.find((nodes) => nodes.includes(node)) ?? [];
  }
}

function homeOf(key: string): string | undefined {
  return /@(.*)\//.exec(key)?.[1];
}
