import type { Environment, TimerHandle } from "../../../core/contracts/environment.ts";
import {
  type Generation,
  SPACES,
  type Space,
  type StateBatch,
  StateDamageError,
  type StateStore,
  type StateStoreCapabilities,
  type StateView,
} from "../../../core/contracts/storage.ts";
import { CapstanError } from "../../../core/model/errors.ts";
import type { LogPosition, ShardId } from "../../../core/model/ids.ts";
import { checkBatch } from "../../batch-check.ts";
import { OpenViews } from "../../open-views.ts";
import { checkedValue, DiskStateView } from "./disk-state-view.ts";
import type { FileWriter } from "./file-writer.ts";
import type { GenerationTable } from "./generation-table.ts";
import { DELETED, Overlay } from "./overlay.ts";
import { entryPrefix, joined } from "./record-format.ts";
import type { StateFile } from "./state-file.ts";
import { WritePace } from "./write-pace.ts";

/** Bounds of the state on disk; see `DiskStorageOptions`. */
export interface StateSettings {
  readonly commitIntervalMs: number;
  readonly maxPendingBytes: number;
  readonly maxViewAgeMs: number;
}

/** What was found in the file at opening. */
export interface LoadedState {
  readonly file: StateFile;
  readonly writer: FileWriter;
  readonly generations: GenerationTable;
  readonly position: LogPosition;
  /** Shards of which something is damaged, and what. */
  readonly damaged: ReadonlyMap<ShardId, string>;
}

/** Commits that are waiting are written at once when they are as many, or as large, as this. */
const FULL_ENTRIES = 100_000;
const FULL_BYTES = 16 * 1024 * 1024;

/**
 * The state of a node in one LMDB file.
 *
 * Invariants
 * - What was committed is in the file, in `#flying` or in `#waiting`, the later ones newer. At most
 *   one write is under way: that of `#flying`.
 * - An overlay is let go of once its write is durable, and the file is read as it is since.
 */
export class DiskStateStore implements StateStore {
  readonly capabilities: StateStoreCapabilities;
  readonly #environment: Environment;
  readonly #pace: WritePace;
  readonly #file: StateFile;
  readonly #writer: FileWriter;
  readonly #generations: GenerationTable;
  readonly #damaged: Map<ShardId, string>;
  readonly #views: OpenViews<DiskStateView>;
  #handlers: { onFailed(error: Error): void } | undefined;
  #waiting = new Overlay();
  #flying: Overlay | undefined;
  #writing: Promise<void> | undefined;
  /** To be told when `#waiting`, or `#flying`, is durable. */
  #hastened: (() => void)[] = [];
  #flyingHastened: (() => void)[] = [];
  #timer: TimerHandle | undefined;
  #isSoon = false;
  #isClosed = false;
  #committedPosition: LogPosition;
  #durablePosition: LogPosition;
  /** Of the write that is under way, or of the last one. */
  #flyingPosition: LogPosition;
  #failed: Error | undefined;
  #closing: Promise<void> | undefined;

  constructor(environment: Environment, settings: StateSettings, loaded: LoadedState) {
    this.#environment = environment;
    this.#pace = new WritePace(environment, settings.commitIntervalMs);
    this.#file = loaded.file;
    this.#writer = loaded.writer;
    this.#generations = loaded.generations;
    this.#damaged = new Map(loaded.damaged);
    this.#views = new OpenViews(environment, settings.maxViewAgeMs);
    this.#committedPosition = loaded.position;
    this.#durablePosition = loaded.position;
    this.#flyingPosition = loaded.position;
    this.capabilities = Object.freeze({
      persistent: true,
      maxViewAgeMs: settings.maxViewAgeMs,
      maxPendingBytes: settings.maxPendingBytes,
    });
  }

