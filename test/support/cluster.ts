import { setImmediate as realTurn } from "node:timers/promises";
import { createMemoryHub } from "../../src/built-ins.ts";
import type { Observer } from "../../src/core/contracts/observer.ts";
import type { EmbeddedKeyspace, Store, StoreEvent } from "../../src/core/store/api.ts";
import { openStore } from "../../src/open-store.ts";
import { NodeEnvironment } from "./cluster-environment.ts";
import { ClusterNetwork, type NetworkFaults } from "./cluster-network.ts";
import { PersistentMemoryDisk } from "./persistent-memory-storage.ts";
import { VirtualTime } from "./virtual-environment.ts";

type KeyspaceConfiguration = Readonly<Record<string, unknown>>;

export interface ClusterOptions {
  /** Default 3. */
  readonly nodes?: number;
  /** Default 1. The same seed gives the same run. */
  readonly seed?: number;
  /** Default: one, `default`, tunable, one shard. */
  readonly keyspaces?: Readonly<Record<string, KeyspaceConfiguration>>;
  /** Further fields of the configuration: `clock`, `detector`, `limits`. */
  readonly configuration?: Readonly<Record<string, unknown>>;
  /** Take force once all nodes are ready. */
  readonly faults?: NetworkFaults;
  /** Milliseconds that each node's wall clock is ahead, in the order of the nodes. */
  readonly skewsMs?: readonly number[];
  /** Storage that outlives a restart, and makes words wait for a sync. */
  readonly persistent?: boolean;
  readonly observer?: Observer;
}

export interface ClusterNode {
  readonly id: string;
  readonly store: Store;
  readonly environment: NodeEnvironment;
  /** Since this start. */
  readonly events: StoreEvent[];
  /** Rejects when the node is killed: nobody answers its callers any more. */
  readonly died: Promise<never>;
}

export class NodeKilledError extends Error {}

const PUMP_STEP_MS = 1;
/** Of virtual time: what has not settled by then never will. */
const PATIENCE_MS = 120_000;

/**
 * A cluster in one process under virtual time: nothing happens but while `until` or `advance` are
 * awaited. Nodes are `n1`, `n2`, …
 */
export class Cluster {
  readonly time = new VirtualTime();
  readonly network: ClusterNetwork;
  readonly ids: readonly string[];
  readonly disks = new Map<string, PersistentMemoryDisk>();
  /** Of the next starts, in the place of `skewsMs`. */
  readonly wallOffsetMs = new Map<string, number>();
  readonly #hub = createMemoryHub();
  readonly #options: ClusterOptions;
  readonly #nodes = new Map<string, ClusterNode>();
  readonly #keyspaces = new Map<string, ClusterOptions["keyspaces"]>();
  readonly #killers = new Map<string, () => void>();
  #starts = 0;

  private constructor(options: ClusterOptions) {
    this.#options = options;
    this.network = new ClusterNetwork(this.time, options.seed ?? 1);
    this.ids = Array.from({ length: options.nodes ?? 3 }, (_, index) => `n${index + 1}`);
    if (options.persistent !== true) return;
    for (const id of this.ids) this.disks.set(id, new PersistentMemoryDisk());
  }

