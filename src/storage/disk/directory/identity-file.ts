import { join } from "node:path";
import { crc32 } from "node:zlib";
import { CapstanError } from "../../../core/model/errors.ts";
import type { Disk } from "../disk.ts";
import { readWholeFile, replaceFile } from "../disk-calls.ts";
import type { StateSeal } from "../state/open-state.ts";

/** Version of the whole data directory: of the identity, of the log, of the state. */
const FORMAT_VERSION = 1;

/** What a data directory says of itself. */
export interface DirectoryIdentity {
  readonly cluster: string;
  readonly node: string;
  /** 32 hex digits. */
  readonly storeId: string;
  /** Of the last start. */
  readonly incarnation: number;
  /** Of the machine at the last start; null where it says none. */
  readonly bootId: string | null;
  /** Of the last start, for whoever finds the directory in use. */
  readonly processId: number;
  /** How closing has left the state; taken away by opening. */
  readonly closed: StateSeal | null;
  /** Why everything here is to be set aside at the next opening. */
  readonly disowned: string | null;
}

/** Each of them is enough: a bit that is flipped in one is survived. */
export const IDENTITY_FILES: readonly string[] = Object.freeze(["identity-a", "identity-b"]);
const MAX_FILE_BYTES = 64 * 1024;
/** Stays as it is in all versions, so that each knows the others. */
const HEADER = /^capstan data, format (\d{1,9}), checksum ([0-9a-f]{8})\n/;

interface Copy {
  readonly revision: number;
  readonly identity: DirectoryIdentity;
}

export interface DamagedFile {
  readonly what: string;
  readonly reason: string;
}

/** The identity of one directory, in two copies. */
export class IdentityFile {
  readonly #disk: Disk;
  readonly #directory: string;
  #copy: Copy | undefined;
  #changing: Promise<void> = Promise.resolve();

  private constructor(disk: Disk, directory: string, copy: Copy | undefined) {
    this.#disk = disk;
    this.#directory = directory;
    this.#copy = copy;
  }

  /**
   * Reads the newest copy that is whole, and says which are not.
   *
   * @throws CapstanError `UNSUPPORTED_FORMAT` for a version that this one does not know.
   */
  static async read(
    disk: Disk,
    directory: string,
  ): Promise<{ readonly file: IdentityFile; readonly damaged: readonly DamagedFile[] }> {
    const damaged: DamagedFile[] = [];
    let newest: Copy | undefined;
    for (const name of IDENTITY_FILES) {
      const path = join(directory, name);
      const bytes = await readCopy(disk, path, damaged);
      const copy = bytes && decode(bytes, path, damaged);
      if (copy !== undefined && copy.revision > (newest?.revision ?? -1)) newest = copy;
    }
    return { file: new IdentityFile(disk, directory, newest), damaged };
  }

  /** Undefined if there is none, or none that is whole. */
  get identity(): DirectoryIdentity | undefined {
    return this.#copy?.identity;
  }

  /** Puts `identity`, or what `change` makes of the one there is, in its place; then it is durable. */
  change(change: (identity: DirectoryIdentity | undefined) => DirectoryIdentity): Promise<void> {
    const changed = this.#changing.then(async () => {
      const copy = {
        revision: (this.#copy?.revision ?? 0) + 1,
        identity: change(this.#copy?.identity),
      };
      const bytes = encode(copy);
      for (const name of IDENTITY_FILES) {
        await replaceFile(this.#disk, join(this.#directory, name), bytes);
      }
      this.#copy = copy;
    });
    this.#changing = changed.catch(() => undefined);
    return changed;
  }
}

async function readCopy(
  disk: Disk,
  path: string,
  damaged: DamagedFile[],
): Promise<Uint8Array | undefined> {
  try {
    return await readWholeFile(disk, path, MAX_FILE_BYTES);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    damaged.push({ what: path, reason: error.message });
    return undefined;
  }
}

function encode(copy: Copy): Uint8Array {
  const body = `${JSON.stringify(copy, undefined, 2)}\n`;
  const checksum = checksumOf(FORMAT_VERSION, body);
  return Buffer.from(`capstan data, format ${FORMAT_VERSION}, checksum ${checksum}\n${body}`);
}

function decode(bytes: Uint8Array, path: string, damaged: DamagedFile[]): Copy | undefined {
  const text = Buffer.from(bytes).toString("utf8");
  const [header, digits, checksum] = HEADER.exec(text) ?? [];
  const version = Number(digits);
  if (header === undefined || checksumOf(version, text.slice(header.length)) !== checksum) {
    damaged.push({ what: path, reason: "it fails its check" });
    return undefined;
  }
  if (version !== FORMAT_VERSION) {
    throw new CapstanError(
      "UNSUPPORTED_FORMAT",
      `${path} is of data format ${version}, and this version of Capstan knows format ${FORMAT_VERSION}`,
      { allowed: [FORMAT_VERSION], details: { path, found: version } },
    );
  }
  return JSON.parse(text.slice(header.length)) as Copy;
}

function checksumOf(version: number, body: string): string {
  return crc32(body, crc32(String(version)))
    .toString(16)
    .padStart(8, "0");
}
