import { builtIns } from "../built-ins.ts";
import type { RandomSource } from "../core/contracts/environment.ts";
import type { Observer } from "../core/contracts/observer.ts";
import type { StateBatch, StateStore } from "../core/contracts/storage.ts";
import { resolveConfiguration } from "../core/model/configuration.ts";
import type { Store, StoreEvent } from "../core/store/api.ts";
import { assembleStore } from "../core/store/assemble-store.ts";
import { separatePlugIns } from "../core/store/handed-over.ts";
import { createContainer } from "../core/store/modules.ts";
import type { PlantedHostBugs } from "../core/store/planted-bugs.ts";
import type { SegmentedLogOptions } from "../storage/disk/log/log-options.ts";
import type { PlantedLogBugs } from "../storage/disk/log/planted-bugs.ts";
import { Driver } from "./drive.ts";
import type { Lateness } from "./late-answers.ts";
import { MachineClock } from "./machine-clock.ts";
import { MachineDisk } from "./machine-disk.ts";
import type { ConnectionMode } from "./network-conditions.ts";
import { SeededRandom } from "./seeded-random.ts";
import { SimEnvironment } from "./sim-environment.ts";
import { SimNetwork } from "./sim-network.ts";
import { listeningObserver, type NodeLife, newLife, type SimNode } from "./sim-node.ts";
import type { CutEffect } from "./simulated-file.ts";
import { TRACE, Trace } from "./trace.ts";
import { VirtualTime } from "./virtual-time.ts";
import type { LogNews } from "./watched-log.ts";

export interface SimWorldOptions {
  readonly seed: number;
  /** Ids of the nodes. */
  readonly nodes: readonly string[];
  /** Of each node. Default: all are in one. */
  readonly datacenters?: Readonly<Record<string, string>> | undefined;
  /** A configuration without `cluster`, `transport` and `storage`: the world has its own. */
  readonly configuration?: Readonly<Record<string, unknown>>;
  /** `memory`: nothing outlives a process. Default `disk`. */
  readonly storage?: "disk" | "memory";
  /** Of the log on each disk. */
  readonly log?: SegmentedLogOptions;
  /** Default `pairs`. */
  readonly connections?: ConnectionMode;
  readonly maxHeldBytes?: number;
  /** Bugs that only tests of this library switch on. */
  readonly planted?: PlantedInWorld | undefined;
}

/** Planted bugs of the host and of the log; those of a strategy come with the strategy. */
export interface PlantedInWorld {
  readonly host?: PlantedHostBugs;
  readonly log?: PlantedLogBugs;
}

/** How a process ends. */
export interface CrashOptions {
  /** The machine loses power: what was not synced may be lost. Default: only the process is killed. */
  readonly power?: CutEffect;
  /** The peers are not told that the connections have closed. */
  readonly silently?: boolean;
}

/** An error that a node has logged, or that nobody caught. */
export interface WorldError {
  readonly atMs: number;
  readonly node: string;
  readonly message: string;
}

/**
 * Machines, the network between them, and the nodes of one cluster on them, in this process and
 * under virtual time: nothing happens but while the driver runs. One seed decides everything.
 */
export class SimWorld {
  readonly time = new VirtualTime();
  readonly trace = new Trace();
  readonly driver = new Driver(this.time);
  readonly network: SimNetwork;
  readonly nodes: readonly SimNode[];
  /** Second processes under the ids of nodes, each on a machine of its own. */
  readonly copies: SimNode[] = [];
  readonly errors: WorldError[] = [];
  /** Events of all stores, over all their lives, by type. */
  readonly eventCounts = new Map<string, number>();
  /** What nodes have said in their logs, over all their lives. */
  readonly said = new Map<string, number>();
  /** Frames that nodes knew for second copies. */
  doubledDropped = 0;
  /** Called before a commit of a node's state takes effect, with the state as it is. */
  onCommit: ((node: string, state: StateStore, batch: StateBatch) => void) | undefined;
  /** Called with everything that happens to a node's log. */
  onLog: ((node: string, news: LogNews) => void) | undefined;
  /** Called with each event of each store. */
  onEvent: ((node: string, event: StoreEvent) => void) | undefined;
  /** Of the answers to reads of the log, on all machines, from the next start on. Default: none is late. */
  readLateness: Lateness | undefined;
  readonly #options: SimWorldOptions;

