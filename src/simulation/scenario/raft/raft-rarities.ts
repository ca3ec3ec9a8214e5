import type { StoreEvent } from "../../../core/store/api.ts";
import type { SimNode } from "../../sim-node.ts";
import type { KeyspaceScene } from "../strategy-scenario.ts";

/** Rare states that it notices. */
export const RARITIES_SOMETIMES = Object.freeze([
  "a raft leader was elected while joint",
  "a snapshot was installed while its leader went on",
  "a raft read waited across a change of term",
] as const);

type Rarity = (typeof RARITIES_SOMETIMES)[number];

interface Configured {
  readonly index: number;
  readonly isJoint: boolean;
}

/** Notices, by what replicas tell of themselves, states that few seeds come to. */
export class RaftRarities {
  readonly #scene: KeyspaceScene;
  readonly #counts = new Map<Rarity, number>();
  /** By shard: the newest configuration that was committed. */
  readonly #configured = new Map<number, Configured>();
  /** By node and shard. */
  readonly #terms = new Map<string, number>();
  /** By shard, receiver and index: whose snapshot it is, and the end of that log when it began. */
  readonly #snapshots = new Map<string, { readonly from: string; readonly lastIndex: number }>();

  constructor(scene: KeyspaceScene) {
    this.#scene = scene;
  }

  onEvent(node: string, event: StoreEvent): void {
    if (event.keyspace !== this.#scene.plan.name) return;
    const shard = Number(event.shard);
    if (event.type === "raft-configuration") this.#onConfiguration(shard, event);
    else if (event.type === "raft-standing") this.#onStanding(node, shard, event);
    else if (event.type === "raft-snapshot-started") {
      const lastIndex = this.#lastIndexAt(node, shard);
      if (lastIndex === undefined) return;
      this.#snapshots.set(`${shard}/${event.to}/${event.index}`, { from: node, lastIndex });
    } else if (event.type === "raft-snapshot-installed") {
      const begun = this.#snapshots.get(`${shard}/${node}/${event.index}`);
      if (begun === undefined) return;
      const lastIndex = this.#lastIndexAt(begun.from, shard) ?? 0;
      if (lastIndex > begun.lastIndex)
        this.#count("a snapshot was installed while its leader went on");
    }
  }

  /** The term of the key's replica at the node, as far as that has told it; for `onRead`. */
  termAt({ id }: SimNode, key: string): number | undefined {
    return this.#terms.get(`${id}/${this.#scene.keyspace.shardOf(key)}`);
  }

  /** A read that had to ask the others was answered; it began in that term. */
  onRead(node: SimNode, key: string, began: number | undefined): void {
    const now = this.termAt(node, key);
    if (began === undefined || now === undefined || now <= began) return;
    this.#count("a raft read waited across a change of term");
  }

  sometimes(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }

  #onConfiguration(shard: number, { configuration, index }: StoreEvent): void {
    if (Number(index) < (this.#configured.get(shard)?.index ?? 0)) return;
    const { outgoing } = configuration as { readonly outgoing: readonly unknown[] };
    this.#configured.set(shard, { index: Number(index), isJoint: outgoing.length > 0 });
  }

  #onStanding(node: string, shard: number, { role, term }: StoreEvent): void {
    this.#terms.set(`${node}/${shard}`, Number(term));
    const isJoint = this.#configured.get(shard)?.isJoint === true;
    if (role === "leader" && isJoint) this.#count("a raft leader was elected while joint");
  }

  #lastIndexAt(node: string, shard: number): number | undefined {
    const { world, plan } = this.#scene;
    const described = world.node(node).life?.store?.keyspace(plan.name).describe() as
      | { readonly shards: readonly { readonly shard: number; readonly lastIndex?: number }[] }
      | undefined;
    return described?.shards.find((each) => each.shard === shard)?.lastIndex;
  }

  #count(rarity: Rarity): void {
    this.#counts.set(rarity, (this.#counts.get(rarity) ?? 0) + 1);
  }
}
