import type {
  DefaultKeyspaces,
  KeyspacesConfiguration,
  StoreConfiguration,
} from "./typed-store.ts";

/**
 * The configuration as it is given, checked by the compiler as `openStore` would have it, with the
 * types of the literal kept: for configuration files, and for literals that are shared.
 */
export function defineConfig<const K extends KeyspacesConfiguration = DefaultKeyspaces>(
  configuration: StoreConfiguration<K>,
): StoreConfiguration<K> {
  return configuration;
}
