import { access, readdir } from "node:fs/promises";
import { join } from "node:path";

/** What the folder of a node that has kept anything has in any case. */
const IDENTITY = "identity-a";

/**
 * What to say where nodes with `storage` start beside data that disk storage has left in `folder`:
 * whoever sees none of it in the cluster should not take it for lost. Undefined: nothing.
 *
 * @param shown names the folder, as a person would.
 */
export async function unusedDataNotice(
  storage: string | undefined,
  folder: string,
  shown: string,
): Promise<string | undefined> {
  if (storage === "disk") return undefined;
  const names = await readdir(folder).catch(() => []);
  const kept: string[] = [];
  for (const name of names.sort()) {
    const isKept = await access(join(folder, name, IDENTITY)).then(
      () => true,
      () => false,
    );
    if (isKept) kept.push(name);
  }
  if (kept.length === 0) return undefined;
  return (
    `${shown} has data of ${kept.join(", ")} from storage disk: with storage ${storage} it is not ` +
    "read, and stays as it is. --storage disk goes on with it."
  );
}
