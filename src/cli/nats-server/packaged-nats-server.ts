import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder } from "../make-folder.ts";
import { pause } from "../surroundings.ts";
import { isReadable } from "./cache-folder.ts";
import type { NatsServerProgram, NatsServerSearch } from "./find-nats-server.ts";
import { runProgram } from "./run-program.ts";

const PROGRAM = "nats-server-debian";
const LOCK = `${PROGRAM}.lock`;
const STEP_TIMEOUT_MS = 90_000;
/** A lock that is older was left behind by a process that was killed. */
const LOCK_AGE_MS = 5 * STEP_TIMEOUT_MS;
const POLL_MS = 100;

/**
 * The program out of the distribution's package, which apt downloads into folders of ours and dpkg
 * unpacks: nothing is installed, and no rights are needed. Kept for later in the cache. Undefined
 * where there is no apt.
 */
export async function packagedNatsServer(
  search: NatsServerSearch,
): Promise<Omit<NatsServerProgram, "version"> | undefined> {
  const { cacheFolder, environment } = search;
  const path = join(cacheFolder, PROGRAM);
  const found = { path, origin: "the distribution's package" };
  if (await isReadable(path)) return found;
  if (process.platform !== "linux" || !(await hasApt(search))) return undefined;
  const lock = join(cacheFolder, LOCK);
  await makeFolder(cacheFolder);
  while (!(await take(lock, environment.wallMs()))) {
    await pause(environment, POLL_MS);
    if (await isReadable(path)) return found;
  }
  try {
    // Somebody may have done it between the look and the lock.
    if (!(await isReadable(path))) await fetchProgram(search, path);
  } finally {
    await rm(lock, { recursive: true, force: true });
  }
  return found;
}

/** A folder is made by one of those who try. */
async function take(lock: string, nowMs: number): Promise<boolean> {
  try {
    await mkdir(lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    const madeMs = await stat(lock).then(
      ({ mtimeMs }) => mtimeMs,
      () => nowMs,
    );
    if (nowMs - madeMs > LOCK_AGE_MS) await rm(lock, { recursive: true, force: true });
    return false;
  }
}

async function hasApt(search: NatsServerSearch): Promise<boolean> {
  const options = { ...search, timeoutMs: STEP_TIMEOUT_MS };
  const ran = await runProgram("apt-get", ["--version"], options).catch(() => undefined);
  return ran?.code === 0;
}

async function fetchProgram(search: NatsServerSearch, path: string): Promise<void> {
  const { environment, env, cacheFolder, onNotice } = search;
  onNotice?.("fetching a NATS server with apt, into a folder of its own");
  const folder = await mkdtemp(join(cacheFolder, "apt-"));
  try {
    const [lists, cache, unpacked] = ["lists", "cache", "unpacked"].map((name) =>
      join(folder, name),
    ) as [string, string, string];
    await mkdir(join(lists, "partial"), { recursive: true });
    await mkdir(join(cache, "archives", "partial"), { recursive: true });
    const own = ["-q", "-o", `Dir::State::lists=${lists}`, "-o", `Dir::Cache=${cache}`];
    const step = async (program: string, args: readonly string[]): Promise<void> => {
      const options = { environment, env, timeoutMs: STEP_TIMEOUT_MS, directory: folder };
      const { code, output } = await runProgram(program, args, options);
      if (code === 0) return;
      const why = output.trim().split("\n").at(-1) || "it was too slow";
      throw new Error(`${program} ${args.at(-2)} ${args.at(-1)} failed: ${why}`);
    };
    await step("apt-get", [...own, "update"]);
    await step("apt-get", [...own, "download", "nats-server"]);
    const archive = (await readdir(folder)).find((name) => name.endsWith(".deb")) ?? "";
    await step("dpkg", ["-x", join(folder, archive), unpacked]);
    const program = join(unpacked, "usr", "sbin", "nats-server");
    await chmod(program, 0o755);
    await rename(program, path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
