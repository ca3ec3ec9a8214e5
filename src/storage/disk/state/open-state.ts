import { createReadStream } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import type { Environment } from "../../../core/contracts/environment.ts";
import { NODE_SHARD } from "../../../core/contracts/storage.ts";
import { CapstanError } from "../../../core/model/errors.ts";
import type { Disk } from "../disk.ts";
import { calling, errorCode } from "../disk-calls.ts";
import { DiskStateStore, type StateSettings } from "./disk-state-store.ts";
import { saysDamage } from "./lmdb-errors.ts";
import { loadState } from "./load-state.ts";
import { salvageState } from "./salvage-state.ts";
import type { OpenStateFile, StateFile } from "./state-file.ts";
import { StateLostError } from "./state-lost-error.ts";
import { readOnTrial } from "./trial-reading.ts";
import { verifyEntries } from "./verify-entries.ts";

/** Behind the name of the folder while a new file is made, and once it may take its place. */
const UNFINISHED = "-new";
const WHOLE = "-whole";
/** LMDB's name for it. */
const FILE_NAME = "data.mdb";
/** Above this, closing and opening would take noticeably longer for summing the whole file. */
export const MAX_SUMMED_BYTES: number = 64 * 1024 * 1024;

/** The bytes of a state file that nobody has open. */
export interface StateSeal {
  readonly stateBytes: number;
  /** CRC-32 of the whole file; null where it is too large to be read for this. */
  readonly stateChecksum: number | null;
  /**
   * When the system last changed the file in any way, in nanoseconds as text. It says of a large
   * file that nobody has written to it or put another in its place; not that its disk has kept it:
   * that the checksum of each entry says when it is read.
   */
  readonly stateChangedNs?: string;
}

export interface StateOpening {
  readonly disk: Disk;
  /** The folder of the file. */
  readonly path: string;
  readonly settings: StateSettings;
  readonly environment: Environment;
  /** As closing left it; undefined if it was not closed, or if there is none yet. */
  readonly seal: StateSeal | undefined;
  /** Whether the file has to be there. */
  readonly isExpected: boolean;
  readonly openFile: OpenStateFile;
  /** Whether a file that is not as closing left it is read through. */
  readonly verify: boolean;
  /** A file of more bytes is not summed. */
  readonly maxSummedBytes: number;
  /** Moves the folder of a damaged file out of the way, durably, and reports it. */
  putAside(reason: string): Promise<void>;
}

/**
 * Opens the state, and has looked for damage before. Damage of single shards is told by the store:
 * reading one of them throws.
 *
 * @throws StateLostError where nothing in the file may be believed.
 */
export async function openState(opening: StateOpening): Promise<DiskStateStore> {
  const { path } = opening;
  await finishReplacing(opening);
  const found = await sealOf(path, opening.maxSummedBytes);
  if (found === undefined && opening.isExpected) throw new StateLostError("the file is missing");
  const isDoubtful = opening.verify && found !== undefined && !isSame(found, opening.seal);
  if (isDoubtful) {
    const wrong = await readOnTrial(path);
    if (wrong !== undefined) throw new StateLostError(wrong);
    await salvageIfDamaged(opening);
  }
  const { environment, settings } = opening;
  return withFile(opening, path, async (file) => {
    return new DiskStateStore(environment, settings, loadState(file));
  });
}

/** Pages that are damaged are never written to: what is sound moves to a new file. */
async function salvageIfDamaged(opening: StateOpening): Promise<void> {
  const { path, environment } = opening;
  const made = `${path}${UNFINISHED}`;
  const damaged = await withFile(opening, path, async (file) => {
    const found = await verifyEntries(file, environment);
    const own = found.get(NODE_SHARD);
    if (own !== undefined) throw new StateLostError(`of what the node knows of itself, ${own}`);
    if (found.size > 0) {
      const salvaged = await opening.openFile(made);
      await salvageState(file, salvaged, found, environment);
      await salvaged.close();
    }
    await file.close();
    return found;
  });
  if (damaged.size === 0) return;
  await sync(opening, made);
  await rename(made, `${path}${WHOLE}`);
  await sync(opening, dirname(path));
  const reasons = [...damaged].map(([shard, reason]) => `of shard ${shard}, ${reason}`);
  await replace(opening, reasons.join("; "));
}

/** A start may have ended anywhere in the middle of it. */
async function finishReplacing(opening: StateOpening): Promise<void> {
  await rm(`${opening.path}${UNFINISHED}`, { recursive: true, force: true });
  if (!(await isThere(`${opening.path}${WHOLE}`))) return;
  await replace(opening, "it was found damaged by a start that did not come to its end");
}

async function replace(opening: StateOpening, reason: string): Promise<void> {
  if (await isThere(opening.path)) await opening.putAside(reason);
  await rename(`${opening.path}${WHOLE}`, opening.path);
  await sync(opening, dirname(opening.path));
}

function sync({ disk }: StateOpening, path: string): Promise<void> {
  return calling((done) => disk.syncDirectory(path, done));
}

/** What `use` answers; if it throws, the file is closed, and its damage told as such. */
async function withFile<Result>(
  opening: StateOpening,
  path: string,
  use: (file: StateFile) => Promise<Result>,
): Promise<Result> {
  const file = await opening.openFile(path).catch((error) => failOpening(opening, error));
  try {
    return await use(file);
  } catch (error) {
    await file.close();
    return giveUpIfDamaged(error);
  }
}

/** Undefined if there is no file. Nobody has it open. */
export async function sealOf(path: string, maxSummedBytes: number): Promise<StateSeal | undefined> {
  const file = join(path, FILE_NAME);
  try {
    const { size, ctimeNs } = await stat(file, { bigint: true });
    const stateBytes = Number(size);
    if (stateBytes > maxSummedBytes) {
      return { stateBytes, stateChecksum: null, stateChangedNs: String(ctimeNs) };
    }
    let stateChecksum = 0;
    for await (const chunk of createReadStream(file)) stateChecksum = crc32(chunk, stateChecksum);
    return { stateBytes, stateChecksum };
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function isThere(path: string): Promise<boolean> {
  return (await sealOf(path, 0)) !== undefined;
}

function isSame(found: StateSeal, seal: StateSeal | undefined): boolean {
  if (seal === undefined || seal.stateBytes !== found.stateBytes) return false;
  if (seal.stateChecksum !== found.stateChecksum) return false;
  if (seal.stateChecksum !== null) return true;
  return seal.stateChangedNs !== undefined && seal.stateChangedNs === found.stateChangedNs;
}

/** What fails on a new file as well says nothing of this one: good data is never given up for that. */
async function failOpening(opening: StateOpening, error: unknown): Promise<never> {
  if (!saysDamage(error)) throw error;
  const path = `${opening.path}${UNFINISHED}`;
  try {
    const file = await opening.openFile(path);
    await file.close();
  } catch (cause) {
    const message =
      `the state in ${opening.path} cannot be opened, nor can a new file beside it, so that its data was ` +
      `left as it is: ${error instanceof Error ? error.message : String(error)}`;
    throw new CapstanError("STORE_FAILED", message, { cause });
  }
  await rm(path, { recursive: true, force: true });
  return giveUpIfDamaged(error);
}

function giveUpIfDamaged(error: unknown): never {
  if (error instanceof StateLostError || !saysDamage(error)) throw error;
  throw new StateLostError(error instanceof Error ? error.message : String(error));
}
