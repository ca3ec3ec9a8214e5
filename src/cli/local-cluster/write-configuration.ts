import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { StoreConfigurationInput } from "../../core/model/configuration-types.ts";
import { makeFolder } from "../make-folder.ts";
import { readSummary } from "../read-health.ts";
import { UsageError } from "../usage-error.ts";

const CONFIGURATION_FILE = "capstan.config.json";

/**
 * Writes the configuration that a cluster runs, whole or not at all, and gives its path. A running
 * cluster's file is left alone: its nodes could not be brought back with another one's.
 */
export async function writeConfiguration(
  folder: string,
  configuration: StoreConfigurationInput,
): Promise<string> {
  const file = join(folder, CONFIGURATION_FILE);
  const text = `${JSON.stringify(configuration, null, 2)}\n`;
  const running = await runningNodeOf(file, text);
  if (running !== undefined) {
    throw new UsageError(
      `${file} belongs to a cluster that is running (${running} answers); ` +
        "give this one another folder with --dir.",
    );
  }
  try {
    await makeFolder(folder);
    // It may hold keys and tokens.
    await writeFile(`${file}.new`, text, { mode: 0o600 });
    await rename(`${file}.new`, file);
  } catch (error) {
    throw new UsageError(`${file} cannot be written: ${(error as Error).message}.`);
  }
  return file;
}

/** The address of a node that runs by the file as it is, if that differs from what is to come. */
async function runningNodeOf(file: string, text: string): Promise<string | undefined> {
  const earlier = await readFile(file, "utf8").catch(() => text);
  if (earlier === text) return undefined;
  for (const address of httpAddresses(earlier)) {
    const url = `http://${address}`;
    if (await readSummary(url, { timeoutMs: 500 })) return url;
  }
  return undefined;
}

function httpAddresses(text: string): string[] {
  try {
    const nodes: unknown = JSON.parse(text)?.cluster?.nodes;
    return Object.values(nodes ?? {}).flatMap((node) =>
      typeof node?.http === "string" ? [node.http] : [],
    );
  } catch {
    return [];
  }
}
