import type { Container } from "inversify";
import type { Resolver } from "../contracts/resolver.ts";
import type { StorageFactory } from "../contracts/storage.ts";
import type { Strategy } from "../contracts/strategy.ts";
import type { TransportFactory } from "../contracts/transport.ts";
import { describeValue, invalidConfiguration } from "../model/configuration-problems.ts";
import type { ResolvedConfiguration, ResolvedKeyspace } from "../model/configuration-types.ts";
import type { HandedOver } from "./handed-over.ts";
import { boundNames, findPlugIn, type PlugInKind, type PlugIns } from "./modules.ts";

/** A keyspace's strategy and the settings that it made of the keyspace's own fields. */
export interface SelectedStrategy {
  readonly strategy: Strategy;
  readonly settings: Readonly<Record<string, unknown>>;
  /** The name of its resolver where that is a CRDT: what is stored are states of it. */
  readonly crdt?: string | undefined;
}

/** What the configuration leads to; nothing of it is open yet. */
export interface SelectedPlugIns {
  readonly transport: TransportFactory;
  readonly storage: StorageFactory;
  /** By keyspace name. */
  readonly strategies: ReadonlyMap<string, SelectedStrategy>;
}

/**
 * Finds all that the configuration names, so that a wrong name is refused before anything opens.
 *
 * @throws CapstanError `INVALID_CONFIGURATION`.
 */
export function selectPlugIns(
  configuration: ResolvedConfiguration,
  handedOver: HandedOver,
  container: Container,
): SelectedPlugIns {
  const { cluster, transport, storage, keyspaces } = configuration;
  const strategies = new Map<string, SelectedStrategy>();
  const datacenters = new Set(cluster.nodes.map(({ datacenter }) => datacenter)).size;
  for (const keyspace of keyspaces) {
    const strategy = handedOver.strategies.get(keyspace.name);
    strategies.set(keyspace.name, selectStrategy(keyspace, strategy, container, datacenters));
  }
  return {
    transport:
      handedOver.transport ?? named(container, "transport", transport.type, "transport.type"),
    storage: handedOver.storage ?? named(container, "storage", storage.type, "storage.type"),
    strategies,
  };
}

function selectStrategy(
  keyspace: ResolvedKeyspace,
  handedOver: Strategy | undefined,
  container: Container,
  datacenters: number,
): SelectedStrategy {
  const path = `keyspaces.${keyspace.name}`;
  const strategy =
    handedOver ?? named(container, "strategy", keyspace.strategy, `${path}.strategy`);
  const resolver = resolverOf(keyspace, strategy, container, path);
  const { strategyOptions } = keyspace;
  const options = resolver === undefined ? strategyOptions : { ...strategyOptions, resolver };
  const settings = strategy.parseSettings(options, path, keyspace.replicas, datacenters);
  return {
    strategy,
    settings,
    crdt: resolver?.capabilities.operations ? resolver.name : undefined,
  };
}

/** Only a strategy that can keep versions apart has a use for a resolver: it gets the object. */
function resolverOf(
  keyspace: ResolvedKeyspace,
  strategy: Strategy,
  container: Container,
  path: string,
): Resolver | undefined {
  const { resolver } = keyspace;
  if (resolver === undefined) return undefined;
  const found =
    typeof resolver === "string"
      ? named(container, "resolver", resolver, `${path}.resolver`)
      : checkedResolver(resolver, `${path}.resolver`);
  if (!strategy.capabilities.siblings && !strategy.capabilities.update) {
    throw invalidConfiguration([
      {
        path: `${path}.resolver`,
        value: resolver,
        allowed: ["no resolver"],
        reason: `is set, but the strategy "${strategy.name}" settles conflicts by itself`,
      },
    ]);
  }
  return found;
}

/** @throws CapstanError `INVALID_CONFIGURATION` unless the object has what a resolver needs. */
function checkedResolver(value: object, path: string): Resolver {
  const { name, capabilities, resolve } = value as Partial<Resolver>;
  const isResolver =
    typeof name === "string" &&
    typeof capabilities === "object" &&
    capabilities !== null &&
    typeof resolve === "function";
  if (isResolver) return value as Resolver;
  const reason = Object.hasOwn(value, "module")
    ? "names a module, which only the loader of a configuration file can import"
    : "is an object that is no resolver";
  const allowed = ["a name", "what defineResolver of capstan/resolvers returns"];
  throw invalidConfiguration([{ path, value, allowed, reason }]);
}

function named<K extends PlugInKind>(
  container: Container,
  kind: K,
  name: string,
  path: string,
): PlugIns[K] {
  const found = findPlugIn(container, kind, name);
  if (found !== undefined) return found;
  const names = boundNames(container, kind);
  throw invalidConfiguration([
    {
      path,
      value: name,
      allowed: names,
      reason: `is ${describeValue(name)}, which is no ${kind} that is bound here`,
    },
  ]);
}
