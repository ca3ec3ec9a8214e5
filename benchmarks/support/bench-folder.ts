import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

/**
 * A folder for what a benchmark writes, and its removal. Below the working directory and not below
 * the system's temporary one, which may be memory, where a sync costs nothing.
 */
export async function withFolder<Result>(
  use: (folder: string) => Promise<Result>,
): Promise<Result> {
  const parent = join(process.cwd(), "benchmarks", "results");
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, "data-"));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
