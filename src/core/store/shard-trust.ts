import type { StorageIdentity } from "../contracts/storage.ts";
import { DURABILITIES, type Durability } from "../model/durability.ts";
import type { ShardId } from "../model/ids.ts";
import type { NodeRecords } from "./node-records.ts";
import { NO_PLANTED_HOST_BUGS, type PlantedHostBugs } from "./planted-bugs.ts";

const STARTED = "started";
const REBUILD = "rebuild/";
const NO_BYTES = new Uint8Array(0);
/** Of a mark: the shard began with nothing, and has not served since. */
const AS_NEW = Uint8Array.of(1);

/**
 * Which shards of this store may lack something that they have acknowledged, over restarts.
 *
 * Invariant: a shard that may lack something is marked by a record before anything that hides it
 * is. In the log that is the order of records; the state does not wait for the log where it is
 * told to begin anew, so that there the mark has to be durable first. It stays until the replica
 * serves again with all that it has learned in the log before.
 */
export class ShardTrust {
  /** The weakest durability of which every acknowledged record is here. */
  readonly kept: Durability;
  readonly #planted: PlantedHostBugs;
  readonly #records: NodeRecords;
  readonly #incarnation: number;
  readonly #marked: Set<string>;

  constructor(
    records: NodeRecords,
    identity: StorageIdentity,
    planted: PlantedHostBugs = NO_PLANTED_HOST_BUGS,
  ) {
    this.#planted = planted;
    this.#records = records;
    this.#incarnation = identity.incarnation;
    this.#marked = new Set(records.names(REBUILD));
    this.kept = keptOf(records, identity);
  }

  get isAnyMarked(): boolean {
    return this.#marked.size > 0;
  }

  /** Whether a shard of this durability may lack its newest records. */
  mayLackTail(durability: Durability): boolean {
    if (this.#planted.incompleteShardTrusted === true) return false;
    return DURABILITIES.indexOf(durability) < DURABILITIES.indexOf(this.kept);
  }

  isMarked(shard: ShardId): boolean {
    return this.#marked.has(REBUILD + shard);
  }

  /** Whether nobody can count upon this shard: it is marked since it began, and by `markNew`. */
  isNew(shard: ShardId): boolean {
    const name = REBUILD + shard;
    return this.#marked.has(name) && this.#records.get(name)?.length === AS_NEW.length;
  }

  /** As `mark`, of a shard that has nothing. */
  markNew(shard: ShardId): void {
    const name = REBUILD + shard;
    if (this.#marked.has(name)) return;
    this.#marked.add(name);
    this.#records.put(name, AS_NEW);
  }

  /** As `mayLackTail`, if `kept` is what an earlier start had found. */
  isBelow(durability: Durability, kept: Durability): boolean {
    return DURABILITIES.indexOf(durability) < DURABILITIES.indexOf(kept);
  }

  /** `durable` is called once the mark is, perhaps within the call. */
  mark(shard: ShardId, durable?: () => void): void {
    const name = REBUILD + shard;
    if (this.#marked.has(name) && durable === undefined) return;
    this.#marked.add(name);
    this.#records.put(name, this.#records.get(name) ?? NO_BYTES, durable);
  }

  unmark(shard: ShardId): void {
    const name = REBUILD + shard;
    if (this.#marked.delete(name)) this.#records.delete(name);
  }

  /** All that this start had to mark is marked. */
  noteStart(): void {
    this.#records.put(STARTED, Buffer.from(String(this.#incarnation), "utf8"));
  }
}

/**
 * What `identity` says is about the end of the start before this one. If that start ended before it
 * had marked what it found, its own finding is lost: anything may be missing then.
 */
function keptOf(records: NodeRecords, { kept, incarnation }: StorageIdentity): Durability {
  const started = records.get(STARTED);
  // The first start of all has none before it.
  const noted = started === undefined ? 1 : Number(Buffer.from(started).toString("utf8"));
  return noted >= incarnation - 1 ? kept : "fsync";
}
