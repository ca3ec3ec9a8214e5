import { raftBooksOf } from "../../../built-ins.ts";
import type { StateBatch, StateMutation, StateStore } from "../../../core/contracts/storage.ts";
import { keyspaceHashOf, type ShardId } from "../../../core/model/ids.ts";
import type { Violation } from "../strategy-scenario.ts";

interface BooksSeen {
  readonly appliedIndex: number;
  readonly salt: number;
  readonly chain: number;
}

/** Looks at each commit of a replica's state: equal states at equal indices that never fall. */
export class ReplicaStates {
  readonly violations: Violation[] = [];
  readonly #keyspaceHash: number;
  /** By shard, life and index: the chain of the first replica that has applied so far. */
  readonly #chains = new Map<string, { readonly chain: number; readonly node: string }>();

  constructor(keyspaceHash: number) {
    this.#keyspaceHash = keyspaceHash;
  }

  onCommit(node: string, state: StateStore, { mutations }: StateBatch): void {
    for (const mutation of mutations) {
      if (mutation.type !== "put" || mutation.space !== "data") continue;
      if (keyspaceHashOf(mutation.shard) !== this.#keyspaceHash) continue;
      const books = raftBooksOf(mutation.key, mutation.value);
      if (books === undefined) continue;
      this.#checkChain(node, mutation.shard, books);
      this.#checkRise(node, state, mutation, books.appliedIndex);
    }
  }

  #checkChain(node: string, shard: ShardId, { appliedIndex, salt, chain }: BooksSeen): void {
    const place = `${shard}/${salt}/${appliedIndex}`;
    const first = this.#chains.get(place);
    if (first === undefined) this.#chains.set(place, { chain, node });
    else if (first.chain !== chain) {
      this.#violate(
        "equal-states",
        `${node} and ${first.node} have applied ${appliedIndex} entries of shard ${shard}, and differ`,
      );
    }
  }

  #checkRise(
    node: string,
    state: StateStore,
    { shard, key, generation }: Extract<StateMutation, { type: "put" }>,
    appliedIndex: number,
  ): void {
    const held = generation === undefined ? state.get(shard, "data", key) : undefined;
    const before = held === undefined ? undefined : raftBooksOf(key, held)?.appliedIndex;
    if (before === undefined || before <= appliedIndex) return;
    this.#violate("applied-falls", `${node}: from ${before} to ${appliedIndex} in shard ${shard}`);
  }

  #violate(check: string, message: string): void {
    this.violations.push({ check, message });
  }
}
