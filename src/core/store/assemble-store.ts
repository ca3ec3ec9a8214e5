import type { Container } from "inversify";
import type { Environment } from "../contracts/environment.ts";
import type { Sender } from "../contracts/machine.ts";
import type { Observer } from "../contracts/observer.ts";
import type { Storage, StorageProblem } from "../contracts/storage.ts";
import type { Engine, SilentStrategy } from "../contracts/strategy.ts";
import { configurationDigest } from "../model/configuration-digest.ts";
import { outlineOf } from "../model/configuration-outline.ts";
import { describeValue, invalidConfiguration } from "../model/configuration-problems.ts";
import type {
  ResolvedConfiguration,
  ResolvedKeyspace,
  ResolvedNode,
} from "../model/configuration-types.ts";
import type { CapstanError } from "../model/errors.ts";
import type { Incarnation } from "../model/ids.ts";
import { MAX_KEY_BYTES } from "../model/keys.ts";
import { ClosingStack } from "./closing-stack.ts";
import { defaultLevelsOf } from "./default-levels.ts";
import { degradedReasons } from "./describe-store.ts";
import { NodeFacts } from "./facts/node-facts.ts";
import type { HandedOver } from "./handed-over.ts";
import { KeyspaceHandle } from "./keyspace-handle.ts";
import { Lifecycle } from "./lifecycle.ts";
import { createMachineHost } from "./machine-host.ts";
import type { NodeRecords } from "./node-records.ts";
import { isUnused, openRecords, openStorage } from "./node-storage.ts";
import { NodeStore, type OpenKeyspace } from "./node-store.ts";
import { OperationMaker } from "./operation-maker.ts";
import { createPeerNetwork } from "./peers/peer-network.ts";
import { refuseAborted, toFault } from "./pending-call.ts";
import { checkPlacement, keepPlacement } from "./placement-record.ts";
import type { PlantedHostBugs } from "./planted-bugs.ts";
import type { FrameFilter, MachineHost, PeerNetwork } from "./seams.ts";
import { type SelectedPlugIns, type SelectedStrategy, selectPlugIns } from "./select-plug-ins.ts";
import { type Notice, StoreEvents } from "./store-events.ts";
import { checkingSchemaOf } from "./value-schema.ts";

/** Of a record: its key, and what a strategy writes about it. */
const BYTES_BESIDE_VALUE = MAX_KEY_BYTES + 256;

/** More than reading back what a crash left should ever take. */
const READ_BACK_TIMEOUT_MS = 10_000;

export interface AssemblyParts {
  readonly configuration: ResolvedConfiguration;
  /** This process; may be left out where the configuration has one node. */
  readonly node: string | undefined;
  readonly container: Container;
  readonly handedOver: HandedOver;
  readonly environment: Environment;
  readonly observer: Observer;
  readonly frameFilter: FrameFilter | undefined;
  readonly signal: AbortSignal | undefined;
  /** Only in tests. */
  readonly planted?: PlantedHostBugs;
}

/**
 * Opens a node with what the container binds: storage, then the host of machines and the engines,
 * then the network. Settles once the node listens and serves what it can alone.
 *
 * @throws CapstanError with nothing left open.
 */
export async function assembleStore(parts: AssemblyParts): Promise<NodeStore> {
  const opened = new ClosingStack(parts.environment);
  try {
    return await new Assembly(parts, opened).open();
  } catch (error) {
    // The reason why it did not open is what the caller can act on, not what closing says to it.
    await opened.close({ drain: false, timeoutMs: 0 }).catch(() => undefined);
    throw toFault(error);
  }
}

