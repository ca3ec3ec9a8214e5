import type {
  Space,
  Storage,
  StorageContext,
  StorageFactory,
  StorageIdentity,
  StorageProblem,
} from "../core/contracts/storage.ts";
import type { Durability } from "../core/model/durability.ts";
import type { ShardId, StoreId } from "../core/model/ids.ts";
import { memoryStorage } from "../storage/memory/memory-storage.ts";
import { LogDisk, PersistentMemoryLog } from "./persistent-memory-log.ts";
import { PersistentMemoryState, StateDisk } from "./persistent-memory-state.ts";

/**
 * What survives a restart of one node, within this process: a stand-in for its directory. Hand
 * `factory` to a store or a suite; opening again after `close` or `crash` finds the same store id,
 * the next incarnation and what was kept.
 *
 * - A flush is durable one turn (`environment.soon`) later, one sync at a time; a commit likewise.
 * - `crash()` keeps what was durable. The storage that was open is dead: its calls throw, its
 *   handlers are silent.
 * - Log records that were released come back over a reopening, as a real log's may.
 */
export class PersistentMemoryDisk {
  readonly factory: StorageFactory;
  log = new LogDisk();
  state = new StateDisk();
  #open: PersistentMemoryStorage | undefined;
  #storeId: StoreId | undefined;
  #incarnation = 0;
  /** Of which durability everything is here. */
  #kept: Durability = "memory";
  #disowned: string | undefined;

  constructor() {
    this.factory = (options, context) => this.#openStorage(options, context);
  }

  /**
   * A power cut. Of what was not durable, the first `logEntries` and `commits` happen to have
   * reached the disk; by default nothing has.
   */
  crash(kept: { readonly logEntries?: number; readonly commits?: number } = {}): void {
    this.#end("the power was cut", "fsync", this.log.synced + (kept.logEntries ?? 0), kept.commits);
  }

  /** The process is killed: the system has what was written, and the state what was durable. */
  kill(): void {
    this.#end("the process was killed", "os", this.log.written, 0);
  }

  /** As the files are while the node runs, or after: what is durable, to be put in place later. */
  copy(): PersistentMemoryDisk {
    const copy = new PersistentMemoryDisk();
    copy.log.entries.push(...this.log.entries.slice(0, this.log.synced));
    copy.log.written = this.log.synced;
    copy.log.synced = this.log.synced;
    for (const shard of this.log.damagedShards) copy.log.damagedShards.add(shard);
    copy.state = this.state.copy();
    copy.#storeId = this.#storeId;
    copy.#incarnation = this.#incarnation;
    copy.#kept = "fsync";
    return copy;
  }

  #end(why: string, kept: Durability, logEntries: number, commits = 0): void {
    const { log, state } = this;
    this.#open?.kill(why);
    this.#open = undefined;
    this.#kept = kept;
    log.entries.length = Math.min(log.entries.length, logEntries);
    log.written = log.entries.length;
    log.synced = log.entries.length;
    state.batches.length = Math.min(state.batches.length, state.synced + commits);
    state.synced = state.batches.length;
  }

  /** The next sync fails, and with it all that comes. Only while a storage is open. */
  failNextSync(of: "log" | "state"): void {
    if (this.#open === undefined) throw new Error("no storage is open on this disk");
    this.#open[of].failNextSync = true;
  }

  /** From now on the shard's log fails its check, until the shard is reset. */
  damageLog(shard: ShardId): void {
    this.log.damagedShards.add(shard);
  }

  /** From now on what is stored under the key fails its check. */
  damageEntry(shard: ShardId, space: Space, key: Uint8Array): void {
    this.state.damage(shard, space, key);
  }

  /** From now on nothing of the shard's state can be read, until another generation is current. */
  damageShard(shard: ShardId): void {
    this.state.damageShard(shard);
  }

  /** The next opening sets everything aside. */
  disown(reason: string): void {
    this.#disowned = reason;
  }

  /** Called by the storage when it has closed. */
  closed(storage: PersistentMemoryStorage): void {
    if (this.#open === storage) this.#open = undefined;
  }

  async #openStorage(
    options: Readonly<Record<string, unknown>>,
    context: StorageContext,
  ): Promise<Storage> {
    // Takes and refuses the same options as memory storage, and draws its store id the same way.
    const template = await memoryStorage(options, context);
    if (this.#open !== undefined) throw new Error("the disk is in use");
    const problems = this.#setAside();
    const identity = {
      storeId: this.#storeId ?? template.identity.storeId,
      incarnation: this.#incarnation + 1,
      fresh: this.#storeId === undefined,
      kept: this.#kept,
    };
    this.#kept = "memory";
    this.#storeId = identity.storeId;
    this.#incarnation = identity.incarnation;
    this.#open = new PersistentMemoryStorage(this, identity, problems, context);
    return this.#open;
  }

  #setAside(): readonly StorageProblem[] {
    const reason = this.#disowned;
    if (reason === undefined) return [];
    this.#disowned = undefined;
    this.#storeId = undefined;
    this.#incarnation = 0;
    this.log = new LogDisk();
    this.state = new StateDisk();
    return [{ what: "everything", reason, setAside: undefined }];
  }
}

class PersistentMemoryStorage implements Storage {
  readonly identity: StorageIdentity;
  readonly problems: readonly StorageProblem[];
  readonly log: PersistentMemoryLog;
  readonly state: PersistentMemoryState;
  readonly #disk: PersistentMemoryDisk;
  #closing: Promise<void> | undefined;

  constructor(
    disk: PersistentMemoryDisk,
    identity: StorageIdentity,
    problems: readonly StorageProblem[],
    context: StorageContext,
  ) {
    this.#disk = disk;
    this.problems = problems;
    this.identity = Object.freeze(identity);
    this.log = new PersistentMemoryLog(disk.log, context.environment);
    const mustWait = (position: number): boolean =>
      position > disk.log.synced && position <= disk.log.entries.length;
    this.state = new PersistentMemoryState(disk.state, context.environment, { mustWait });
  }

  disown(reason: string): Promise<void> {
    this.#disk.disown(reason);
    return Promise.resolve();
  }

  kill(why: string): void {
    this.log.kill(why);
    this.state.kill(why);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.log.close();
    await this.state.close();
    this.#disk.closed(this);
  }
}