  constructor(options: SimWorldOptions) {
    this.#options = options;
    const { nodes, connections, maxHeldBytes, log } = options;
    this.network = new SimNetwork({
      time: this.time,
      trace: this.trace,
      random: this.random("network"),
      nodes,
      ...(connections && { mode: connections }),
      ...(maxHeldBytes && { maxHeldBytes }),
    });
    this.nodes = nodes.map((id, number) => ({
      id,
      number,
      clock: new MachineClock(this.time),
      disk: new MachineDisk({
        time: this.time,
        random: this.random(`disk/${id}`),
        traced: { trace: this.trace, machine: number },
        ...(options.planted?.log && { planted: options.planted.log }),
        persists: options.storage !== "memory",
        ...(log && { log }),
        onCommit: (state, batch) => this.onCommit?.(id, state, batch),
        onLog: (news) => this.onLog?.(id, news),
        readLateness: () => this.readLateness,
      }),
      life: undefined,
      starts: 0,
    }));
  }

  /** As a configuration has them in `cluster.nodes`. */
  get clusterNodes(): readonly string[] | Readonly<Record<string, object>> {
    const { nodes, datacenters } = this.#options;
    if (datacenters === undefined) return nodes;
    return Object.fromEntries(nodes.map((id) => [id, { datacenter: datacenters[id] }]));
  }

  /** Nodes that are in one datacenter, for each of them; nothing where nobody says so. */
  get datacenters(): readonly (readonly string[])[] {
    const { nodes, datacenters } = this.#options;
    if (datacenters === undefined) return [];
    const names = new Set(nodes.map((id) => datacenters[id]));
    return [...names].map((name) => nodes.filter((id) => datacenters[id] === name));
  }

  /** All nodes of the node's datacenter, where there is more than one. */
  nearTo(id: string): readonly string[] | undefined {
    return this.datacenters.find((nodes) => nodes.includes(id));
  }