class Assembly {
  #parts: AssemblyParts;
  readonly #opened: ClosingStack;
  readonly #lifecycle = new Lifecycle();
  readonly #events: StoreEvents;
  readonly #facts: NodeFacts;
  #peers: PeerNetwork | undefined;
  #store: NodeStore | undefined;
  readonly #problems: StorageProblem[] = [];
  /** Of a failure before there was a store to fail. */
  #earlyFailure: CapstanError | undefined;
  #sayFailed: () => void = () => undefined;
  readonly #failed = new Promise<void>((resolve) => {
    this.#sayFailed = resolve;
  });

  constructor(parts: AssemblyParts, opened: ClosingStack) {
    this.#parts = parts;
    this.#opened = opened;
    this.#events = new StoreEvents(parts.environment);
    this.#events.hold();
    const { configuration, environment, observer } = parts;
    this.#facts = new NodeFacts({
      ...{ environment, observer },
      node: parts.node ?? configuration.cluster.nodes[0]?.id ?? "",
      keyspaces: configuration.keyspaces.map(({ name }) => name),
      emit: (notice) => this.#events.emit(notice),
    });
  }

  async open(): Promise<NodeStore> {
    const { container, handedOver } = this.#parts;
    const node = nodeOf(this.#parts.configuration, this.#parts.node);
    // Whatever can be refused is refused before anything opens.
    const selected = selectPlugIns(this.#parts.configuration, handedOver, container);
    const configuration = withSharedDigest(this.#parts.configuration, selected);
    this.#parts = { ...this.#parts, configuration };
    const schemas = schemasOf(configuration);
    const { environment, observer } = this.#parts;
    const opening = {
      ...{ configuration, environment, observer, problems: this.#problems, opened: this.#opened },
    };
    this.#goOn();
    const storage = await openStorage(selected, node.id, opening);
    this.#goOn();
    const records = await openRecords(storage, node.id, opening);
    const crdtOf = (keyspace: string) => selected.strategies.get(keyspace)?.crdt;
    checkPlacement(records, configuration, crdtOf);
    this.#goOn();
    const { storeId, incarnation } = storage.identity;
    const self: Sender = { node: node.id, storeId, incarnation: incarnation as Incarnation };
    const host = this.#createHost(self, selected, storage, records);
    keepPlacement(records, configuration, crdtOf);
    const engines = await this.#openEngines(selected, host);
    this.#goOn();
    const peers = this.#createPeers(self, selected, node, host, storage);
    host.attach(peers);
    const keyspaces = new Map<string, OpenKeyspace>();
    for (const keyspace of configuration.keyspaces) {
      const engine = engines.get(keyspace.name) as Engine;
      const { settings } = selected.strategies.get(keyspace.name) as SelectedStrategy;
      const schema = schemas.get(keyspace.name);
      const bounded = withinLog(keyspace, storage, observer);
      keyspaces.set(keyspace.name, this.#openKeyspace(bounded, engine, settings, schema));
    }
    await Promise.race([peers.start(), this.#failed]);
    this.#goOn();
    this.#lifecycle.advance("joining");
    const store = new NodeStore({
      ...{ self, configuration, container, environment, observer, keyspaces, host, peers },
      lifecycle: this.#lifecycle,
      events: this.#events,
      problems: this.#problems,
      facts: this.#facts,
      closeAll: (request) => this.#opened.close(request),
    });
    this.#store = store;
    this.#sayProblems();
    this.#sayDegraded();
    await this.#untilServingAlone(store, storage);
    this.#events.letGo();
    return store;
  }

  /** A node without others has only its own disk to wait for: what a crash left to be read back. */
  async #untilServingAlone(store: NodeStore, storage: Storage): Promise<void> {
    const { nodes } = this.#parts.configuration.cluster;
    if (nodes.length > 1 || !storage.log.capabilities.persistent) return;
    const serving = store.ready({ level: "one", timeoutMs: READ_BACK_TIMEOUT_MS });
    // A shard that is damaged may never serve: what does is used all the same.
    await Promise.race([serving.catch(() => undefined), this.#failed]);
  }

  #createHost(
    self: Sender,
    selected: SelectedPlugIns,
    storage: Storage,
    records: NodeRecords,
  ): MachineHost {
    const { configuration, environment, observer } = this.#parts;
    const strategies = new Map<
      string,
      { strategy: SilentStrategy; settings: SelectedStrategy["settings"] }
    >();
    for (const [name, { strategy, settings }] of selected.strategies) {
      if (strategy.kind === "silent") strategies.set(name, { strategy, settings });
    }
    const host = createMachineHost({
      planted: this.#parts.planted,
      ...{ self, configuration, strategies, storage, records, environment, observer },
      onNotice: (notice) => this.#onNotice(notice),
      onFact: (keyspace, fact) => this.#facts.record(keyspace, fact),
      onFatal: (error) => this.#onFatal(error),
    });
    // The network closes after the host, so that the host's last words still leave.
    this.#opened.push("network", (request) => this.#peers?.close(request));
    this.#opened.push("host", (request) => host.close(request));
    return host;
  }

  /** Every keyspace's engine, by name: the host's, or the one that a plug-in opens. */
  async #openEngines(selected: SelectedPlugIns, host: MachineHost): Promise<Map<string, Engine>> {
    const { configuration, environment } = this.#parts;
    const engines = new Map<string, Engine>();
    for (const keyspace of configuration.keyspaces) {
      const { strategy, settings } = selected.strategies.get(keyspace.name) as SelectedStrategy;
      if (strategy.kind === "silent") {
        engines.set(keyspace.name, host.engine(keyspace.name));
        continue;
      }
      const engine = await strategy.openEngine({
        keyspace: keyspace.name,
        keyspaceHash: keyspace.hash,
        settings,
        shardCount: keyspace.shards,
        nowMs: () => environment.monotonicMs(),
        recordFact: (fact) => this.#facts.record(keyspace.name, fact),
      });
      engines.set(keyspace.name, engine);
      this.#opened.push(`engine of ${keyspace.name}`, (request) => engine.close(request));
    }
    return engines;
  }

  #createPeers(
    self: Sender,
    selected: SelectedPlugIns,
    node: ResolvedNode,
    host: MachineHost,
    storage: Storage,
  ) {
    const { configuration, environment, observer, frameFilter } = this.#parts;
    const { name: cluster } = configuration.cluster;
    const transport = selected.transport(configuration.transport.options, {
      ...{ self: self.node, cluster, address: node.peer, environment, observer },
      heartbeatMs: configuration.detector.heartbeatIntervalMs,
    });
    const peers = createPeerNetwork({
      planted: this.#parts.planted,
      ...{ self, configuration, transport, environment, observer },
      events: host.events,
      filter: frameFilter,
      storedClusterId: host.storedClusterId,
      logPosition: () => host.logPosition(),
      openedPosition: host.openedPosition,
      saveClusterId: (id, origin, done) => host.saveClusterId(id, origin, done),
      isUnused: isUnused(storage),
      isPersistent: storage.log.capabilities.persistent,
      keyspaces: host.ownKeyspaces,
      isRebuildingFor: (peer) => host.isRebuildingFor(peer),
      met: host.met,
    });
    this.#peers = peers;
    return peers;
  }

  #openKeyspace(
    keyspace: ResolvedKeyspace,
    engine: Engine,
    settings: Readonly<Record<string, unknown>>,
    schema: ReturnType<typeof checkingSchemaOf>,
  ): OpenKeyspace {
    const { environment, configuration } = this.#parts;
    const { name, hash } = keyspace;
    const defaults = defaultLevelsOf(engine, settings);
    const handle = new KeyspaceHandle({
      ...{ name, hash, engine, environment, schema },
      maker: new OperationMaker(keyspace, engine.capabilities, defaults, environment),
      lifecycle: this.#lifecycle,
      maxTimeoutMs: configuration.limits.timeoutMs,
      scanPage: configuration.limits.scanPage,
    });
    return { name, hash, handle, engine, defaults };
  }

  /** @throws what keeps the store from opening any further. */
  #goOn(): void {
    if (this.#earlyFailure !== undefined) throw this.#earlyFailure;
    refuseAborted(this.#parts.signal);
  }

  #onNotice(notice: Notice): void {
    this.#events.emit(notice);
    this.#parts.environment.defer(() => this.#store?.noteChange());
  }

  #onFatal(error: CapstanError): void {
    if (this.#store !== undefined) {
      this.#store.fail(error);
      return;
    }
    this.#earlyFailure ??= error;
    this.#sayFailed();
  }

  #sayProblems(): void {
    for (const problem of this.#problems) {
      const { what, reason, setAside } = problem;
      const where =
        setAside === undefined
          ? ""
          : `; it was set aside as ${setAside}, to be removed when nobody needs it`;
      this.#parts.observer.log("error", `storage is damaged: ${what}: ${reason}${where}`);
      this.#events.emit({ type: "storage-damaged", ...problem });
    }
  }

  #sayDegraded(): void {
    const reasons = degradedReasons(this.#parts);
    if (reasons.length === 0) return;
    this.#parts.observer.log("warn", `degraded: ${reasons.join("; ")}`);
    this.#events.emit({ type: "degraded", reasons });
  }
}

/** What the log cannot take is refused when it is asked for: met in a step it would stop the node. */
function withinLog(
  keyspace: ResolvedKeyspace,
  { log }: Storage,
  observer: AssemblyParts["observer"],
): ResolvedKeyspace {
  const { maxRecordBytes } = log.capabilities;
  const maxValueBytes = (maxRecordBytes ?? Number.POSITIVE_INFINITY) - BYTES_BESIDE_VALUE;
  if (maxValueBytes >= keyspace.maxValueBytes) return keyspace;
  observer.log("warn", "values are bounded by the size of a record of the log", {
    keyspace: keyspace.name,
    maxValueBytes,
  });
  return { ...keyspace, maxValueBytes };
}

/** Only what all nodes have to agree on counts: which that is the strategies say. */
function withSharedDigest(
  configuration: ResolvedConfiguration,
  { strategies }: SelectedPlugIns,
): ResolvedConfiguration {
  const { cluster, keyspaces } = configuration;
  const nodeOptionsOf = ({ name }: ResolvedKeyspace) =>
    strategies.get(name)?.strategy.nodeOptions ?? [];
  const digest = configurationDigest(cluster, keyspaces, nodeOptionsOf);
  return { ...configuration, digest, outline: outlineOf(cluster, keyspaces, nodeOptionsOf) };
}

function nodeOf(configuration: ResolvedConfiguration, asked: string | undefined): ResolvedNode {
  const { nodes } = configuration.cluster;
  const ids = nodes.map(({ id }) => id);
  const [only] = nodes;
  if (asked === undefined && nodes.length === 1 && only !== undefined) return only;
  const found = nodes.find(({ id }) => id === asked);
  if (found !== undefined) return found;
  const reason =
    asked === undefined
      ? "is missing: it says which of the nodes this process is"
      : `is ${describeValue(asked)}, which the configuration does not name`;
  throw invalidConfiguration([{ path: "options.node", value: asked, allowed: ids, reason }]);
}

function schemasOf({ keyspaces }: ResolvedConfiguration) {
  return new Map(
    keyspaces.map(({ name, schema }) => [
      name,
      checkingSchemaOf(schema, `keyspaces.${name}.schema`),
    ]),
  );
}
