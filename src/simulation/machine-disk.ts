import type { RandomSource } from "../core/contracts/environment.ts";
import {
  type LogStore,
  SPACES,
  type StateBatch,
  type StateMutation,
  type StateStore,
  type Storage,
  type StorageFactory,
  type StorageIdentity,
  type StorageProblem,
} from "../core/contracts/storage.ts";
import type { Durability } from "../core/model/durability.ts";
import type { StoreId } from "../core/model/ids.ts";
import type { SegmentedLogOptions } from "../storage/disk/log/log-options.ts";
import { openSegmentedLog } from "../storage/disk/log/open-segmented-log.ts";
import type { PlantedLogBugs } from "../storage/disk/log/planted-bugs.ts";
import { memoryStorage } from "../storage/memory/memory-storage.ts";
import { LateAnswers, type Lateness } from "./late-answers.ts";
import { PersistentMemoryState, StateDisk } from "./persistent-memory-state.ts";
import type { SimEnvironment } from "./sim-environment.ts";
import { SimulatedDisk, type TracedMachine } from "./simulated-disk.ts";
import type { CutEffect } from "./simulated-file.ts";
import { TRACE } from "./trace.ts";
import type { VirtualTime } from "./virtual-time.ts";
import { type LogNews, WatchedLog } from "./watched-log.ts";

const LOG_FOLDER = "/log";
const STORE_ID_BYTES = 16;
/** By place: what the trace calls them. */
const MUTATION_TYPES: readonly StateMutation["type"][] = Object.freeze([
  "put",
  "delete",
  "delete-range",
  "switch-generation",
]);

export interface MachineDiskOptions {
  readonly time: VirtualTime;
  readonly random: RandomSource;
  /** Segment sizes and the like of the log. */
  readonly log?: SegmentedLogOptions;
  /** Only in tests. */
  readonly planted?: PlantedLogBugs;
  /** Mean latency of each operation, in milliseconds. Default 0.2. */
  readonly latencyMs?: number;
  /**
   * How long a commit of the state waits in memory, on average, before it is written, in
   * milliseconds. Default 0.
   */
  readonly stateLagMs?: number;
  /** False: storage in memory, which ends with its process. Default true. */
  readonly persists?: boolean;
  /** Is told of every write to the disk and of every commit. */
  readonly traced?: TracedMachine;
  /** Hears of every commit, before it takes effect. */
  readonly onCommit?: (state: StateStore, batch: StateBatch) => void;
  /** Hears of everything that happens to the node's log, on the disk or in memory. */
  readonly onLog?: (news: LogNews) => void;
  /** Asked at each start, of the answers to reads of the log. Default: none is late. */
  readonly readLateness?: () => Lateness | undefined;
}

/** What is written beside the log and the state. */
interface Label {
  readonly storeId: StoreId;
  readonly incarnation: number;
  /** Of which durability everything is here. */
  readonly kept: Durability;
  readonly disowned: string | undefined;
}

/**
 * The data directory of one machine, over all starts of its node: the real log over a simulated
 * disk, and a state that falls back to some earlier commit when the power is cut.
 */
export class MachineDisk {
  readonly #options: MachineDiskOptions;
  readonly #random: RandomSource;
  /** Mean of what a commit waits, in milliseconds, before it is written. */
  stateLagMs: number;
  /** How far the log was when the latest start opened it, before anything was written. */
  openedPosition = 0;
  /** What the state may hold for the disk; of the next start. */
  maxPendingBytes = Number.POSITIVE_INFINITY;
  #files: SimulatedDisk;
  #state = new StateDisk();
  #label: Label | undefined;
  #open: MachineStorage | undefined;
  #latencyMs: number;
  #memory: Storage | undefined;

  constructor(options: MachineDiskOptions) {
    this.#options = options;
    this.#random = options.random;
    this.#latencyMs = options.latencyMs ?? 0.2;
    this.stateLagMs = options.stateLagMs ?? 0;
    this.#files = this.#newFiles();
  }

  /** The files of the log, for faults of their own. */
  get files(): SimulatedDisk {
    return this.#files;
  }

  get state(): StateDisk {
    return this.#state;
  }

  /** Whether anything outlives a process here. */
  get persists(): boolean {
    return this.#options.persists !== false;
  }