  /** All nodes are open, have met, and serve. */
  static async open(options: ClusterOptions = {}): Promise<Cluster> {
    const cluster = new Cluster(options);
    await cluster.until(Promise.all(cluster.ids.map((id) => cluster.#start(id))));
    await cluster.ready();
    cluster.network.faults = options.faults ?? {};
    return cluster;
  }

  node(id: string): ClusterNode {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new Error(`node ${id} is not running`);
    return node;
  }

  /** In the order of their ids. */
  runningIds(): readonly string[] {
    return this.ids.filter((id) => this.#nodes.has(id));
  }

  keyspace(id: string, name = "default"): EmbeddedKeyspace {
    return this.node(id).store.keyspace(name);
  }

  async ready(...ids: readonly string[]): Promise<void> {
    const waiting = ids.length === 0 ? [...this.#nodes.keys()] : ids;
    await this.until(Promise.all(waiting.map((id) => this.node(id).store.ready())));
  }

  /** Lets virtual time pass until the promise settles, a millisecond at a time. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const settle = (): void => {
      settled = true;
    };
    promise.then(settle, settle);
    const endMs = this.time.nowMs + PATIENCE_MS;
    this.time.settle();
    await realTurn();
    while (!settled) {
      if (this.time.nowMs > endMs) throw new Error(`nothing settled in ${PATIENCE_MS} ms`);
      this.time.advance(PUMP_STEP_MS);
      await realTurn();
    }
    return promise;
  }

  /** Lets time pass, and waiting code run. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.time.nowMs + durationMs;
    await realTurn();
    while (this.time.nowMs < endMs) {
      this.time.advance(Math.min(PUMP_STEP_MS, endMs - this.time.nowMs));
      await realTurn();
    }
  }

  /** Lets time pass until the condition holds. */
  async waitFor(condition: () => boolean): Promise<void> {
    const endMs = this.time.nowMs + PATIENCE_MS;
    while (!condition()) {
      if (this.time.nowMs > endMs) throw new Error(`the condition did not hold: ${condition}`);
      await this.advance(PUMP_STEP_MS);
    }
  }

  /** The node and all others do not hear each other any more. */
  isolate(id: string): void {
    for (const other of this.ids) if (other !== id) this.network.cut(id, other);
  }

  /** Until every node holds exactly these peers of `id` for reachable. */
  async waitUntilReachable(id: string, reachable: readonly string[]): Promise<void> {
    await this.waitFor(() => {
      const { nodes } = this.node(id).store.describe();
      return nodes.every(
        ({ node, status }) => node === id || (status === "active") === reachable.includes(node),
      );
    });
  }

  /**
   * The process is gone at once; its peers notice the connection closing unless `silently`. Its disk
   * loses what was not synced, as in a power cut, unless only the process was `killed`.
   */
  kill(id: string, options: { readonly silently?: boolean; readonly killed?: boolean } = {}): void {
    this.node(id).environment.die();
    this.#nodes.delete(id);
    this.#killers.get(id)?.();
    if (options.killed === true) this.disks.get(id)?.kill();
    else this.disks.get(id)?.crash();
    if (options.silently === true) this.isolate(id);
    else this.#hub.detach(id);
  }

  /**
   * A new process under the same id; with memory storage it is empty. `keyspaces` are what it has from
   * then on.
   */
  async restart(id: string, keyspaces?: ClusterOptions["keyspaces"]): Promise<ClusterNode> {
    if (this.#nodes.has(id)) throw new Error(`node ${id} is running`);
    if (keyspaces !== undefined) this.#keyspaces.set(id, keyspaces);
    const started = this.#start(id);
    this.#hub.reattach(id);
    return this.until(started);
  }

  /** Closes the node in order, as a person stops it. */
  async stop(id: string): Promise<void> {
    const { store } = this.node(id);
    this.#nodes.delete(id);
    await this.until(store.close({ drain: false }));
    this.#hub.detach(id);
  }

  pause(id: string): void {
    this.node(id).environment.pause();
  }

  resume(id: string): void {
    this.node(id).environment.resume();
  }

  async close(): Promise<void> {
    const stores = [...this.#nodes.values()].map(({ store }) => store);
    this.#nodes.clear();
    await this.until(Promise.all(stores.map((store) => store.close({ drain: false }))));
  }

  async #start(id: string): Promise<ClusterNode> {
    const { seed = 1, skewsMs = [], observer } = this.#options;
    const environment = new NodeEnvironment({
      time: this.time,
      seed: seed * 1_000 + this.#starts++,
    });
    environment.wallOffsetMs = this.wallOffsetMs.get(id) ?? skewsMs[this.ids.indexOf(id)] ?? 0;
    const store = (await openStore(this.#configurationOf(id) as Parameters<typeof openStore>[0], {
      node: id,
      environment,
      frameFilter: this.network.filterFor(id),
      ...(observer !== undefined && { observer }),
    })) as unknown as Store;
    const events: StoreEvent[] = [];
    store.events$.subscribe((event) => events.push(event));
    const died = new Promise<never>((_resolve, reject) => {
      this.#killers.set(id, () => reject(new NodeKilledError(`node ${id} was killed`)));
    });
    died.catch(() => undefined);
    const node = { id, store, environment, events, died };
    this.#nodes.set(id, node);
    return node;
  }

  #configurationOf(id: string): Readonly<Record<string, unknown>> {
    const { configuration } = this.#options;
    const keyspaces = this.#keyspaces.get(id) ?? this.#options.keyspaces ?? { default: {} };
    return {
      cluster: { name: "simulated", nodes: this.ids },
      transport: { type: "memory", hub: this.#hub },
      storage: this.disks.get(id)?.factory ?? { type: "memory" },
      keyspaces: Object.fromEntries(
        Object.entries(keyspaces).map(([name, keyspace]) => [
          name,
          { strategy: "tunable", replicas: this.ids.length, shards: 1, ...keyspace },
        ]),
      ),
      ...configuration,
    };
  }
}
