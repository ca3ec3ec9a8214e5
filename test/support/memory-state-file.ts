import { storedChecksum, unsealed } from "../../src/storage/disk/state/record-format.ts";
import type {
  FileEntry,
  FileOperation,
  FileSnapshot,
  StateFile,
} from "../../src/storage/disk/state/state-file.ts";

/** What a state file holds, by the hex text of its keys; survives its closing. */
export type FileContent = Map<string, Uint8Array>;

/** The obvious state file: writes end when the test says so, and snapshots are copies. */
export class MemoryStateFile implements StateFile {
  readonly path = "memory";
  readonly #content: FileContent;
  readonly #snapshots = new WeakMap<FileSnapshot, FileContent>();
  #writing: { operations: readonly FileOperation[]; readonly resolve: () => void } | undefined;

  #isClosed = false;

  constructor(content: FileContent) {
    this.#content = content;
  }

  get isWriting(): boolean {
    return this.#writing !== undefined;
  }

  get(key: Uint8Array, snapshot?: FileSnapshot): Uint8Array | undefined {
    return this.#contentOf(snapshot).get(hex(key));
  }

  value(key: Uint8Array, snapshot?: FileSnapshot): Uint8Array | null | undefined {
    const record = this.get(key, snapshot);
    return record && (unsealed(key, record)?.slice() ?? null);
  }

  *keys(from: Uint8Array, to: Uint8Array, snapshot?: FileSnapshot): Generator<Uint8Array> {
    for (const { key } of this.entries(from, to, snapshot)) yield key;
  }

  checksumOf(key: Uint8Array): number | undefined {
    const record = this.get(key);
    return record && storedChecksum(record);
  }

  *entries(from: Uint8Array, to: Uint8Array, snapshot?: FileSnapshot): Generator<FileEntry> {
    const content = this.#contentOf(snapshot);
    const keys = [...content.keys()].filter((key) => key >= hex(from) && key < hex(to)).sort();
    for (const key of keys) {
      yield { key: Buffer.from(key, "hex"), record: content.get(key) as Uint8Array };
    }
  }

  snapshot(): FileSnapshot {
    const snapshot = { transaction: undefined as never, close: () => undefined };
    this.#snapshots.set(snapshot, new Map(this.#content));
    return snapshot;
  }

  write(operations: readonly FileOperation[]): Promise<void> {
    if (this.isWriting) throw new Error("one write at a time");
    if (this.#isClosed) throw new Error("a write to a closed file");
    return new Promise((resolve) => {
      this.#writing = { operations, resolve };
    });
  }

  /** What is being written is seen, and not yet durable, as with LMDB. */
  show(): void {
    for (const { key, record } of this.#writing?.operations ?? []) {
      if (record === undefined) this.#content.delete(hex(key));
      else this.#content.set(hex(key), record);
    }
    if (this.#writing !== undefined) this.#writing.operations = [];
  }

  /** Ends the write that is under way, if there is one. */
  finish(): void {
    this.show();
    const writing = this.#writing;
    this.#writing = undefined;
    writing?.resolve();
  }

  async close(): Promise<void> {
    if (this.isWriting) throw new Error("closed in the middle of a write");
    this.#isClosed = true;
  }

  #contentOf(snapshot: FileSnapshot | undefined): FileContent {
    if (snapshot === undefined) return this.#content;
    return this.#snapshots.get(snapshot) as FileContent;
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