  /** What the node has open; undefined while it is down. */
  get storage(): Storage | undefined {
    return this.#memory ?? this.#open;
  }

  /** Of what is there; undefined if nothing is. */
  get storeId(): StoreId | undefined {
    return this.#label?.storeId;
  }

  /** Whether anything is there. */
  get isFresh(): boolean {
    return this.#label === undefined;
  }

  get latencyMs(): number {
    return this.#latencyMs;
  }

  /** Mean latency of each operation from now on. */
  set latencyMs(latencyMs: number) {
    this.#latencyMs = latencyMs;
    this.#files.meanLatencyMs = latencyMs;
  }

  /** The storage of one start. */
  storageFor(environment: SimEnvironment): StorageFactory {
    if (this.#options.persists === false) return this.#inMemory(environment);
    return async (_options, context) => {
      if (this.#open !== undefined) throw new Error("the disk is in use");
      const problems = this.#setAside();
      const identity = this.#begin(context.environment.random("store-id"));
      const opened: { log?: LogStore } = {};
      const mustWait = (position: number): boolean => {
        const { syncedPosition = 0, lastPosition = 0 } = opened.log ?? {};
        return position > syncedPosition && position <= lastPosition;
      };
      const latency = (): number =>
        this.#random.fraction() * 2 * (this.#latencyMs + this.stateLagMs);
      this.#state.maxPendingBytes = this.maxPendingBytes;
      const state = new PersistentMemoryState(this.#state, environment, {
        mustWait,
        latencyMs: latency,
        onCommit: (view, batch) => this.#onCommit(view, batch),
      });
      const disk = this.#files.connect(environment);
      opened.log = await openSegmentedLog({
        disk,
        directory: LOG_FOLDER,
        environment,
        observer: context.observer,
        ...(this.#options.planted && { planted: this.#options.planted }),
        options: { ...this.#options.log, floorPosition: state.committedPosition },
      });
      this.openedPosition = opened.log.syncedPosition;
      const log = this.#watched(opened.log, identity, environment);
      this.#open = new MachineStorage(this, identity, problems, log, state);
      return this.#open;
    };
  }

  /** The process is killed: the system has what was written. */
  kill(): void {
    this.#end("os", () => this.#files.kill(), 0);
  }

  /** What was not synced is kept, lost or mixed; of the commits any beginning may be kept. */
  cutPower(effect: CutEffect): void {
    const kept = effect === "keep" ? 1 : effect === "lose" ? 0 : this.#random.fraction();
    this.#end("fsync", () => this.#files.cutPower(effect), kept);
  }

  /** Everything is gone. The node has to be down. */
  wipe(): void {
    this.#checkClosed();
    this.#files = this.#newFiles();
    this.#state = new StateDisk();
    this.#label = undefined;
  }

  /** As the files are on stable storage, to be put back later. */
  copy(): MachineDisk {
    const copy = new MachineDisk(this.#options);
    copy.#files = this.#files.copy();
    copy.#state = this.#state.copy();
    copy.#label = this.#label && { ...this.#label, kept: "fsync" };
    return copy;
  }

  /** Puts an earlier copy in place. The node has to be down. */
  restore(copy: MachineDisk): void {
    this.#checkClosed();
    const again = copy.copy();
    this.#files = again.#files;
    this.#files.meanLatencyMs = this.#latencyMs;
    this.#state = again.#state;
    this.#label = again.#label;
  }

  /** Called by the storage: everything is closed in order. */
  closed(storage: MachineStorage, isWhole: boolean): void {
    if (this.#open !== storage) return;
    this.#open = undefined;
    this.#files.kill();
    if (isWhole) this.#label = { ...(this.#label as Label), kept: "memory" };
  }

  /** Called by the storage: the next opening sets everything aside. */
  disown(reason: string): void {
    if (this.#label !== undefined) this.#label = { ...this.#label, disowned: reason };
  }

  #inMemory(environment: SimEnvironment): StorageFactory {
    return async (_options, context) => {
      const storage = await memoryStorage({}, context);
      this.#hear(storage.state);
      this.#memory = { ...storage, log: this.#watched(storage.log, storage.identity, environment) };
      return this.#memory;
    };
  }

  #watched(log: LogStore, { storeId }: StorageIdentity, environment: SimEnvironment): LogStore {
    const { onLog, readLateness } = this.#options;
    if (onLog === undefined) return log;
    const lateness = readLateness?.();
    const late = lateness && new LateAnswers(environment, lateness);
    return new WatchedLog(log, storeId, onLog, late);
  }

  #hear(state: StateStore): void {
    const { onCommit } = this.#options;
    const commit = state.commit.bind(state);
    state.commit = (batch) => {
      onCommit?.(state, batch);
      return commit(batch);
    };
  }

  #onCommit(state: StateStore, batch: StateBatch): void {
    const { time, traced, onCommit } = this.#options;
    if (traced !== undefined) {
      for (const mutation of batch.mutations) {
        const atMs = time.nowMs;
        const { trace, machine } = traced;
        // Shard ids have 48 bits, of which a hash keeps the lower 32.
        const above = Math.floor(mutation.shard / 2 ** 32);
        const kind = (machine << 4) | MUTATION_TYPES.indexOf(mutation.type);
        trace.note(TRACE.commit, atMs, kind, above);
        trace.note(TRACE.commit, atMs, mutation.shard, spaceOf(mutation));
        if (mutation.type !== "put" && mutation.type !== "delete") continue;
        trace.noteBytes(TRACE.commit, atMs, batch.position, mutation.key);
        if (mutation.type === "put") {
          trace.noteBytes(TRACE.commit, atMs, batch.position, mutation.value);
        }
      }
    }
    onCommit?.(state, batch);
  }

  #newFiles(): SimulatedDisk {
    const { time, traced } = this.#options;
    return new SimulatedDisk({
      time,
      ...(traced && { traced }),
      seed: this.#random.uint32(),
      meanLatencyMs: this.#latencyMs,
    });
  }

  #begin(random: RandomSource): StorageIdentity {
    const before = this.#label;
    const storeId = before?.storeId ?? (hex(random.bytes(STORE_ID_BYTES)) as StoreId);
    const incarnation = (before?.incarnation ?? 0) + 1;
    // Until it is closed in order, an end without notice is what a reader has to assume.
    this.#label = { storeId, incarnation, kept: "fsync", disowned: undefined };
    return Object.freeze({
      storeId,
      incarnation,
      fresh: before === undefined,
      kept: before?.kept ?? "memory",
    });
  }

