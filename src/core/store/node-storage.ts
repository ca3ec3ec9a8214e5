import type { Environment } from "../contracts/environment.ts";
import type { Observer } from "../contracts/observer.ts";
import type { Storage, StorageProblem } from "../contracts/storage.ts";
import type { ResolvedConfiguration } from "../model/configuration-types.ts";
import { CapstanError, isCapstanError } from "../model/errors.ts";
import type { NodeId } from "../model/ids.ts";
import type { ClosingStack } from "./closing-stack.ts";
import { NodeRecords } from "./node-records.ts";
import type { SelectedPlugIns } from "./select-plug-ins.ts";

export interface StorageOpening {
  readonly configuration: ResolvedConfiguration;
  readonly environment: Environment;
  readonly observer: Observer;
  readonly opened: ClosingStack;
  /** What is damaged is added, to be told once there is somebody to tell. */
  readonly problems: StorageProblem[];
}

/** @throws CapstanError `STORE_FAILED`, or what the storage says itself. */
export async function openStorage(
  selected: SelectedPlugIns,
  node: NodeId,
  { configuration, environment, observer, opened, problems }: StorageOpening,
): Promise<Storage> {
  const context = { node, cluster: configuration.cluster.name, environment, observer };
  try {
    const storage = await selected.storage(configuration.storage.options, context);
    opened.push("storage", () => storage.close());
    problems.push(...storage.problems);
    return storage;
  } catch (error) {
    return failStorage(error);
  }
}

/**
 * Without what it kept about itself, a node does not know what it may have promised.
 *
 * @throws CapstanError `DATA_DISOWNED`, `STORE_FAILED`, or what the storage says itself.
 */
export async function openRecords(
  storage: Storage,
  node: NodeId,
  { configuration, problems }: StorageOpening,
): Promise<NodeRecords> {
  const isAlone = configuration.cluster.nodes.length === 1;
  try {
    const records = await NodeRecords.open(storage);
    const { damage } = records;
    if (damage === undefined) return records;
    if (!isAlone) await disownFor(damage, storage, node);
    problems.push({ what: "the node's own records", reason: damage, setAside: undefined });
    records.beginAnew();
    return records;
  } catch (error) {
    return failStorage(error);
  }
}

async function disownFor(damage: string, storage: Storage, node: NodeId): Promise<never> {
  await storage.disown(damage);
  throw new CapstanError(
    "DATA_DISOWNED",
    `${damage}: the next start of node ${node} sets its data aside and learns from its peers`,
    { details: { node, reason: damage } },
  );
}

/** Nothing was ever kept in it, as far as it can be told from what is there. */
export function isUnused({ identity, log, state, problems }: Storage): boolean {
  if (identity.fresh && problems.length === 0) return true;
  return problems.length === 0 && log.lastPosition === 0 && state.shards().length === 0;
}

/** Whatever it met, a disk's own error or a plug-in's: its storage keeps this node from starting. */
function failStorage(error: unknown): never {
  if (isCapstanError(error)) throw error;
  const why = error instanceof Error ? error.message : String(error);
  throw new CapstanError("STORE_FAILED", `storage could not be opened: ${why}`, { cause: error });
}
