import { constants } from "node:fs";
import { access, mkdir, stat } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Where programs that were fetched are kept: below `XDG_CACHE_HOME` or the user's `.cache`, or,
 * where nothing can be written there, below the folder for temporary files.
 *
 * @throws Error if somebody else owns that last folder: what lies in it is not to be run.
 */
export async function programCacheFolder(
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const wished = join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "capstan");
  const isMade = await mkdir(wished, { recursive: true })
    .then(() => access(wished, constants.W_OK))
    .then(
      () => true,
      () => false,
    );
  if (isMade) return wished;
  const uid = process.getuid?.() ?? 0;
  const folder = join(tmpdir(), `capstan-cache-${uid}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { uid: owner } = await stat(folder);
  if (process.getuid !== undefined && owner !== uid) {
    throw new Error(`${folder} belongs to another user; set XDG_CACHE_HOME to a folder of yours`);
  }
  return folder;
}

export function isReadable(path: string): Promise<boolean> {
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
}
