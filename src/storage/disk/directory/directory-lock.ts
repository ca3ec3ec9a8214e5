import { createHash } from "node:crypto";
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import type { Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Environment } from "../../../core/contracts/environment.ts";
import { CapstanError } from "../../../core/model/errors.ts";
import { errorCode } from "../disk-calls.ts";
import { type Listener, listenerOn, listenOn, stopListening } from "./lock-socket.ts";

/** Held while a directory is open. */
export interface DirectoryLock {
  release(): Promise<void>;
}

/** Of those who find an address taken by nobody, one is soon the one who has it. */
const ATTEMPTS = 5;
/** Bytes of a path that a socket may have (`sun_path`), on the system that has the fewest. */
const MAX_SOCKET_PATH_BYTES = 103;

/**
 * Makes sure that no other process, and nobody in this one, has the directory open. The kernel
 * decides, by sockets that somebody listens on or not: they end with their process, however it ends.
 *
 * - A name that stands for the directory's device and inode (Linux: an abstract socket; Windows: a
 *   pipe). Only one can listen on it, and it leaves nothing behind. It holds within one network
 *   namespace.
 * - The socket `lock` in the directory, which also works between containers that share it. One that
 *   nobody listens on any more is moved away. Two containers that find it so within the same
 *   microseconds could both win: one directory is not meant for two of them.
 *
 * @param knownProcessId what to name when the one who has it does not answer.
 * @throws CapstanError `DATA_DIRECTORY_LOCKED`, naming the process that has it.
 */
export async function lockDirectory(
  directory: string,
  environment: Environment,
  knownProcessId: number | undefined,
): Promise<DirectoryLock> {
  const held: Server[] = [];
  const folder = await open(directory, "r").catch(() => undefined);
  const release = async (): Promise<void> => {
    await Promise.all(held.splice(0).map(stopListening));
    await folder?.close();
  };
  const take = async (address: string, isFile: boolean): Promise<void> => {
    const server = await takeAddress(address, isFile, environment);
    if (typeof server === "object") held.push(server);
    else throw lockedError(directory, server === "silent" ? knownProcessId : server);
  };
  try {
    const name = await nameInKernel(directory);
    if (name !== undefined) await take(name, false);
    const path = socketPath(directory, folder);
    if (path !== undefined) await take(path, true).catch((error) => mayDoWithout(error, name));
  } catch (error) {
    await release();
    throw error;
  }
  return { release };
}

/** The server that listens there now, or who else does. */
async function takeAddress(
  address: string,
  isFile: boolean,
  environment: Environment,
): Promise<Server | NonNullable<Listener>> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const server = await listenOn(address);
    if (server !== undefined) return server;
    const listener = await listenerOn(address, environment);
    if (listener !== undefined) return listener;
    if (isFile) {
      const taker = await moveAway(address, `${address}-left-${process.pid}`, environment);
      if (taker !== undefined) return taker;
    }
  }
  return "silent";
}

/** Between the question and the move another may have begun to listen: then it is moved back. */
async function moveAway(from: string, to: string, environment: Environment): Promise<Listener> {
  try {
    await rename(from, to);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
  const listener = await listenerOn(to, environment);
  if (listener === undefined) await rm(to, { force: true });
  else await rename(to, from);
  return listener;
}

async function nameInKernel(directory: string): Promise<string | undefined> {
  if (process.platform !== "linux" && process.platform !== "win32") return undefined;
  const { dev, ino } = await stat(directory, { bigint: true });
  const name = `capstan-${dev.toString(16)}-${ino.toString(16)}`;
  return process.platform === "linux" ? `\0${name}` : `\\\\?\\pipe\\${name}`;
}

/** Undefined where sockets have no place in the file system. */
function socketPath(directory: string, folder: FileHandle | undefined): string | undefined {
  if (process.platform === "win32") return undefined;
  const path = join(directory, "lock");
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES) return path;
  if (process.platform === "linux" && folder !== undefined)
    return `/proc/self/fd/${folder.fd}/lock`;
  const digest = createHash("sha256").update(directory).digest("hex").slice(0, 16);
  return join(tmpdir(), `capstan-${digest}.sock`);
}

/** Some file systems know no sockets; the name in the kernel has to do there. */
function mayDoWithout(error: unknown, name: string | undefined): void {
  if (error instanceof CapstanError || name === undefined) throw error;
}

function lockedError(directory: string, processId: number | undefined): CapstanError {
  const who = processId === undefined ? "another process" : `process ${processId}`;
  const self = processId === process.pid ? ", which is this one" : "";
  return new CapstanError(
    "DATA_DIRECTORY_LOCKED",
    `the data directory ${directory} is in use by ${who}${self}`,
    { details: { path: directory, ...(processId !== undefined && { processId }) } },
  );
}
