import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { describeValue } from "../core/model/configuration-problems.ts";
import type { KeyspaceInput, StoreConfigurationInput } from "../core/model/configuration-types.ts";
import { isPlainObject } from "../core/model/plain-object.ts";
import { importModule } from "./import-module.ts";
import { UsageError } from "./usage-error.ts";

/**
 * `resolver: { module: "./mine.js" }` says where a keyspace's resolver is, in a file that can hold no
 * resolver. Paths are relative to the configuration file; made absolute, the configuration can be
 * written down elsewhere and mean the same.
 */
export function withAbsoluteModules(
  configuration: StoreConfigurationInput,
  file: string,
): StoreConfigurationInput {
  return mapResolvers(configuration, (module) => ({ module: resolve(dirname(file), module) }));
}

/**
 * The configuration with the resolvers themselves in place of their modules' names: what a module
 * has as its default export, or as the export `resolver`.
 *
 * @param configuration with absolute paths of modules.
 */
export async function loadResolvers(
  configuration: StoreConfigurationInput,
): Promise<StoreConfigurationInput> {
  const modules = new Map<string, string>();
  mapResolvers(configuration, (module, path) => {
    modules.set(module, path);
    return {};
  });
  const loaded = new Map<string, object>();
  for (const [module, path] of modules) loaded.set(module, await loadResolver(module, path));
  if (loaded.size === 0) return configuration;
  return mapResolvers(configuration, (module) => loaded.get(module) as object);
}

async function loadResolver(module: string, path: string): Promise<object> {
  const found = await stat(module).catch(() => undefined);
  if (!found?.isFile()) {
    throw new UsageError(`${path}: there is no such file (looked for ${module}).`);
  }
  const exported = await importModule(module, `${path} (${module})`);
  const resolver = exported.default ?? exported.resolver;
  if (typeof resolver === "object" && resolver !== null) return resolver;
  const names = Object.keys(exported).join(", ") || "nothing";
  throw new UsageError(
    `${path}: ${module} has neither a default export nor one named "resolver" that is a resolver ` +
      `(defineResolver of capstan/resolvers makes one); it exports ${names}.`,
  );
}

/** The configuration with another object for each resolver that names a module. */
function mapResolvers(
  configuration: StoreConfigurationInput,
  map: (module: string, path: string) => object,
): StoreConfigurationInput {
  const { keyspaces } = configuration;
  if (!isPlainObject(keyspaces)) return configuration;
  const mapped = Object.entries(keyspaces).map(([name, keyspace]): [string, KeyspaceInput] => {
    const module = moduleOf(keyspace, name);
    if (module === undefined) return [name, keyspace];
    return [name, { ...keyspace, resolver: map(module, pathOf(name)) }];
  });
  const isSame = mapped.every(([name, keyspace]) => keyspaces[name] === keyspace);
  return isSame ? configuration : { ...configuration, keyspaces: Object.fromEntries(mapped) };
}

function moduleOf(keyspace: unknown, name: string): string | undefined {
  if (!isPlainObject(keyspace)) return undefined;
  const { resolver } = keyspace;
  if (!isPlainObject(resolver) || !Object.hasOwn(resolver, "module")) return undefined;
  const { module, ...others } = resolver;
  if (typeof module === "string" && module !== "" && Object.keys(others).length === 0) {
    return module;
  }
  const what =
    typeof module === "string" && module !== ""
      ? `also has ${Object.keys(others).join(", ")}`
      : `names ${describeValue(module)}`;
  throw new UsageError(`${pathOf(name)} ${what}; allowed: { module: "./resolver.js" }.`);
}

function pathOf(keyspace: string): string {
  return `keyspaces.${keyspace}.resolver`;
}
