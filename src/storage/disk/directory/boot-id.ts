import { readFile } from "node:fs/promises";

/**
 * What Linux draws anew at each start of the machine; undefined where there is no such thing, or in
 * a sandbox without `/proc`: then every unclean end counts as a power cut.
 */
export async function readBootId(): Promise<string | undefined> {
  try {
    const text = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
    return /^[0-9a-f-]{36}$/.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}
