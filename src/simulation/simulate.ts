import type {
  DefaultKeyspaces,
  KeyspacesConfiguration,
  StoreConfiguration,
  TypedStore,
} from "../core/store/typed-store.ts";
import type { SegmentedLogOptions } from "../storage/disk/log/log-options.ts";
import {
  checkConditions,
  checkCrash,
  checkGroups,
  checkNumber,
  checkOptions,
} from "./check-input.ts";
import { type ConnectionMode, GOOD_NETWORK, type NetworkConditions } from "./network-conditions.ts";
import { type CrashOptions, SimWorld } from "./sim-world.ts";

const OPENING_MS = 60_000;
const CLOSING_MS = 60_000;
const DEFAULT_PATIENCE_MS = 120_000;

/** `5`, `["n1", "n2"]`, or `{ n1: { datacenter: "east" }, n2: { datacenter: "west" } }`. */
export type SimulatedNodes =
  | number
  | readonly string[]
  | Readonly<Record<string, { readonly datacenter: string }>>;

export interface SimulationOptions<K = DefaultKeyspaces> {
  /**
   * How many, named `n1`, `n2`, …, or their names, or by their names the datacenter of each. Default
   * 3, at most 7, in one datacenter.
   */
  readonly nodes?: SimulatedNodes;
  /** Decides everything that is left to chance. Default 1. */
  readonly seed?: number;
  /**
   * The store's configuration, as for `openStore`. Of `cluster`, `transport` and `storage` only
   * `storage.type` counts: with `"memory"` nothing outlives a process.
   */
  readonly config?: StoreConfiguration<K>;
  /** Default: a good network in one building. */
  readonly network?: Partial<NetworkConditions>;
  /** Default `pairs`. */
  readonly connections?: ConnectionMode;
  /** Of the log on each disk. Default: segments of 64 KiB. */
  readonly log?: SegmentedLogOptions;
}

/**
 * Opens a cluster of real stores in this process, under virtual time: nothing happens but while
 * `run` or `until` is awaited, and a minute takes as long as the work in it. The same seed and the
 * same calls give the same run.
 *
 * @throws CapstanError `INVALID_CONFIGURATION` as `openStore` does; RangeError for an option that there
 * is not, or that makes no sense.
 */
export async function simulate<const K extends KeyspacesConfiguration = DefaultKeyspaces>(
  options: SimulationOptions<K> = {},
): Promise<Simulation<K>> {
  checkOptions(options);
  const { nodes = 3, seed = 1, config = {}, connections, log } = options;
  const ids = idsOf(nodes);
  const { cluster: _cluster, transport: _transport, storage, ...configuration } = config;
  const world = new SimWorld({
    ...{ seed, nodes: ids, configuration },
    storage: isMemory(storage) ? "memory" : "disk",
    log: log ?? { segmentBytes: 64 * 1024 },
    ...(connections && { connections }),
    datacenters: datacentersOf(nodes),
  });
  const simulation = new Simulation<K>(world);
  await simulation.until(Promise.all(ids.map((id) => world.start(id))), OPENING_MS);
  await simulation.until(Promise.all(ids.map((id) => simulation.store(id).ready())), OPENING_MS);
  world.network.conditions = { ...GOOD_NETWORK, ...options.network };
  return simulation;
}

/**
 * A cluster under virtual time, and what can be done to it. What makes no sense, such as a node that
 * there is not, throws and does nothing. Its stores know their keyspaces by the configuration, as those
 * of `openStore` do.
 */
export class Simulation<K = DefaultKeyspaces> implements AsyncDisposable {
  readonly #world: SimWorld;

  constructor(world: SimWorld) {
    this.#world = world;
  }

  /** Ids of all nodes. */
  get nodes(): readonly string[] {
    return this.#world.nodes.map(({ id }) => id);
  }

  /** Milliseconds since the beginning of the world. */
  get nowMs(): number {
    return this.#world.time.nowMs;
  }

  /** Over everything that has happened: equal for two runs of the same seed and the same calls. */
  get trace(): string {
    return this.#world.trace.digest();
  }

  /** The running store of the node. Another one after each restart. */
  store(id: string): TypedStore<K> {
    const store = this.#world.node(id).life?.store;
    if (store === undefined) throw new Error(`node ${id} is not running`);
    // As in `openStore`: the types say what the strategies take, the store checks it at run time.
    return store as TypedStore<K>;
  }

