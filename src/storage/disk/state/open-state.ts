import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { Environment } from "../../../core/contracts/environment.ts";
import { NODE_SHARD } from "../../../core/contracts/storage.ts";
import type { ShardId } from "../../../core/model/ids.ts";
import { errorCode } from "../disk-calls.ts";
import { DiskStateStore, type StateSettings } from "./disk-state-store.ts";
import { saysDamage } from "./lmdb-errors.ts";
import { loadState } from "./load-state.ts";
import type { OpenStateFile } from "./state-file.ts";
import { StateLostError } from "./state-lost-error.ts";
import { readOnTrial } from "./trial-reading.ts";
import { verifyEntries } from "./verify-entries.ts";

/** LMDB's name for it. */
const FILE_NAME = "data.mdb";
/** Above this, closing and opening would take noticeably longer for reading the whole file. */
const MAX_SUMMED_BYTES = 64 * 1024 * 1024;

/** The bytes of a state file that nobody has open. */
export interface StateSeal {
  readonly stateBytes: number;
  /** CRC-32 of the whole file; null where it is too large to be read for this. */
  readonly stateChecksum: number | null;
}

export interface StateOpening {
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
}

/**
 * Opens the state, and has looked for damage before. Damage of single shards is told by the store:
 * reading one of them throws.
 *
 * @throws StateLostError where nothing in the file may be believed.
 */
export async function openState(opening: StateOpening): Promise<DiskStateStore> {
  const { path, environment, settings } = opening;
  const found = await sealOf(path);
  if (found === undefined && opening.isExpected) throw new StateLostError("the file is missing");
  const isDoubtful = opening.verify && found !== undefined && !isSame(found, opening.seal);
  if (isDoubtful) {
    const wrong = await readOnTrial(path);
    if (wrong !== undefined) throw new StateLostError(wrong);
  }
  const file = await opening.openFile(path).catch(giveUpIfDamaged);
  try {
    const damaged = isDoubtful
      ? await verifyEntries(file, environment)
      : new Map<ShardId, string>();
    const own = damaged.get(NODE_SHARD);
    if (own !== undefined) throw new StateLostError(`of what the node knows of itself, ${own}`);
    return new DiskStateStore(environment, settings, loadState(file, damaged));
  } catch (error) {
    await file.close();
    return giveUpIfDamaged(error);
  }
}

/** Undefined if there is no file. Nobody has it open. */
export async function sealOf(path: string): Promise<StateSeal | undefined> {
  const file = join(path, FILE_NAME);
  try {
    const { size } = await stat(file);
    if (size > MAX_SUMMED_BYTES) return { stateBytes: size, stateChecksum: null };
    let stateChecksum = 0;
    for await (const chunk of createReadStream(file)) stateChecksum = crc32(chunk, stateChecksum);
    return { stateBytes: size, stateChecksum };
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

function isSame(found: StateSeal, seal: StateSeal | undefined): boolean {
  return (
    seal !== undefined &&
    seal.stateChecksum !== null &&
    seal.stateBytes === found.stateBytes &&
    seal.stateChecksum === found.stateChecksum
  );
}

function giveUpIfDamaged(error: unknown): never {
  if (error instanceof StateLostError || !saysDamage(error)) throw error;
  throw new StateLostError(error instanceof Error ? error.message : String(error));
}
