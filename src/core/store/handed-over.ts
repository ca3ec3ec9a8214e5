import type { StorageFactory } from "../contracts/storage.ts";
import type { Strategy } from "../contracts/strategy.ts";
import type { TransportFactory } from "../contracts/transport.ts";
import { invalidConfiguration } from "../model/configuration-problems.ts";
import type { KeyspaceInput, StoreConfigurationInput } from "../model/configuration-types.ts";
import { isPlainObject } from "../model/plain-object.ts";

/** Plug-ins that a configuration holds as objects, not by name. */
export interface HandedOver {
  readonly transport: TransportFactory | undefined;
  readonly storage: StorageFactory | undefined;
  /** By keyspace name. */
  readonly strategies: ReadonlyMap<string, Strategy>;
}

const TYPE_OF_AN_OBJECT = "(object)";

/**
 * Takes the plug-in objects out of a configuration, and leaves names in their place: what remains
 * is plain data, which can be checked, digested and compared between nodes.
 */
export function separatePlugIns(configuration: unknown): {
  readonly plain: StoreConfigurationInput;
  readonly handedOver: HandedOver;
} {
  // An instance of a class, a promise that nobody awaited: refused as a whole, not read as empty.
  if (!isPlainObject(configuration)) {
    return { plain: configuration as StoreConfigurationInput, handedOver: NOTHING };
  }
  const plain: Record<string, unknown> = { ...configuration };
  const take = (field: "transport" | "storage"): unknown => {
    const value = configuration[field];
    if (typeof value !== "function") return undefined;
    plain[field] = { type: TYPE_OF_AN_OBJECT };
    return value;
  };
  const transport = take("transport") as TransportFactory | undefined;
  const storage = take("storage") as StorageFactory | undefined;
  const strategies = new Map<string, Strategy>();
  if (isPlainObject(configuration.keyspaces)) {
    const entries = Object.entries(configuration.keyspaces);
    plain.keyspaces = Object.fromEntries(
      entries.map(([name, keyspace]) => [name, withoutObject(name, keyspace, strategies)]),
    );
  }
  return {
    plain: plain as StoreConfigurationInput,
    handedOver: { transport, storage, strategies },
  };
}

const NOTHING: HandedOver = Object.freeze({
  transport: undefined,
  storage: undefined,
  strategies: new Map<string, Strategy>(),
});

function withoutObject(name: string, keyspace: unknown, taken: Map<string, Strategy>): unknown {
  if (!isPlainObject(keyspace) || !isRecord(keyspace.strategy)) return keyspace;
  const strategy = keyspace.strategy;
  if (!isStrategy(strategy)) {
    throw invalidConfiguration([
      {
        path: `keyspaces.${name}.strategy`,
        value: strategy,
        allowed: ['a name, or { name, kind: "silent" | "engine", capabilities, … }'],
        reason: "is an object that is no strategy",
      },
    ]);
  }
  taken.set(name, strategy);
  return { ...keyspace, strategy: strategy.name } satisfies KeyspaceInput;
}

function isStrategy(value: object): value is Strategy {
  const { name, kind, capabilities, parseSettings, guarantees } = value as Partial<Strategy>;
  return (
    typeof name === "string" &&
    (kind === "silent" || kind === "engine") &&
    isRecord(capabilities) &&
    typeof parseSettings === "function" &&
    typeof guarantees === "function"
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
