import type { Environment, TimerHandle } from "../../core/contracts/environment.ts";
import type {
  Generation,
  Space,
  StateBatch,
  StateStore,
  StateStoreCapabilities,
  StateView,
} from "../../core/contracts/storage.ts";
import { CapstanError } from "../../core/model/errors.ts";
import { type LogPosition, NO_POSITION, type ShardId } from "../../core/model/ids.ts";
import { checkBatch, type Generations } from "./batch-check.ts";
import { MemoryStateView, type ViewKeeper } from "./memory-state-view.ts";
import { ShardState } from "./shard-state.ts";

/** A view keeps what was overwritten since: long enough for a slow stream, short of for ever. */
const MAX_VIEW_AGE_MS = 60_000;

/** The state of a node that keeps nothing over a restart. */
export class MemoryStateStore implements StateStore, ViewKeeper, Generations {
  readonly capabilities: StateStoreCapabilities = Object.freeze({
    persistent: false,
    maxViewAgeMs: MAX_VIEW_AGE_MS,
    maxPendingBytes: Number.POSITIVE_INFINITY,
  });
  readonly pendingBytes = 0;
  readonly #environment: Environment;
  readonly #shards = new Map<ShardId, ShardState>();
  /** In the order of opening, and so of expiry. */
  readonly #views = new Set<MemoryStateView>();
  #expiry: TimerHandle | undefined;
  #committedPosition = NO_POSITION;
  #isStarted = false;
  #isOpen = true;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** Nothing here can fail: the handler is never called. */
  start(_handlers: { onFailed(error: Error): void }): void {
    if (this.#isStarted) throw new TypeError("the state was started before");
    this.#isStarted = true;
  }

  get(shard: ShardId, space: Space, key: Uint8Array): Uint8Array | undefined {
    this.#checkOpen();
    return this.#shards.get(shard)?.current[space]?.get(key);
  }

  view(shard: ShardId): StateView {
    this.#checkOpen();
    const expiresAtMs = this.#environment.monotonicMs() + MAX_VIEW_AGE_MS;
    const view = new MemoryStateView(this, this.#shards.get(shard)?.current, expiresAtMs);
    this.#views.add(view);
    this.#expiry ??= this.#environment.setTimer(MAX_VIEW_AGE_MS, this.#closeExpired);
    return view;
  }

  shards(): readonly { readonly shard: ShardId; readonly generation: Generation }[] {
    this.#checkOpen();
    return [...this.#shards]
      .filter(([, state]) => !state.isEmpty)
      .map(([shard, { generation }]) => ({ shard, generation }));
  }

  newGeneration(shard: ShardId): Generation {
    this.#checkOpen();
    return this.#shardState(shard).newGeneration();
  }

  commit(batch: StateBatch): void {
    this.#checkOpen();
    checkBatch(batch, this.#committedPosition, this);
    for (const mutation of batch.mutations) this.#shardState(mutation.shard).apply(mutation);
    this.#committedPosition = batch.position;
  }

  get committedPosition(): LogPosition {
    return this.#committedPosition;
  }

  get durablePosition(): LogPosition {
    return this.#committedPosition;
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const view of [...this.#views]) view.close();
    if (this.#expiry !== undefined) this.#environment.clearTimer(this.#expiry);
    this.#shards.clear();
  }

  nowMs(): number {
    return this.#environment.monotonicMs();
  }

  forget(view: MemoryStateView): void {
    this.#views.delete(view);
  }

  isKnown(shard: ShardId, generation: Generation): boolean {
    return this.#shardState(shard).isKnown(generation);
  }

  /** One timer for all views: a scan that opens and closes a view sets none of its own. */
  readonly #closeExpired = (): void => {
    this.#expiry = undefined;
    const nowMs = this.nowMs();
    for (const view of [...this.#views]) {
      if (view.expiresAtMs <= nowMs) view.close();
    }
    const [oldest] = this.#views;
    if (oldest === undefined || !this.#isOpen) return;
    const delayMs = oldest.expiresAtMs - nowMs;
    this.#expiry = this.#environment.setTimer(delayMs, this.#closeExpired);
  };

  #shardState(shard: ShardId): ShardState {
    let state = this.#shards.get(shard);
    if (state === undefined) {
      state = new ShardState();
      this.#shards.set(shard, state);
    }
    return state;
  }

  #checkOpen(): void {
    if (!this.#isOpen) throw new CapstanError("STORE_CLOSED", "the state is closed");
  }
}
