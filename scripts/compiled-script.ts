import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";

import { INTERRUPTED } from "./interruptible.ts";

const at = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

/**
 * A script of this folder, and all that it imports, without types, as JavaScript: what tsx makes of it
 * keeps the name of each closure besides, at a call each, which is a tenth of the time of a world. In a
 * folder of its own, where packages are found, so that no two runs meet; it is gone with this process,
 * but where a signal ends that: whoever calls this listens to them (`interruptible`).
 *
 * @throws Error if the compiler fails. Ends the process where the compiler was interrupted.
 */
export function compiledScript(script: string): string {
  const folder = mkdtempSync(at("node_modules/.capstan-scripts-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(`${folder}/package.json`, '{ "type": "module" }\n');
  const compiler = at("node_modules/typescript/bin/tsc");
  const words = [compiler, "-p", at("scripts/tsconfig.json"), "--outDir", folder];
  const { status, signal, stdout } = spawnSync(process.execPath, words, { encoding: "utf8" });
  // A terminal interrupts the compiler together with this process, which hears of it only after this.
  if (signal !== null) process.exit(INTERRUPTED);
  if (status !== 0) throw new Error(`${script} was not compiled: ${stdout}`);
  return `${folder}/scripts/${basename(script, ".ts")}.js`;
}
