import { builtIns } from "../../built-ins.ts";
import type { Environment } from "../../core/contracts/environment.ts";
import { SILENT_OBSERVER } from "../../core/contracts/observer.ts";
import { resolveConfiguration } from "../../core/model/configuration.ts";
import type { StoreConfigurationInput } from "../../core/model/configuration-types.ts";
import { separatePlugIns } from "../../core/store/handed-over.ts";
import { createContainer } from "../../core/store/modules.ts";
import { selectPlugIns } from "../../core/store/select-plug-ins.ts";
import { parseDiskOptions } from "../../storage/disk/disk-options.ts";
import { checkMemoryOptions } from "../../storage/memory/memory-storage.ts";
import { parseNatsOptions } from "../../transports/nats/nats-options.ts";
import { parseTcpOptions } from "../../transports/tcp/tcp-options.ts";

/**
 * Refuses once, before any process is started, what every node would refuse by itself.
 *
 * @throws CapstanError `INVALID_CONFIGURATION`.
 */
export async function checkConfiguration(
  configuration: StoreConfigurationInput,
  environment: Environment,
): Promise<void> {
  const { plain, handedOver } = separatePlugIns(configuration);
  const resolved = resolveConfiguration(plain);
  const { transport, storage } = resolved;
  if (transport.type === "nats") parseNatsOptions(transport.options);
  if (transport.type === "tcp") parseTcpOptions(transport.options);
  if (storage.type === "disk") parseDiskOptions(storage.options);
  if (storage.type === "memory") checkMemoryOptions(storage.options);
  const container = await createContainer({
    environment,
    observer: SILENT_OBSERVER,
    modules: [builtIns()],
  });
  selectPlugIns(resolved, handedOver, container);
}
