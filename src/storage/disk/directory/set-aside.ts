import { join } from "node:path";
import type { Disk } from "../disk.ts";
import { calling } from "../disk-calls.ts";

const PREFIX = "set-aside-";
/** Stays where it is: whoever has the directory open listens on it. */
const LOCK_PREFIX = "lock";

/**
 * Moves everything in the directory, but what was set aside before and the lock, or `only` what has
 * that name, into a new folder there, durably. Answers the folder, or undefined if there was nothing.
 *
 * @param wallMs names the folder, so that a person sees what is older; never one that is there.
 */
export async function setAside(
  disk: Disk,
  directory: string,
  wallMs: number,
  only?: string,
): Promise<string | undefined> {
  const names = await calling<readonly string[]>((done) => disk.list(directory, done));
  const moved = names.filter((name) =>
    only === undefined ? !name.startsWith(PREFIX) && !name.startsWith(LOCK_PREFIX) : name === only,
  );
  if (moved.length === 0) return undefined;
  const stamp = new Date(wallMs).toISOString().replaceAll(/[:.]/g, "-");
  let name = `${PREFIX}${stamp}`;
  for (let more = 2; names.includes(name); more += 1) name = `${PREFIX}${stamp}-${more}`;
  const folder = join(directory, name);
  await calling((done) => disk.makeDirectory(folder, done));
  // The identity goes last: until then the next opening finds what is left and sets it aside too.
  const ordered = [...moved].sort((a, b) => rank(a) - rank(b));
  for (const each of ordered) {
    await calling((done) => disk.rename(join(directory, each), join(folder, each), done));
  }
  await calling((done) => disk.syncDirectory(folder, done));
  await calling((done) => disk.syncDirectory(directory, done));
  return folder;
}

function rank(name: string): number {
  return name.startsWith("identity") ? 1 : 0;
}
