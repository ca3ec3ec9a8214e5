import type { Environment } from "../../core/contracts/environment.ts";
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
import { checkBatch, type Generations } from "../batch-check.ts";
import { OpenViews } from "../open-views.ts";
import { MemoryStateView } from "./memory-state-view.ts";
import { ShardState } from "./shard-state.ts";

/** A view keeps what was overwritten since: long enough for a slow stream, short of for ever. */
const MAX_VIEW_AGE_MS = 60_000;

/** The state of a node that keeps nothing over a restart. */
export class MemoryStateStore implements StateStore, Generations {
  readonly capabilities: StateStoreCapabilities = Object.freeze({
    persistent: false,
    maxViewAgeMs: MAX_VIEW_AGE_MS,
    maxPendingBytes: Number.POSITIVE_INFINITY,
  });
  readonly pendingBytes = 0;
  readonly #shards = new Map<ShardId, ShardState>();
  readonly #views: OpenViews<MemoryStateView>;
  #committedPosition = NO_POSITION;
  #isStarted = false;
  #isOpen = true;

  constructor(environment: Environment) {
    this.#views = new OpenViews(environment, MAX_VIEW_AGE_MS);
  }

  /** Nothing here can fail: the handler is never called. */
  start(_handlers: { onFailed(error: Error): void }): void {
    if (this.#isStarted) throw new TypeError("the state was started before");
    this.#isStarted = true;
  }

  get(shard: ShardId, space: Space, key: Uint8Array, text?: string): Uint8Array | undefined {
    this.#checkOpen();
    return this.#shards.get(shard)?.current[space]?.get(key, text);
  }

  view(shard: ShardId): StateView {
    this.#checkOpen();
    const current = this.#shards.get(shard)?.current;
    return this.#views.open(
      (expiresAtMs) => new MemoryStateView(this.#views, current, expiresAtMs),
    );
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

  /** As durable as it will ever be. */
  hasten(done: () => void): void {
    this.#checkOpen();
    done();
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
    this.#views.closeAll();
    this.#shards.clear();
  }

  isKnown(shard: ShardId, generation: Generation): boolean {
    return this.#shardState(shard).isKnown(generation);
  }

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
