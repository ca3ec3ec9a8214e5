import { readFile, stat } from "node:fs/promises";
import { extname, resolve } from "node:path";
import { types } from "node:util";
import type { StoreConfigurationInput } from "../core/model/configuration-types.ts";
import { importModule } from "./import-module.ts";
import { withAbsoluteModules } from "./load-resolvers.ts";
import { parseJson } from "./parse-json.ts";
import { UsageError } from "./usage-error.ts";

const MODULE_EXTENSIONS: readonly string[] = Object.freeze([
  ".js",
  ".mjs",
  ".cjs",
  ".ts",
  ".mts",
  ".cts",
]);
const ALLOWED = `a .json, .js, .mjs or .ts file`;

/**
 * Reads a configuration file: `openStore`'s first argument, as JSON or as the default export (or an
 * export named `config`) of a module. Its content is checked by whoever opens a store with it. Modules
 * of resolvers are named by absolute paths then, and `loadResolvers` imports them.
 */
export async function loadConfiguration(
  file: string,
  directory: string,
): Promise<StoreConfigurationInput> {
  const path = resolve(directory, file);
  await mustBeAFile(path, file);
  const extension = extname(path).toLowerCase();
  const absolute = (value: unknown): StoreConfigurationInput =>
    withAbsoluteModules(asConfiguration(value, file), path);
  if (extension === ".json") return absolute(await readJson(path, file));
  if (!MODULE_EXTENSIONS.includes(extension)) {
    throw new UsageError(`${file}: a configuration is ${ALLOWED}, not "${extension}".`);
  }
  return absolute(exportOf(await importModule(path, file), file));
}

async function mustBeAFile(path: string, file: string): Promise<void> {
  let found: Awaited<ReturnType<typeof stat>>;
  try {
    found = await stat(path);
  } catch (error) {
    throw unreadable(path, file, error);
  }
  if (!found.isFile())
    throw new UsageError(`${file} is not a file; a configuration is ${ALLOWED}.`);
}

async function readJson(path: string, file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw unreadable(path, file, error);
  }
  const parsed = parseJson(text.startsWith("\uFEFF") ? text.slice(1) : text);
  if (parsed.ok) return parsed.value;
  throw new UsageError(`${file} is refused: ${parsed.problem}.`);
}

function unreadable(path: string, file: string, error: unknown): UsageError {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT" || code === "ENOTDIR") {
    return new UsageError(`${file}: there is no such file (looked for ${path}).`);
  }
  return new UsageError(`${file} cannot be read: ${(error as Error).message}.`);
}

function exportOf(loaded: Record<string, unknown>, file: string): unknown {
  const found = loaded.default ?? loaded.config;
  if (found !== undefined) return found;
  const names = Object.keys(loaded);
  const isEcmaScript = loaded.__esModule === true || types.isModuleNamespaceObject(loaded);
  if (!isEcmaScript && (typeof loaded !== "object" || names.length > 0)) return loaded;
  const there = names.length === 0 ? "nothing" : names.join(", ");
  throw new UsageError(
    `${file} has neither a default export nor one named "config"; it exports ${there}.`,
  );
}

function asConfiguration(value: unknown, file: string): StoreConfigurationInput {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  const kind = Array.isArray(value) ? "an array" : value === null ? "null" : `a ${typeof value}`;
  throw new UsageError(
    `${file} holds ${kind}; a configuration is an object: openStore's first argument.`,
  );
}