  start(handlers: { onFailed(error: Error): void }): void {
    this.#checkOpen();
    if (this.#handlers !== undefined) throw new TypeError("the state was started before");
    this.#handlers = handlers;
    this.#schedule();
  }

  get(shard: ShardId, space: Space, key: Uint8Array, text?: string): Uint8Array | undefined {
    this.#checkReadable(shard);
    const generation = this.#generations.currentOf(shard);
    const found =
      this.#waiting.spaceOf(shard, generation, space)?.find(key, text) ??
      this.#flying?.spaceOf(shard, generation, space)?.find(key, text);
    if (found !== undefined) return found === DELETED ? undefined : found;
    return checkedValue(shard, this.#file, joined(entryPrefix(shard, generation, space), key));
  }

  view(shard: ShardId): StateView {
    this.#checkReadable(shard);
    return this.#open(shard);
  }

  shards(): readonly { readonly shard: ShardId; readonly generation: Generation }[] {
    this.#checkOpen();
    return this.#generations
      .shards()
      .filter((shard) => this.#damaged.has(shard) || this.#holdsAnything(shard))
      .map((shard) => ({ shard, generation: this.#generations.currentOf(shard) }));
  }

  newGeneration(shard: ShardId): Generation {
    this.#checkOpen();
    return this.#generations.give(shard);
  }

  commit(batch: StateBatch): void {
    this.#checkOpen();
    if (this.#failed !== undefined) throw this.#failed;
    checkBatch(batch, this.#committedPosition, this.#generations);
    for (const mutation of batch.mutations) {
      const { shard } = mutation;
      this.#generations.note(shard);
      this.#waiting.apply(mutation, this.#generations.currentOf(shard));
      if (mutation.type === "switch-generation") {
        this.#generations.switchTo(shard, mutation.generation);
        this.#damaged.delete(shard);
      }
    }
    this.#committedPosition = batch.position;
    this.#schedule();
  }

  hasten(done: () => void): void {
    this.#checkOpen();
    if (this.#failed !== undefined) return;
    if (this.#isDirty) {
      this.#hastened.push(done);
      this.#schedule();
    } else if (this.#flying !== undefined) this.#flyingHastened.push(done);
    else done();
  }

  get committedPosition(): LogPosition {
    return this.#committedPosition;
  }

  get durablePosition(): LogPosition {
    return this.#durablePosition;
  }

  get pendingBytes(): number {
    return this.#waiting.bytes + (this.#flying?.bytes ?? 0);
  }

  /** Whether a write has failed: what is in the file may be less than was committed. */
  get hasFailed(): boolean {
    return this.#failed !== undefined;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#views.closeAll();
    this.#clearTimer();
    await this.#writing;
    if (this.#isDirty) this.#write();
    await this.#writing;
    this.#isClosed = true;
    await this.#file.close();
  }

  /** Whether something is committed that no write has begun to write. */
  get #isDirty(): boolean {
    return this.#waiting.entries > 0 || this.#committedPosition > this.#flyingPosition;
  }

  #overlays(): Overlay[] {
    return this.#flying === undefined ? [this.#waiting] : [this.#waiting, this.#flying];
  }

  #open(shard: ShardId): DiskStateView {
    return this.#views.open(
      (expiresAtMs) =>
        new DiskStateView(this.#views, {
          file: this.#file,
          overlays: this.#overlays(),
          shard,
          generation: this.#generations.currentOf(shard),
          expiresAtMs,
        }),
    );
  }

  #holdsAnything(shard: ShardId): boolean {
    const view = this.#open(shard);
    try {
      return SPACES.some((space) => view.range(space, undefined, undefined, 0).entries.length > 0);
    } catch (error) {
      if (error instanceof StateDamageError) return true;
      throw error;
    } finally {
      view.close();
    }
  }

  #schedule(): void {
    if (this.#writing !== undefined || this.#failed !== undefined || this.#isSoon) return;
    const { entries, bytes } = this.#waiting;
    if (entries >= FULL_ENTRIES || bytes >= FULL_BYTES || this.#hastened.length > 0) {
      this.#isSoon = true;
      this.#environment.soon(this.#write);
    } else if (this.#timer === undefined && (this.#isDirty || this.#writer.hasLeftovers)) {
      this.#timer = this.#environment.setTimer(this.#pace.delayMs(), this.#write);
    }
  }

  readonly #write = (): void => {
    this.#isSoon = false;
    this.#clearTimer();
    if (this.#writing !== undefined || this.#failed !== undefined || this.#isClosed) return;
    const position = this.#committedPosition;
    const flying = this.#waiting;
    this.#flying = flying;
    this.#flyingPosition = position;
    this.#flyingHastened = this.#hastened;
    this.#hastened = [];
    this.#waiting = new Overlay();
    this.#writing = this.#written(flying, position);
  };

  readonly #pause = (): Promise<void> => new Promise((resolve) => this.#environment.soon(resolve));

  async #written(flying: Overlay, position: LogPosition): Promise<void> {
    try {
      await this.#writer.write(flying, position, this.#pause);
    } catch (error) {
      this.#writing = undefined;
      this.#fail(error);
      return;
    }
    this.#writing = undefined;
    this.#flying = undefined;
    this.#durablePosition = position;
    this.#pace.onWritten();
    const heard = this.#flyingHastened;
    this.#flyingHastened = [];
    if (this.#closing !== undefined) return;
    this.#schedule();
    for (const done of heard) done();
  }

  /** What was committed stays readable; nothing is written any more. */
  #fail(error: unknown): void {
    const failure = error instanceof Error ? error : new Error(String(error));
    this.#failed = failure;
    this.#handlers?.onFailed(failure);
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) this.#environment.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  #checkReadable(shard: ShardId): void {
    this.#checkOpen();
    const reason = this.#damaged.get(shard);
    if (reason !== undefined) throw new StateDamageError(shard, reason);
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new CapstanError("STORE_CLOSED", "the state is closed");
  }
}