  #setAside(): readonly StorageProblem[] {
    const reason = this.#label?.disowned;
    if (reason === undefined) return [];
    this.wipe();
    return [{ what: "everything", reason, setAside: undefined }];
  }

  #end(kept: Durability, endFiles: () => void, shareOfCommits: number): void {
    this.#open?.kill();
    this.#open = undefined;
    this.#memory = undefined;
    endFiles();
    const { batches, synced } = this.#state;
    batches.length = synced + Math.round((batches.length - synced) * shareOfCommits);
    this.#state.synced = batches.length;
    if (this.#label !== undefined) this.#label = { ...this.#label, kept };
  }

  #checkClosed(): void {
    if (this.#open !== undefined) throw new Error("the disk is in use");
  }
}

class MachineStorage implements Storage {
  readonly identity: StorageIdentity;
  readonly problems: readonly StorageProblem[];
  readonly log: LogStore;
  readonly state: PersistentMemoryState;
  readonly #disk: MachineDisk;
  #closing: Promise<void> | undefined;

  constructor(
    disk: MachineDisk,
    identity: StorageIdentity,
    problems: readonly StorageProblem[],
    log: LogStore,
    state: PersistentMemoryState,
  ) {
    this.#disk = disk;
    this.identity = identity;
    this.problems = problems;
    this.log = log;
    this.state = state;
  }

  disown(reason: string): Promise<void> {
    this.#disk.disown(reason);
    return Promise.resolve();
  }

  kill(): void {
    this.state.kill("the process is gone");
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.log.close();
    await this.state.close();
    this.#disk.closed(this, this.log.health().state !== "failed");
  }
}

/** -1: the mutation is of all spaces. */
function spaceOf(mutation: StateMutation): number {
  return "space" in mutation ? SPACES.indexOf(mutation.space) : -1;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
