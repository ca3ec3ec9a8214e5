import type { StoreConfigurationInput } from "./configuration-types.ts";

/**
 * The configuration as it is given, with the types of the literal kept, so that a configuration
 * file completes in an editor and `openStore` knows its keyspaces.
 */
export function defineConfig<const C extends StoreConfigurationInput>(configuration: C): C {
  return configuration;
}
