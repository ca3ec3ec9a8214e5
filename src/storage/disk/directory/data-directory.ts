import { join } from "node:path";
import type {
  StorageContext,
  StorageIdentity,
  StorageProblem,
} from "../../../core/contracts/storage.ts";
import { invalidConfiguration } from "../../../core/model/configuration-problems.ts";
import type { Durability } from "../../../core/model/durability.ts";
import { CapstanError } from "../../../core/model/errors.ts";
import type { StoreId } from "../../../core/model/ids.ts";
import type { Disk } from "../disk.ts";
import { calling, errorCode, makeDirectories } from "../disk-calls.ts";
import type { StateSeal } from "../state/open-state.ts";
import type { DirectoryLock, lockDirectory } from "./directory-lock.ts";
import { folderNameOf } from "./folder-name.ts";
import { type DirectoryIdentity, IDENTITY_FILES, IdentityFile } from "./identity-file.ts";
import { setAside } from "./set-aside.ts";

const STORE_ID_BYTES = 16;

/** Folders in the directory; what else is there is the identity, the lock and what was set aside. */
export const LOG_FOLDER = "log";
export const STATE_FOLDER = "state";

/** What an opening of a directory needs of its surroundings. */
export interface DirectorySurroundings {
  readonly disk: Disk;
  readonly bootId: string | undefined;
  readonly lock: typeof lockDirectory;
}

/** The directory of one node, locked, its identity read and counted up. */
export class DataDirectory {
  readonly path: string;
  readonly #context: StorageContext;
  readonly #surroundings: DirectorySurroundings;
  readonly #lock: DirectoryLock;
  readonly #problems: StorageProblem[] = [];
  #file: IdentityFile;
  #identity: StorageIdentity;
  #lastClose: StateSeal | undefined;

  private constructor(
    path: string,
    context: StorageContext,
    surroundings: DirectorySurroundings,
    lock: DirectoryLock,
    file: IdentityFile,
  ) {
    this.path = path;
    this.#context = context;
    this.#surroundings = surroundings;
    this.#lock = lock;
    this.#file = file;
    this.#identity = { storeId: "" as StoreId, incarnation: 0, fresh: true, kept: "memory" };
  }

