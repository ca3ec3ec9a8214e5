/**
 * How plug-ins get into a store: each store has one Inversify container, into which modules bind
 * transports, storages, strategies and resolvers by name. No decorators, nothing module-level.
 */
import { Container, ContainerModule, type ServiceIdentifier } from "inversify";
import type { Environment } from "../contracts/environment.ts";
import type { Observer } from "../contracts/observer.ts";
import type { Resolver } from "../contracts/resolver.ts";
import type { StorageFactory } from "../contracts/storage.ts";
import type { Strategy } from "../contracts/strategy.ts";
import type { TransportFactory } from "../contracts/transport.ts";

/** What `openStore({ modules })` takes: `capstanModule` makes one, or Inversify itself. */
export type StoreModule = ContainerModule;

/** What a configuration can name. */
export type PlugInKind = "transport" | "storage" | "strategy" | "resolver";

export interface PlugIns {
  readonly transport: TransportFactory;
  readonly storage: StorageFactory;
  readonly strategy: Strategy;
  readonly resolver: Resolver;
}

interface BoundName {
  readonly kind: PlugInKind;
  readonly name: string;
}

/**
 * The identifiers of a store's container. A plug-in that needs the node's environment or observer
 * while it is made binds itself with `toResolvedValue(…, [IDENTIFIERS.environment])`, under
 * `whenNamed` with the name that configuration uses. `Symbol.for`: a module that was built with
 * another copy of the package binds to the same.
 */
export const IDENTIFIERS = Object.freeze({
  transport: Symbol.for("capstan.transport") as ServiceIdentifier<TransportFactory>,
  storage: Symbol.for("capstan.storage") as ServiceIdentifier<StorageFactory>,
  strategy: Symbol.for("capstan.strategy") as ServiceIdentifier<Strategy>,
  resolver: Symbol.for("capstan.resolver") as ServiceIdentifier<Resolver>,
  environment: Symbol.for("capstan.environment") as ServiceIdentifier<Environment>,
  observer: Symbol.for("capstan.observer") as ServiceIdentifier<Observer>,
  /** One entry per plug-in, so that a refusal can say which names there are. */
  boundName: Symbol.for("capstan.bound-name") as ServiceIdentifier<BoundName>,
});

/** Plug-ins by kind and name, as `capstanModule` takes them. */
export interface ModulePlugIns {
  readonly transports?: Readonly<Record<string, TransportFactory>>;
  readonly storages?: Readonly<Record<string, StorageFactory>>;
  readonly strategies?: Readonly<Record<string, Strategy>>;
  readonly resolvers?: Readonly<Record<string, Resolver>>;
}

/**
 * A module that binds plug-ins by name, for `openStore(configuration, { modules })`. A later
 * module's name wins over an earlier one's, the built-in ones included.
 */
export function capstanModule(plugIns: ModulePlugIns): StoreModule {
  return new ContainerModule(({ bind }) => {
    const bindAll = <K extends PlugInKind>(
      kind: K,
      byName: Readonly<Record<string, PlugIns[K]>> = {},
    ): void => {
      const identifier = IDENTIFIERS[kind] as ServiceIdentifier<PlugIns[K]>;
      for (const [name, plugIn] of Object.entries(byName)) {
        bind(identifier).toConstantValue(plugIn).whenNamed(name);
        bind(IDENTIFIERS.boundName).toConstantValue({ kind, name });
      }
    };
    bindAll("transport", plugIns.transports);
    bindAll("storage", plugIns.storages);
    bindAll("strategy", plugIns.strategies);
    bindAll("resolver", plugIns.resolvers);
  });
}

export interface ContainerParts {
  readonly environment: Environment;
  readonly observer: Observer;
  /** In order: a later one wins. */
  readonly modules: readonly ContainerModule[];
}

/** The container of one store. */
export async function createContainer(parts: ContainerParts): Promise<Container> {
  const container = new Container();
  container.bind(IDENTIFIERS.environment).toConstantValue(parts.environment);
  container.bind(IDENTIFIERS.observer).toConstantValue(parts.observer);
  await container.loadAsync(...parts.modules);
  return container;
}

/** What is bound under the name, by the module that came last; undefined if nothing is. */
export function findPlugIn<K extends PlugInKind>(
  container: Container,
  kind: K,
  name: string,
): PlugIns[K] | undefined {
  const identifier = IDENTIFIERS[kind] as ServiceIdentifier<PlugIns[K]>;
  return container.getAll(identifier, { name }).at(-1);
}

/** The names of a kind, sorted. A binding made without `capstanModule` is found, but not listed. */
export function boundNames(container: Container, kind: PlugInKind): string[] {
  const names = container.getAll(IDENTIFIERS.boundName).filter((bound) => bound.kind === kind);
  return [...new Set(names.map((bound) => bound.name))].sort();
}
