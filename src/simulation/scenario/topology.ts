import { stampOfRecord } from "../../built-ins.ts";
import { resolveConfiguration } from "../../core/model/configuration.ts";
import type { ResolvedKeyspace } from "../../core/model/configuration-types.ts";
import { shardIndexForKey } from "../../core/model/hash.ts";
import { shardIdOf } from "../../core/model/ids.ts";
import { placeShard } from "../../core/model/placement.ts";
import { majorityOf } from "../../core/model/quorum.ts";
import { compareStamps, type Stamp } from "../../core/model/stamp.ts";
import { stampOfVersionToken } from "../../core/model/version-token.ts";
import { separatePlugIns } from "../../core/store/handed-over.ts";
import type { SimNode } from "../sim-node.ts";
import type { SimWorld } from "../sim-world.ts";
import { KEYSPACE } from "./plan.ts";

/** A replica that came back serves for this long before it is taken for whole again. */
const TRIAL_MS = 1_000;

/** By the end of its process, by damage to its disk, or because an old copy was put in place. */
export type HowLost = "end" | "damage" | "old-copy";

interface Loss {
  /** The start of the node that is the first to know. */
  readonly atStart: number;
  servingSinceMs: number | undefined;
}

/** Which node holds what, and whose loss of it the cluster still suffers from. */
export class Topology {
  readonly keyspace: ResolvedKeyspace;
  /** Per shard: the nodes of its replicas. */
  readonly placements: readonly (readonly string[])[];
  /** Everything that was lost: node, and when. */
  readonly losses: {
    readonly node: string;
    readonly at: number;
    readonly how: HowLost;
  }[] = [];
  readonly #world: SimWorld;
  readonly #weak = new Map<string, Loss>();

  constructor(world: SimWorld, configuration: Readonly<Record<string, unknown>>) {
    this.#world = world;
    const nodes = world.nodes.map(({ id }) => id);
    const plugIn = () => undefined;
    const { plain } = separatePlugIns({
      ...configuration,
      cluster: { nodes },
      transport: plugIn,
      storage: plugIn,
    });
    const resolved = resolveConfiguration(plain);
    this.keyspace = resolved.keyspaces.find(({ name }) => name === KEYSPACE) as ResolvedKeyspace;
    const { hash, shards, replicas } = this.keyspace;
    this.placements = Array.from(
      { length: shards },
      (_, shardIndex) =>
        placeShard({
          keyspaceHash: hash,
          shardIndex,
          replicas,
          nodes: resolved.cluster.nodes,
        }).replicas,
    );
  }

  shardOf(key: string): number {
    const { groupBy, shards } = this.keyspace;
    return shardIndexForKey(Buffer.from(key, "utf8"), groupBy, shards);
  }

  /** The stamp under which a running node holds the key in its state. */
  stampAt(node: SimNode, key: string): Stamp | undefined {
    const shard = shardIdOf(this.keyspace.hash, this.shardOf(key));
    try {
      const record = node.disk.storage?.state.get(shard, "data", Buffer.from(key, "utf8"));
      return record && stampOfRecord(record);
    } catch {
      // A state that is closed or damaged holds nothing that anybody could be given.
      return undefined;
    }
  }

  /** Running nodes that hold the version, or a newer one. */
  holdersOf(key: string, version: string): readonly string[] {
    const wanted = stampOfVersionToken(version);
    const placed = this.placements[this.shardOf(key)] ?? [];
    return this.#world
      .running()
      .filter((node) => {
        if (wanted === undefined || !placed.includes(node.id)) return false;
        const held = this.stampAt(node, key);
        return held !== undefined && compareStamps(held, wanted) >= 0;
      })
      .map(({ id }) => id);
  }

  /** Whether every replica that the node hosts serves. */
  isServing({ life }: SimNode): boolean {
    const description = life?.store?.keyspace(KEYSPACE).describe();
    return description !== undefined && description.hosted === description.serving;
  }

  /** The node has lost what it held, or part of it. Called while it is down. */
  noteLoss(node: SimNode, how: HowLost): void {
    this.losses.push({ node: node.id, at: this.#world.time.nowMs, how });
    this.#weak.set(node.id, { atStart: node.starts + 1, servingSinceMs: undefined });
  }

  /**
   * Whether the node may lose what it holds now, so that every write of a majority is still held by
   * somebody who has not: of each shard, fewer copies than a majority are gone at a time.
   */
  mayLose(id: string): boolean {
    this.#review();
    return this.placements.every((replicas) => {
      if (!replicas.includes(id)) return true;
      const gone = replicas.filter((other) => other === id || this.#weak.has(other));
      return gone.length < majorityOf(replicas.length);
    });
  }

  /** Nodes that have lost something, and have not learned it again. */
  weak(): ReadonlySet<string> {
    this.#review();
    return new Set(this.#weak.keys());
  }

  #review(): void {
    const { nowMs } = this.#world.time;
    for (const [id, loss] of this.#weak) {
      const node = this.#world.node(id);
      const isBack = node.starts >= loss.atStart && this.isServing(node);
      if (!isBack) loss.servingSinceMs = undefined;
      else if (loss.servingSinceMs === undefined) loss.servingSinceMs = nowMs;
      else if (nowMs - loss.servingSinceMs > TRIAL_MS) this.#weak.delete(id);
    }
  }
}
