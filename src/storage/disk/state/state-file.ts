import type { GetOptions, RootDatabase, Transaction } from "lmdb";
import { CapstanError } from "../../../core/model/errors.ts";
import { storedChecksum, unsealedCopy } from "./record-format.ts";

/** One entry of the file, as it lies there; `record` undefined removes it. */
export interface FileOperation {
  readonly key: Uint8Array;
  readonly record: Uint8Array | undefined;
}

export interface FileEntry {
  readonly key: Uint8Array;
  readonly record: Uint8Array;
}

/** What the file held at one moment. Keeps the file from using space again: close it. */
export interface FileSnapshot {
  readonly transaction: Transaction;
  close(): void;
}

/** Ordered bytes → bytes in one file. Everything but `write` and `close` is synchronous. */
export interface StateFile {
  readonly path: string;
  get(key: Uint8Array, snapshot?: FileSnapshot): Uint8Array | undefined;
  /** What the entry holds, without its checks; undefined if there is none, null if they fail. */
  value(key: Uint8Array, snapshot?: FileSnapshot): Uint8Array | null | undefined;
  /** The checksum that a record has, without a copy of the record; undefined if there is none. */
  checksumOf(key: Uint8Array): number | undefined;
  /** Entries with `from ≤ key < to`, in order. */
  entries(from: Uint8Array, to: Uint8Array, snapshot?: FileSnapshot): Generator<FileEntry>;
  /** The keys alone with `from ≤ key < to`, in order. Whoever does not go to the end ends it. */
  keys(from: Uint8Array, to: Uint8Array, snapshot?: FileSnapshot): Iterator<Uint8Array>;
  snapshot(): FileSnapshot;
  /**
   * All of it in one transaction, durable when the promise settles: then it is also what is read.
   * One at a time. After a failure nothing may be written any more.
   */
  write(operations: readonly FileOperation[]): Promise<void>;
  close(): Promise<void>;
}

/** Opens the file in the folder `path`, and makes both where there is nothing. */
export type OpenStateFile = (path: string) => Promise<StateFile>;

type Lmdb = Pick<typeof import("lmdb"), "open">;

/**
 * LMDB is loaded here, and not before.
 *
 * @throws CapstanError `STORE_FAILED` where it cannot be: that says nothing of the file.
 */
export async function openLmdbFile(
  path: string,
  load: () => Promise<Lmdb> = () => import("lmdb"),
): Promise<StateFile> {
  const { open } = await load().catch(failLoading);
  return new LmdbFile(
    path,
    open<Uint8Array, Uint8Array>({
      path,
      noSubdir: false,
      encoding: "binary",
      keyEncoding: "binary",
      cache: false,
      maxReaders: MAX_READERS,
    }),
  );
}

function failLoading(cause: unknown): never {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const message =
    `the package lmdb cannot be loaded here, and no data was touched: ${reason}. It has a native part for ` +
    "each platform (@lmdb/lmdb-…, an optional dependency): install on the machine that runs it, and leave lmdb " +
    "out of bundles";
  throw new CapstanError("STORE_FAILED", message, { cause });
}

/** It takes options as `get` does, which its types leave out. */
interface ReadsInPlace {
  getBinaryFast(key: Uint8Array, options?: GetOptions): Uint8Array | undefined;
}

/**
 * What LMDB 3.5.6 does, and what it does not: a put is visible before it is durable, and its promise
 * settles only once it is; after a failed sync `flushed` never settles, so that it is never awaited
 * alone. `putSync` would block for the length of a sync, and is not used.
 */
class LmdbFile implements StateFile {
  readonly path: string;
  readonly #database: RootDatabase<Uint8Array, Uint8Array>;
  #hasFailed = false;

  constructor(path: string, database: RootDatabase<Uint8Array, Uint8Array>) {
    this.path = path;
    this.#database = database;
    hearInnerPromise(database);
  }

  get(key: Uint8Array, snapshot?: FileSnapshot): Uint8Array | undefined {
    return snapshot === undefined
      ? this.#database.getBinary(key)
      : this.#database.get(key, snapshot);
  }

  value(key: Uint8Array, snapshot?: FileSnapshot): Uint8Array | null | undefined {
    const database: ReadsInPlace = this.#database;
    const record = database.getBinaryFast(key, snapshot);
    return record === undefined ? undefined : (unsealedCopy(key, record) ?? null);
  }

  checksumOf(key: Uint8Array): number | undefined {
    const record = this.#database.getBinaryFast(key);
    return record === undefined ? undefined : storedChecksum(record);
  }

  *entries(from: Uint8Array, to: Uint8Array, snapshot?: FileSnapshot): Generator<FileEntry> {
    const range = this.#database.getRange({
      start: from,
      end: to,
      ...(snapshot && { transaction: snapshot.transaction }),
    });
    for (const { key, value } of range) yield { key, record: value };
  }

  keys(from: Uint8Array, to: Uint8Array, snapshot?: FileSnapshot): Iterator<Uint8Array> {
    const range = this.#database.getKeys({
      start: from,
      end: to,
      ...(snapshot && { transaction: snapshot.transaction }),
    });
    return range[Symbol.iterator]();
  }

  snapshot(): FileSnapshot {
    const transaction = this.#database.useReadTransaction();
    return { transaction, close: () => transaction.done() };
  }

  async write(operations: readonly FileOperation[]): Promise<void> {
    const committed = new Set<Promise<unknown>>();
    for (const { key, record } of operations) {
      // LMDB collects what is put within one turn. Its promise is one for all of it, or from about
      // the thousandth on another: each of them rejects, and each has to be heard.
      const promise =
        record === undefined ? this.#database.remove(key) : this.#database.put(key, record);
      committed.add(promise);
    }
    if (committed.size === 0) return;
    try {
      await Promise.all([...committed, this.#database.flushed]);
    } catch (error) {
      this.#hasFailed = true;
      throw await describeFailure(error, this.path);
    }
    this.#database.resetReadTxn();
  }

  /** What was written is durable before. After a failure LMDB would wait for ever: it is let go. */
  async close(): Promise<void> {
    if (this.#hasFailed) return;
    await this.#database.close();
  }
}

/**
 * LMDB makes one more promise for a write than it gives away, right after it calls this listener. It
 * rejects with the others, and unheard it would end the process: a full disk is no reason for that.
 */
function hearInnerPromise(database: RootDatabase<Uint8Array, Uint8Array>): void {
  const nothing = (): void => undefined;
  database.on("beforecommit", () => {
    void Promise.resolve().then(() => database.committed.then(nothing, nothing));
  });
}

/** Each open view of a moment of its own takes one; a scan has its view for a turn or a few. */
const MAX_READERS = 1_000;

/** LMDB rejects with a general error, whose `commitError` is a promise that rejects with the cause. */
async function describeFailure(error: unknown, path: string): Promise<CapstanError> {
  let cause = error;
  const commitError = (error as { commitError?: Promise<unknown> } | undefined)?.commitError;
  if (commitError !== undefined) {
    cause = await Promise.race([commitError, Promise.resolve(error)]).catch((real) => real);
  }
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new CapstanError("STORE_FAILED", `the state in ${path} cannot be written: ${reason}`, {
    cause,
  });
}
