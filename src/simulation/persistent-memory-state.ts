import type { Environment, TimerHandle } from "../core/contracts/environment.ts";
import {
  type Generation,
  SPACES,
  type Space,
  type StateBatch,
  StateDamageError,
  type StateMutation,
  type StateStore,
  type StateView,
} from "../core/contracts/storage.ts";
import type { LogPosition, ShardId } from "../core/model/ids.ts";
import { MemoryStateStore } from "../storage/memory/memory-state-store.ts";

/** What a crash leaves of a state: whole commits, `synced ≤ batches.length` of them durable. */
export class StateDisk {
  batches: StateBatch[] = [];
  synced = 0;
  /** How long a sync takes; 0: until the next turn. */
  syncMs = 0;
  maxPendingBytes = Number.POSITIVE_INFINITY;
  readonly #damaged = new Set<string>();
  /** Of which nobody can say where they are broken. */
  readonly #damagedShards = new Set<ShardId>();

  damage(shard: ShardId, space: Space, key: Uint8Array): void {
    this.#damaged.add(nameOf(shard, space, key));
  }

  damageShard(shard: ShardId): void {
    this.#damagedShards.add(shard);
  }

  check(shard: ShardId, space: Space, key: Uint8Array): void {
    if (this.#damaged.size + this.#damagedShards.size === 0) return;
    if (this.#damagedShards.has(shard)) {
      throw new StateDamageError(shard, `the state of shard ${shard} is damaged`);
    }
    const name = nameOf(shard, space, key);
    if (!this.#damaged.has(name)) return;
    throw new StateDamageError(shard, `the entry ${name} is damaged`, { space, key });
  }

  /** What is written anew, or given up, is whole again. */
  heal({ mutations }: StateBatch): void {
    if (this.#damaged.size + this.#damagedShards.size === 0) return;
    for (const mutation of mutations) {
      if (mutation.type === "put" || mutation.type === "delete") {
        this.#damaged.delete(nameOf(mutation.shard, mutation.space, mutation.key));
      } else if (mutation.type === "switch-generation") {
        this.#damagedShards.delete(mutation.shard);
        const ofShard = `${mutation.shard}/`;
        for (const name of this.#damaged) if (name.startsWith(ofShard)) this.#damaged.delete(name);
      }
    }
  }

  /** The same, to go on by itself: a copy of the files. */
  copy(): StateDisk {
    const copy = new StateDisk();
    copy.batches = this.batches.slice(0, this.synced);
    copy.synced = this.synced;
    for (const name of this.#damaged) copy.#damaged.add(name);
    for (const shard of this.#damagedShards) copy.#damagedShards.add(shard);
    return copy;
  }
}

/** Commits that wait for the log look again this much later. */
const RETRY_MS = 10;

export interface PersistentMemoryStateOptions {
  /** A commit of this position may not reach the disk yet: the log has to come first. */
  readonly mustWait: (position: number) => boolean;
  /** Of each sync, in milliseconds. Default: it ends with the next turn. */
  readonly latencyMs?: () => number;
  /** Called before a commit takes effect, with the state as it is. */
  readonly onCommit?: (state: StateStore, batch: StateBatch) => void;
}

/** Commits go to the disk and to a `MemoryStateStore`, which serves the reads. */
export class PersistentMemoryState implements StateStore {
  readonly capabilities: StateStore["capabilities"];
  failNextSync = false;
  readonly #disk: StateDisk;
  readonly #environment: Environment;
  readonly #options: PersistentMemoryStateOptions;
  readonly #index: MemoryStateStore;
  #handlers: { onFailed(error: Error): void } | undefined;
  #isSyncing = false;
  #dead: string | undefined;
  #failed: Error | undefined;
  #closing: Promise<void> | undefined;
  #retry: TimerHandle | undefined;
  #whenSynced: (() => void) | undefined;
  /** Each waits until that many batches are durable. */
  #hastened: { readonly batches: number; readonly done: () => void }[] = [];
  /** Of the batches from `synced` on: asked for at the end of every turn. */
  #pendingBytes = 0;

  constructor(disk: StateDisk, environment: Environment, options: PersistentMemoryStateOptions) {
    this.#options = options;
    this.#disk = disk;
    this.#environment = environment;
    this.#index = new MemoryStateStore(environment);
    const { maxPendingBytes } = disk;
    const own = { persistent: true, maxPendingBytes };
    this.capabilities = Object.freeze({ ...this.#index.capabilities, ...own });
    disk.batches = disk.batches.length === 0 ? [] : restore(disk.batches, this.#index, environment);
    disk.synced = disk.batches.length;
  }

  start(handlers: { onFailed(error: Error): void }): void {
    if (this.#handlers !== undefined) throw new TypeError("the state was started before");
    this.#handlers = handlers;
  }

  get(shard: ShardId, space: Space, key: Uint8Array): Uint8Array | undefined {
    this.#checkOpen();
    this.#disk.check(shard, space, key);
    return this.#index.get(shard, space, key);
  }

  view(shard: ShardId): StateView {
    this.#checkOpen();
    const view = this.#index.view(shard);
    return {
      get: (space, key) => {
        this.#disk.check(shard, space, key);
        return view.get(space, key);
      },
      range: (space, from, to, limitBytes, limitEntries) => {
        const range = view.range(space, from, to, limitBytes, limitEntries);
        for (const { key } of range.entries) this.#disk.check(shard, space, key);
        return range;
      },
      prolong: () => view.prolong?.(),
      close: () => view.close(),
    };
  }

  shards(): readonly { readonly shard: ShardId; readonly generation: Generation }[] {
    this.#checkOpen();
    return this.#index.shards();
  }

  newGeneration(shard: ShardId): Generation {
    this.#checkOpen();
    return this.#index.newGeneration(shard);
  }

  commit(batch: StateBatch): void {
    this.#checkOpen();
    if (this.#failed !== undefined) throw this.#failed;
    this.#options.onCommit?.(this.#index, batch);
    this.#index.commit(batch);
    this.#disk.heal(batch);
    this.#disk.batches.push(batch);
    this.#pendingBytes += bytesOf(batch);
    this.#sync();
  }

  hasten(done: () => void): void {
    this.#checkOpen();
    const { batches, synced } = this.#disk;
    if (this.#failed !== undefined) return;
    if (synced >= batches.length) done();
    else this.#hastened.push({ batches: batches.length, done });
  }

  get committedPosition(): LogPosition {
    return this.#index.committedPosition;
  }

  get durablePosition(): LogPosition {
    return (this.#disk.batches[this.#disk.synced - 1]?.position ?? 0) as LogPosition;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** The process is gone: nothing of this object may reach the disk or a handler any more. */
  kill(why: string): void {
    this.#dead = why;
    void this.#index.close();
  }

  async #close(): Promise<void> {
    if (this.#retry !== undefined) this.#environment.clearTimer(this.#retry);
    if (this.#failed === undefined && this.#dead === undefined) {
      this.#noteSynced(this.#coveredCommits());
    }
    if (this.#isSyncing && this.#dead === undefined) {
      await new Promise<void>((resolve) => {
        this.#whenSynced = resolve;
      });
    }
    await this.#index.close();
    this.#dead ??= "the state is closed";
  }

  #sync(): void {
    if (this.#isSyncing || this.#failed !== undefined || this.#dead !== undefined) return;
    if (this.#disk.batches.length <= this.#disk.synced) return;
    this.#isSyncing = true;
    const synced = (): void => {
      this.#isSyncing = false;
      if (this.#dead === undefined) this.#synced();
      this.#whenSynced?.();
    };
    const syncMs = this.#options.latencyMs?.() ?? this.#disk.syncMs;
    if (syncMs === 0) this.#environment.soon(synced);
    else this.#environment.setTimer(syncMs, synced);
  }

  #synced(): void {
    if (this.failNextSync) {
      this.#failed = new Error("the commit of the state failed");
      this.#handlers?.onFailed(this.#failed);
      return;
    }
    const end = this.#coveredCommits();
    if (end > this.#disk.synced) {
      this.#noteSynced(end);
      this.#sync();
      const due = this.#hastened.filter(({ batches }) => batches <= end);
      this.#hastened = this.#hastened.filter(({ batches }) => batches > end);
      for (const { done } of due) done();
    } else if (end < this.#disk.batches.length && this.#closing === undefined) {
      if (this.#retry !== undefined) this.#environment.clearTimer(this.#retry);
      this.#retry = this.#environment.setTimer(RETRY_MS, () => this.#sync());
    }
  }

  #noteSynced(end: number): void {
    const { batches, synced } = this.#disk;
    for (let at = synced; at < end; at += 1) {
      this.#pendingBytes -= bytesOf(batches[at] as StateBatch);
    }
    this.#disk.synced = end;
  }

  #coveredCommits(): number {
    const { batches } = this.#disk;
    let end = this.#disk.synced;
    while (end < batches.length && !this.#options.mustWait((batches[end] as StateBatch).position))
      end += 1;
    return end;
  }

  #checkOpen(): void {
    if (this.#dead !== undefined) throw new Error(this.#dead);
    if (this.#closing !== undefined) throw new Error("the state is closed");
  }
}

/**
 * Replays the commits beside, and puts what they made current into `index`, in one commit, which
 * takes their place on the disk: generations that were not switched to are gone.
 */
function restore(
  batches: readonly StateBatch[],
  index: MemoryStateStore,
  environment: Environment,
): StateBatch[] {
  const beside = new MemoryStateStore(environment);
  for (const batch of batches) {
    for (const { shard, generation } of batch.mutations) makeKnown(beside, shard, generation);
    beside.commit(batch);
  }
  const mutations: StateMutation[] = [];
  for (const { shard, generation } of beside.shards()) {
    makeKnown(index, shard, generation);
    const view = beside.view(shard);
    for (const space of SPACES) {
      const all = view.range(space, undefined, undefined, Number.POSITIVE_INFINITY).entries;
      for (const { key, value } of all) {
        mutations.push({ type: "put", shard, space, key, value, generation });
      }
    }
    view.close();
    mutations.push({ type: "switch-generation", shard, generation });
  }
  const whole: StateBatch = { mutations, position: beside.committedPosition };
  index.commit(whole);
  void beside.close();
  return [whole];
}

function bytesOf({ mutations }: StateBatch): number {
  let bytes = 0;
  for (const each of mutations) {
    if (each.type === "put") bytes += each.key.length + each.value.length;
  }
  return bytes;
}

function makeKnown(store: MemoryStateStore, shard: ShardId, generation?: Generation): void {
  if (generation === undefined) return;
  while (!store.isKnown(shard, generation)) store.newGeneration(shard);
}

function nameOf(shard: ShardId, space: Space, key: Uint8Array): string {
  return `${shard}/${space}/${Buffer.from(key).toString("hex")}`;
}
