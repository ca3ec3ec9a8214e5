import type { SimNode } from "../../sim-node.ts";
import type { KeyspaceScene, Violation } from "../strategy-scenario.ts";

const EVERY_MS = 250;
/** Where there are more of them, it looks the less often. */
const SHARDS_AT_A_TIME = 16;
const NAMES = Object.freeze(["term", "commitIndex", "appliedIndex"] as const);

interface ShardDescription {
  readonly shard: number;
  readonly term: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
}

/** What a replica has said of itself, and in which life of its node. */
interface Said extends ShardDescription {
  readonly start: number;
}

/**
 * Looks at the replicas now and then: in one life of a node term, commit and applied index never
 * fall. A term that was not durable yet, and was told to nobody, may be gone after a restart; and a
 * store that was found damaged begins anew.
 */
export class ReplicaTerms {
  readonly violations: Violation[] = [];
  readonly #scene: KeyspaceScene;
  readonly #onCommitIndex: (node: string, shard: number, index: number, term: number) => void;
  readonly #said = new Map<string, Said>();
  #isBegun = false;
  #isStopped = false;

  /** @param onCommitIndex told what each replica says of its commit index and term, whenever it is looked at. */
  constructor(
    scene: KeyspaceScene,
    onCommitIndex: (node: string, shard: number, index: number, term: number) => void,
  ) {
    this.#scene = scene;
    this.#onCommitIndex = onCommitIndex;
  }

  begin(): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    this.#watch();
  }

  stop(): void {
    this.#isStopped = true;
  }

  #watch(): void {
    if (this.#isStopped) return;
    const { world, keyspace } = this.#scene;
    for (const node of world.nodes) this.#look(node);
    const times = Math.ceil(keyspace.keyspace.shards / SHARDS_AT_A_TIME);
    world.time.setTimer(times * EVERY_MS, () => this.#watch());
  }

  #look(node: SimNode): void {
    const { topology, plan } = this.#scene;
    const { id, life, starts: start } = node;
    const store = life?.store;
    if (store === undefined || topology.wasDamaged(id)) return;
    const { shards } = store.keyspace(plan.name).describe() as {
      readonly shards: readonly ShardDescription[];
    };
    for (const { shard, term, commitIndex, appliedIndex } of shards) {
      this.#onCommitIndex(id, shard, commitIndex, term);
      this.#compare(node, { shard, term, commitIndex, appliedIndex, start });
    }
  }

  #compare({ id }: SimNode, said: Said): void {
    const { shard, start } = said;
    const place = `${id}/${shard}`;
    const before = this.#said.get(place);
    this.#said.set(place, said);
    if (before?.start !== start) return;
    for (const name of NAMES) {
      if (said[name] >= before[name]) continue;
      const message = `${id}, shard ${shard}: ${name} falls from ${before[name]} to ${said[name]}`;
      this.violations.push({ check: `${name}-falls`, message });
    }
  }
}