  /**
   * Makes the folder of the node below `path`, if there is none, locks it, and counts its
   * incarnation up, durably.
   *
   * @throws CapstanError `INVALID_CONFIGURATION` where there can be no such folder,
   * `DATA_DIRECTORY_LOCKED`, `UNSUPPORTED_FORMAT`, or `IDENTITY_CONFLICT` for the data of another
   * cluster or node.
   */
  static async open(
    path: string,
    context: StorageContext,
    surroundings: DirectorySurroundings,
  ): Promise<DataDirectory> {
    const { disk } = surroundings;
    const folder = join(path, folderNameOf(context.node));
    await makeDirectories(disk, folder).catch((error) => refusePath(path, error));
    const before = await IdentityFile.read(disk, folder).catch((error) => refusePath(path, error));
    const lock = await surroundings.lock(
      folder,
      context.environment,
      before.file.identity?.processId,
    );
    try {
      const { file, damaged } = await IdentityFile.read(disk, folder);
      const directory = new DataDirectory(folder, context, surroundings, lock, file);
      checkOwner(file.identity, folder, context);
      for (const each of damaged) directory.#problems.push({ ...each, setAside: undefined });
      await directory.#begin().catch((error) => refusePath(path, error));
      return directory;
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  get identity(): StorageIdentity {
    return this.#identity;
  }

  /** What was found broken so far. */
  get problems(): readonly StorageProblem[] {
    return this.#problems;
  }

  /** How the last start has left the state; undefined if it was not closed. */
  get lastClose(): StateSeal | undefined {
    return this.#lastClose;
  }

  /** Sets one folder of the directory aside; what is to take its place is the caller's. */
  async putAside(folder: string, reason: string): Promise<void> {
    const { disk } = this.#surroundings;
    const wallMs = this.#context.environment.wallMs();
    const moved = await setAside(disk, this.path, wallMs, folder);
    this.#problems.push({ what: join(this.path, folder), reason, setAside: moved });
  }

  /** Nothing here can be gone on with: everything is set aside, and the directory is a fresh one. */
  async startOver(what: string, reason: string): Promise<void> {
    // Whatever happens between here and the end, the next opening finds that it is not to go on.
    if (this.#file.identity !== undefined) await this.disown(reason);
    const { disk } = this.#surroundings;
    const folder = await setAside(disk, this.path, this.#context.environment.wallMs());
    this.#problems.push({ what, reason, setAside: folder });
    this.#file = (await IdentityFile.read(disk, this.path)).file;
    await this.#begin();
  }

  /** Durable when it settles. */
  disown(reason: string): Promise<void> {
    return this.#file.change((identity) => ({
      ...(identity as DirectoryIdentity),
      disowned: reason,
    }));
  }

  /** Everything is closed and durable: says so, if `close` tells how, and lets go of the lock. */
  async close(close: StateSeal | undefined): Promise<void> {
    try {
      if (close !== undefined) {
        await this.#file.change((identity) => ({
          ...(identity as DirectoryIdentity),
          closed: close,
        }));
      }
    } finally {
      await this.#lock.release();
    }
  }

  async #begin(): Promise<void> {
    const before = this.#file.identity;
    const obstacle = before === undefined ? await this.#leftovers() : before.disowned;
    if (obstacle !== null) return this.startOver(this.path, obstacle);
    const { environment, cluster, node } = this.#context;
    const { bootId } = this.#surroundings;
    const identity: DirectoryIdentity = {
      cluster,
      node,
      storeId: before?.storeId ?? hex(environment.random("store-id").bytes(STORE_ID_BYTES)),
      incarnation: (before?.incarnation ?? 0) + 1,
      bootId: bootId ?? null,
      processId: process.pid,
      closed: null,
      disowned: null,
    };
    await this.#file.change(() => identity);
    this.#lastClose = before?.closed ?? undefined;
    this.#identity = Object.freeze({
      storeId: identity.storeId as StoreId,
      incarnation: identity.incarnation,
      fresh: before === undefined,
      kept: before === undefined ? "memory" : keptBy(before, bootId),
    });
  }

  /** Data without an identity belongs to nobody. Null where there is none. */
  async #leftovers(): Promise<string | null> {
    const names = await calling<readonly string[]>((done) =>
      this.#surroundings.disk.list(this.path, done),
    );
    if (names.some((name) => IDENTITY_FILES.includes(name))) {
      return "no copy of its identity is whole";
    }
    const holdsData = names.includes(LOG_FOLDER) || names.includes(STATE_FOLDER);
    return holdsData ? "its identity is missing" : null;
  }
}

/** What a start that ended in this way has kept for sure. */
function keptBy(before: DirectoryIdentity, bootId: string | undefined): Durability {
  if (before.closed !== null) return "memory";
  return bootId !== undefined && before.bootId === bootId ? "os" : "fsync";
}

function checkOwner(
  identity: DirectoryIdentity | undefined,
  path: string,
  { cluster, node }: StorageContext,
): void {
  if (identity === undefined) return;
  const found = identity.cluster === cluster ? identity.node : identity.cluster;
  const wanted = identity.cluster === cluster ? node : cluster;
  if (found === wanted) return;
  const kind = identity.cluster === cluster ? "node" : "cluster";
  throw new CapstanError(
    "IDENTITY_CONFLICT",
    `the data in ${path} belongs to the ${kind} "${found}", and this ${kind} is "${wanted}"`,
    { allowed: [found], details: { path, found, wanted } },
  );
}

/** Of the machine as it is now, not of the path that somebody wrote down. */
const TROUBLE: readonly string[] = ["EDQUOT", "EIO", "EMFILE", "ENFILE", "ENOMEM", "ENOSPC"];

function refusePath(path: string, error: unknown): never {
  const code = errorCode(error);
  if (code === undefined || error instanceof CapstanError) throw error;
  if (TROUBLE.includes(code)) {
    throw new CapstanError(
      "STORE_FAILED",
      `storage.path is "${path}", where no data can be kept now (${(error as Error).message})`,
      { cause: error },
    );
  }
  throw invalidConfiguration([
    {
      path: "storage.path",
      value: path,
      allowed: ["a folder, or a name for one, in which this process may write"],
      reason: `is "${path}", where no data can be kept (${(error as Error).message})`,
    },
  ]);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