  /** A stream of chance of its own, so that one more draw here changes nothing there. */
  random(stream: string): RandomSource {
    return new SeededRandom(this.#options.seed, stream);
  }

  node(id: string): SimNode {
    const node = this.nodes.find((each) => each.id === id);
    if (node !== undefined) return node;
    const known = this.nodes.map((each) => each.id).join(", ");
    throw new Error(`there is no node ${JSON.stringify(id)} here; there are: ${known}`);
  }

  /** Nodes whose process runs, paused or not, and is open. */
  running(): readonly SimNode[] {
    return this.nodes.filter(({ life }) => life?.store !== undefined);
  }

  /** Starts a process on the machine. The promise rejects if it dies before it is open. */
  start(id: string): Promise<Store> {
    const node = this.node(id);
    if (node.life !== undefined) throw new Error(`node ${id} is running already`);
    node.starts += 1;
    this.trace.note(TRACE.start, this.time.nowMs, node.number, node.starts);
    return this.#begin(node, `node/${id}/${node.starts}`);
  }

  /**
   * Starts a second process under the node's id, on another machine, which has a copy of what is on
   * the node's disk now. The node has to run.
   */
  startCopy(id: string): Promise<Store> {
    const { number, disk } = this.node(id);
    this.#lifeOf(id);
    const clock = new MachineClock(this.time);
    const copy: SimNode = { id, number, clock, disk: disk.copy(), life: undefined, starts: 1 };
    this.copies.push(copy);
    this.trace.noteText(TRACE.fault, this.time.nowMs, `a copy of ${id} is started`);
    return this.#begin(copy, `copy/${id}/${this.copies.length}`);
  }

  /** The process of a copy is gone at once. */
  crashCopy(copy: SimNode): void {
    const { life } = copy;
    if (life === undefined) throw new Error(`the copy of node ${copy.id} is not running`);
    life.environment.die();
    copy.life = undefined;
    life.end();
    copy.disk.kill();
    this.network.lose(copy.id, false, life.environment);
  }

  #begin(node: SimNode, stream: string): Promise<Store> {
    const environment = new SimEnvironment({
      time: this.time,
      clock: node.clock,
      trace: this.trace,
      seed: this.random(stream).uint32(),
      number: node.number,
    });
    const life = newLife(node.id, environment);
    node.life = life;
    return Promise.race([this.#open(node, life), life.died]);
  }

  /** The process is gone at once, in the middle of whatever it does. */
  crash(id: string, options: CrashOptions = {}): void {
    const node = this.node(id);
    const { life } = node;
    if (life === undefined) throw new Error(`node ${id} is not running`);
    this.trace.noteText(TRACE.fault, this.time.nowMs, `${id} ${JSON.stringify(options)}`);
    life.environment.die();
    node.life = undefined;
    life.end();
    if (options.power === undefined) node.disk.kill();
    else node.disk.cutPower(options.power);
    this.network.lose(id, options.silently === true, life.environment);
  }

  /** Closes the node in order, as a person stops it. */
  async stop(id: string): Promise<void> {
    const node = this.node(id);
    const { life } = node;
    if (life?.store === undefined) throw new Error(`node ${id} is not running`);
    await life.store.close({ drain: false });
    if (node.life === life) node.life = undefined;
    const left = life.environment.liveTimers;
    if (left > 0) this.#note(id, `${left} timers are left after the store was closed`);
    life.environment.die();
    life.end();
  }

  pause(id: string): void {
    this.#lifeOf(id).environment.pause();
  }

  resume(id: string): void {
    this.node(id).life?.environment.resume();
  }

  async #open(node: SimNode, life: NodeLife): Promise<Store> {
    const { id } = node;
    const { environment } = life;
    const log: Observer["log"] = (level, message, fields) => {
      this.said.set(message, (this.said.get(message) ?? 0) + 1);
      if (level !== "error") return;
      const { error } = fields ?? {};
      this.#note(id, error instanceof Error ? `${message}: ${error.stack}` : message);
    };
    const observer = listeningObserver(log, (name, by, labels) => {
      if (name === "peer_frames_dropped" && labels?.reason === "doubled") this.doubledDropped += by;
    });
    const { plain, handedOver } = separatePlugIns(this.#configurationOf(node, environment));
    const configuration = resolveConfiguration(plain);
    const container = await createContainer({ environment, observer, modules: [builtIns()] });
    const store: Store = await assembleStore({
      ...{ configuration, container, handedOver, environment, observer },
      node: id,
      frameFilter: undefined,
      signal: undefined,
      planted: this.#options.planted?.host ?? {},
    });
    store.events$.subscribe((event) => {
      life.events.push(event);
      if (event.type === "failed") life.hasFailed = true;
      this.eventCounts.set(event.type, (this.eventCounts.get(event.type) ?? 0) + 1);
      this.onEvent?.(id, event);
    });
    life.store = store;
    return store;
  }

  #configurationOf(node: SimNode, environment: SimEnvironment): Readonly<Record<string, unknown>> {
    return {
      ...this.#options.configuration,
      cluster: { name: "simulated", nodes: this.clusterNodes },
      transport: this.network.transportFor(environment),
      storage: node.disk.storageFor(environment),
    };
  }

  #lifeOf(id: string): NodeLife {
    const { life } = this.node(id);
    if (life === undefined) throw new Error(`node ${id} is not running`);
    return life;
  }

  #note(node: string, message: string): void {
    this.errors.push({ atMs: this.time.nowMs, node, message });
  }
}