  /** Lets `durationMs` of virtual time pass. */
  run(durationMs: number): Promise<void> {
    checkNumber("durationMs", durationMs, 0);
    return this.#world.driver.run(durationMs);
  }

  /**
   * Lets virtual time pass until the promise settles, and answers like it. Whatever awaits a store
   * has to be awaited through this.
   *
   * @throws Error if it takes longer than `patienceMs` of virtual time, by default two minutes.
   */
  until<T>(promise: Promise<T>, patienceMs = DEFAULT_PATIENCE_MS): Promise<T> {
    checkNumber("patienceMs", patienceMs, 0);
    return this.#world.driver.until(promise, patienceMs);
  }

  /** Nodes of different groups do not hear each other any more, until `heal`. Two groups or more. */
  partition(...groups: readonly (readonly string[])[]): void {
    checkGroups(groups, this.nodes);
    for (const [at, group] of groups.entries()) {
      for (const other of groups.slice(at + 1).flat()) {
        for (const id of group) this.#world.network.cut(id, other);
      }
    }
  }

  /** Nothing of `from` reaches `to` any more, until `heal`; the other way is not touched. */
  cutOneWay(from: string, to: string): void {
    this.#world.network.cutOneWay(from, to);
  }

  /** The network is whole again. Nodes that are down or paused stay so. */
  heal(): void {
    this.#world.network.heal();
  }

  /** From now on the network is like this. */
  network(conditions: Partial<NetworkConditions>): void {
    checkConditions(conditions);
    const { network } = this.#world;
    network.conditions = { ...network.conditions, ...conditions };
  }

  /** The node's process ends at once; with `power` its machine loses what was not synced. */
  crash(id: string, options: CrashOptions = {}): void {
    checkCrash(options);
    this.#world.crash(id, options);
  }

  /** Starts a node that is down. Settles once it is open: await it through nothing else. */
  restart(id: string): Promise<TypedStore<K>> {
    return this.until(this.#world.start(id)) as Promise<TypedStore<K>>;
  }

  /** What the node has stored is gone. It has to be down. */
  wipe(id: string): void {
    const node = this.#world.node(id);
    if (node.life !== undefined)
      throw new Error(`node ${id} is running: crash it before it is wiped`);
    node.disk.wipe();
  }

  /** The node's wall clock is this many milliseconds ahead of the world's, or behind. */
  skew(id: string, aheadMs: number): void {
    checkNumber("aheadMs", aheadMs, -Infinity);
    this.#world.node(id).clock.setAhead(aheadMs);
  }

  /** The node's process stands still, as under a stop signal, until `resume`. */
  pause(id: string): void {
    this.#world.pause(id);
  }

  /** What was due meanwhile happens now. */
  resume(id: string): void {
    this.#world.resume(id);
  }

  /** From now on each operation of the node's disk takes this long on average, in milliseconds. */
  slowDisk(id: string, latencyMs: number): void {
    checkNumber("latencyMs", latencyMs, 0);
    this.#world.node(id).disk.latencyMs = latencyMs;
  }

  /** Closes all stores that run. */
  async close(): Promise<void> {
    for (const { id, life } of this.#world.nodes) {
      if (life === undefined) continue;
      this.#world.resume(id);
      if (life.store === undefined) this.#world.crash(id);
      else await this.until(this.#world.stop(id), CLOSING_MS);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function idsOf(nodes: SimulatedNodes): readonly string[] {
  if (typeof nodes === "number") return namesOf(nodes);
  return isList(nodes) ? nodes : Object.keys(nodes);
}

function datacentersOf(nodes: SimulatedNodes): Readonly<Record<string, string>> | undefined {
  if (typeof nodes === "number" || isList(nodes)) return undefined;
  const pairs = Object.entries(nodes).map(([id, { datacenter }]) => [id, datacenter] as const);
  return Object.fromEntries(pairs);
}

function isList(nodes: Exclude<SimulatedNodes, number>): nodes is readonly string[] {
  return Array.isArray(nodes);
}

function namesOf(count: number): readonly string[] {
  return Array.from({ length: count }, (_, at) => `n${at + 1}`);
}

function isMemory(storage: unknown): boolean {
  return (
    typeof storage === "object" && storage !== null && Reflect.get(storage, "type") === "memory"
  );
}
