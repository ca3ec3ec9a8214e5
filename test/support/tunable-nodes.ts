import { SILENT_OBSERVER } from "../../src/core/contracts/observer.ts";
import type { StorageFactory } from "../../src/core/contracts/storage.ts";
import type { Engine, SilentStrategy } from "../../src/core/contracts/strategy.ts";
import { resolveConfiguration } from "../../src/core/model/configuration.ts";
import type { ResolvedConfiguration } from "../../src/core/model/configuration-types.ts";
import { shardIndexForKey } from "../../src/core/model/hash.ts";
import type { Incarnation, NodeId } from "../../src/core/model/ids.ts";
import { createMachineHost } from "../../src/core/store/machine-host.ts";
import { NodeRecords } from "../../src/core/store/node-records.ts";
import { createPeerNetwork } from "../../src/core/store/peers/peer-network.ts";
import type { MachineHost, PeerNetwork } from "../../src/core/store/seams.ts";
import { memoryStorage } from "../../src/storage/memory/memory-storage.ts";
import { tunableStrategy } from "../../src/strategies/tunable/tunable-strategy.ts";
import { createMemoryHub, type MemoryHub } from "../../src/transports/memory/memory-hub.ts";
import { memoryTransport } from "../../src/transports/memory/memory-transport.ts";
import { VirtualEnvironment, type VirtualTime } from "./virtual-environment.ts";

const KEYSPACE = "accounts";
const SHARDS = 4;

/** A node without a store around it: host, network and storage, under virtual time. */
export interface TunableNode {
  readonly engine: Engine;
  /** While true, no frame comes or goes. */
  isCut: boolean;
  close(options: { readonly drain: boolean; readonly timeoutMs: number }): Promise<void>;
}

export interface TunableNodesOptions {
  readonly time: VirtualTime;
  readonly operationsInFlight: number;
  readonly storage?: StorageFactory;
  /** Default: tunable, as it comes. */
  readonly strategy?: SilentStrategy;
  readonly options?: Readonly<Record<string, unknown>>;
}

function configurationOf(hub: MemoryHub, options: TunableNodesOptions): ResolvedConfiguration {
  const { operationsInFlight, strategy = tunableStrategy } = options;
  return resolveConfiguration({
    cluster: { name: "test", nodes: ["n1", "n2", "n3"] },
    transport: { type: "memory", hub },
    keyspaces: { [KEYSPACE]: { strategy: strategy.name, replicas: 3, shards: SHARDS } },
    limits: { operationsInFlight },
  });
}

/** Three nodes over one hub. They are ready some turns later: await `engine.isReady`. */
export async function openTunableNodes(options: TunableNodesOptions): Promise<TunableNode[]> {
  const hub = createMemoryHub();
  const configuration = configurationOf(hub, options);
  const nodes = configuration.cluster.nodes.map(({ id }, at) =>
    openNode(id, at + 1, configuration, hub, options),
  );
  return Promise.all(nodes);
}

async function openNode(
  node: NodeId,
  seed: number,
  configuration: ResolvedConfiguration,
  hub: MemoryHub,
  options: TunableNodesOptions,
): Promise<TunableNode> {
  const environment = new VirtualEnvironment({ time: options.time, seed });
  const observer = SILENT_OBSERVER;
  const cluster = configuration.cluster.name;
  const openStorage = options.storage ?? memoryStorage;
  const storage = await openStorage({}, { node, cluster, environment, observer });
  const records = await NodeRecords.open(storage);
  const { storeId, incarnation } = storage.identity;
  const self = { node, storeId, incarnation: incarnation as Incarnation };
  const { strategy = tunableStrategy } = options;
  const settings = strategy.parseSettings(options.options ?? {}, `keyspaces.${KEYSPACE}`);
  const host = createMachineHost({
    ...{ self, configuration, storage, records, environment, observer },
    strategies: new Map([[KEYSPACE, { strategy, settings }]]),
    onNotice: () => undefined,
    onFact: () => undefined,
    onFatal: (error) => {
      throw error;
    },
  });
  const opened = new OpenNode(host, storage);
  const context = { self: node, cluster, address: undefined, environment, observer };
  const peers = createPeerNetwork({
    ...{ self, configuration, environment, observer },
    transport: memoryTransport({ hub }, context),
    events: host.events,
    filter: {
      outgoing: () => (opened.isCut ? [] : undefined),
      incoming: () => (opened.isCut ? [] : undefined),
    },
    storedClusterId: host.storedClusterId,
    logPosition: () => host.logPosition(),
    openedPosition: host.openedPosition,
    saveClusterId: (id, origin, done) => host.saveClusterId(id, origin, done),
    isUnused: true,
    met: host.met,
  });
  opened.peers = peers;
  host.attach(peers);
  await peers.start();
  return opened;
}

class OpenNode implements TunableNode {
  readonly engine: Engine;
  isCut = false;
  peers: PeerNetwork | undefined;
  readonly #host: MachineHost;
  readonly #storage: { close(): Promise<void> };

  constructor(host: MachineHost, storage: { close(): Promise<void> }) {
    this.#host = host;
    this.#storage = storage;
    this.engine = host.engine(KEYSPACE);
  }

  async close(options: { readonly drain: boolean; readonly timeoutMs: number }): Promise<void> {
    await this.#host.close(options);
    await this.peers?.close({ timeoutMs: 0 });
    await this.#storage.close();
  }
}

export function shardIndexOfKey(key: Uint8Array): number {
  return shardIndexForKey(key, "whole", SHARDS);
}
