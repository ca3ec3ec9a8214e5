import type { RandomSource } from "../contracts/environment.ts";
import type {
  CoordinatorContext,
  CoordinatorMachine,
  MachineContext,
  MachineRole,
  MessageCodec,
  ReplicaMachine,
  ServingState,
  ShardMap,
} from "../contracts/machine.ts";
import type { StateDamageError } from "../contracts/storage.ts";
import type { SilentStrategy } from "../contracts/strategy.ts";
import type { ResolvedKeyspace } from "../model/configuration-types.ts";
import type { Durability } from "../model/durability.ts";
import { CapstanError } from "../model/errors.ts";
import { shardIndexForKey } from "../model/hash.ts";
import type { HybridClock } from "../model/hybrid-clock.ts";
import { type NodeId, shardIdOf } from "../model/ids.ts";
import { BuiltInEngine } from "./built-in-engine.ts";
import { MachineCell } from "./machine-cell.ts";
import type { MachineHostOptions } from "./machine-host.ts";
import type { MachineRunner } from "./machine-runner.ts";
import { clearTimers } from "./machine-timers.ts";
import type { MessageRouter } from "./message-router.ts";
import { namingThoseThatLack, truthAbout } from "./pending-faults.ts";
import { type Pending, PendingRequest, type PendingScan, RequestTable } from "./request-table.ts";
import { ShardPlacements } from "./shard-placements.ts";
import { ShardState } from "./shard-state.ts";
import { KeyspaceWatches } from "./watch/keyspace-watches.ts";
import type { Deed, Word } from "./words.ts";

const DRAIN_CHECK_MS = 5;
export interface KeyspaceMachinesOptions {
  readonly keyspace: ResolvedKeyspace;
  readonly strategy: SilentStrategy;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly host: MachineHostOptions;
  readonly runner: MachineRunner;
  readonly clock: HybridClock;
  readonly isReachable: (node: NodeId) => boolean;
  /** Peers that are met, and were not given this keyspace. */
  readonly lackedBy: () => readonly NodeId[];
  readonly refusal: () => CapstanError | undefined;
  readonly writeRefusal: () => CapstanError | undefined;
  readonly isOpen: () => boolean;
  /** Between the watches of two nodes. What is not taken is lost. */
  readonly sendWatch: MessageRouter["sendWatch"];
  /** A read outside a step has met damage. */
  readonly onDamage: (error: StateDamageError) => void;
}

/** One keyspace on one node: its coordinator, its replicas, its requests and its engine. */
export class KeyspaceMachines {
  readonly name: string;
  readonly codec: MessageCodec<unknown>;
  readonly engine: BuiltInEngine;
  readonly coordinator: MachineCell;
  readonly #options: KeyspaceMachinesOptions;
  /** Of the cluster. */
  readonly #nodes: readonly NodeId[];
  readonly #requests: RequestTable;
  readonly #replicas: (MachineCell | undefined)[] = [];
  readonly #placements: ShardPlacements;
  readonly watches: KeyspaceWatches;
  readonly #shared: unknown;
  /** One stream per machine, which goes on where a machine is renewed: nothing is drawn twice. */
  readonly #randoms = new Map<string, RandomSource>();

  constructor(options: KeyspaceMachinesOptions) {
    const { keyspace, strategy, host, runner } = options;
    this.#options = options;
    this.name = keyspace.name;
    this.#nodes = host.configuration.cluster.nodes.map(({ id }) => id);
    this.codec = strategy.codec;
    this.#shared = strategy.createShared?.();
    this.#placements = new ShardPlacements(keyspace, host.configuration.cluster.nodes);
    this.#requests = new RequestTable(host.environment, (pending) =>
      runner.run(this.coordinator, { type: "deadline", request: pending }),
    );
    for (const [shardIndex, placement] of this.#placements.all.entries()) {
      const { node } = host.self;
      const standsIn = strategy.hasStandIns === true && placement.standIns.includes(node);
      const isAnywhere = strategy.hostsEverywhere === true;
      const hosted = placement.replicas.includes(node) || standsIn || isAnywhere;
      this.#replicas.push(hosted ? this.#makeReplica(shardIndex) : undefined);
    }
    this.watches = this.#makeWatches();
    this.coordinator = this.#makeCell("coordinator", 0, this.#makeCoordinator());
    this.engine = this.#makeEngine();
  }

  cell(role: MachineRole, shardIndex: number): MachineCell | undefined {
    return role === "coordinator" ? this.coordinator : this.#replicas[shardIndex];
  }

  get durability(): Durability {
    return this.#options.keyspace.durability;
  }

  /** How many nodes hold the shard. */
  copiesOf(shardIndex: number): number {
    return this.#placements.of(shardIndex).replicas.length;
  }

  replicas(): readonly MachineCell[] {
    return this.#replicas.filter((cell) => cell !== undefined);
  }

  /** A replica says who holds its shard now: all machines of the keyspace go by it. */
  place({ shardIndex }: MachineCell, map: ShardMap): void {
    const placement = this.#placements.place(shardIndex, map);
    if (placement === undefined) return;
    this.#options.runner.enqueue(this.coordinator, { type: "map", shardIndex, placement });
  }

  /** Those that the map names; the others only stand in. */
  placedReplicas(): readonly MachineCell[] {
    const { node } = this.#options.host.self;
    return this.replicas().filter((cell) =>
      this.#placements.of(cell.shardIndex).replicas.includes(node),
    );
  }

  /** Of the replicas that the map names, if there are any here. */
  isEvery(holds: (cell: MachineCell) => boolean): boolean {
    const placed = this.placedReplicas();
    return placed.length > 0 && placed.every(holds);
  }

  cells(): readonly MachineCell[] {
    return [this.coordinator, ...this.replicas()];
  }

  answer(word: Extract<Word, { type: "reply" | "reply-scan" }>): void {
    if (word.type === "reply") {
      const pending = word.request as PendingRequest;
      if (this.#requests.finish(pending)) pending.done.succeed(word.result);
      return;
    }
    const pending = word.task as PendingScan;
    if (this.#requests.finish(pending)) pending.done.succeed(word.page);
  }

  refuse(deed: Extract<Deed, { type: "refuse" }>): void {
    const pending = deed.request as Pending;
    if (!this.#requests.finish(pending)) return;
    pending.done.fail(namingThoseThatLack(this.name, deed.fault, this.#options.lackedBy()));
  }

  moveDeadline(pending: Pending, deadlineMs: number): void {
    this.#requests.setDeadline(pending, deadlineMs);
  }

  /** Puts a new machine in the place of one that threw, whose memory cannot be trusted. */
  renew(cell: MachineCell, error: unknown): void {
    clearTimers(cell, this.#options.host.environment);
    if (cell.role === "coordinator") {
      this.#answerAll(new CapstanError("INTERNAL", "a coordinator failed", { cause: error }));
      cell.machine = this.#makeCoordinator();
      return;
    }
    cell.open = false;
    cell.openings += 1;
    cell.strayGeneration ??= cell.buildingGeneration;
    cell.buildingGeneration = undefined;
    cell.held = undefined;
    const replica = this.#createReplica(cell.shardIndex, cell.openings);
    cell.machine = replica;
    cell.replica = replica;
  }

  /** The node stops: everything pending is answered with the truth. */
  abandon(reason: CapstanError): void {
    this.watches.close(reason);
    this.#answerAll(reason);
  }

  async drain(options: { readonly drain: boolean; readonly timeoutMs: number }): Promise<void> {
    const { environment } = this.#options.host;
    const { runner } = this.#options;
    this.watches.close(undefined);
    if (options.drain) {
      for (const cell of this.cells()) runner.enqueue(cell, { type: "draining" });
      runner.drain();
      const endMs = environment.monotonicMs() + options.timeoutMs;
      while (this.#isBusy() && environment.monotonicMs() < endMs) {
        await new Promise<void>((resolve) => environment.setTimer(DRAIN_CHECK_MS, resolve));
      }
    }
    for (const pending of this.#requests.all()) {
      runner.run(this.coordinator, { type: "aborted", request: pending });
    }
    this.#answerAll(new CapstanError("STORE_CLOSED", "the store was closed"));
  }

  stop(): void {
    this.#requests.close();
    for (const cell of this.cells()) {
      clearTimers(cell, this.#options.host.environment);
      cell.open = false;
    }
  }

  describe(): Readonly<Record<string, unknown>> {
    const replicas = this.replicas();
    return {
      pending: this.#requests.size,
      hosted: this.#placements.all.filter((placement) =>
        placement.replicas.includes(this.#options.host.self.node),
      ).length,
      serving: replicas.filter((cell) => cell.open && cell.replica?.serving === true).length,
      coordinator: this.coordinator.machine.describe(),
      shards: replicas.map((cell) => ({
        shard: cell.shardIndex,
        replicas: this.#placements.of(cell.shardIndex).replicas,
        ...cell.machine.describe(),
      })),
    };
  }

  #isBusy(): boolean {
    if (this.#requests.size > 0) return true;
    return this.replicas().some((cell) => cell.open && cell.replica?.isHandingOver === true);
  }

  #answerAll(reason: CapstanError): void {
    for (const pending of this.#requests.all()) {
      if (!this.#requests.finish(pending)) continue;
      pending.done.fail(truthAbout(pending, this.#idOf(pending), reason));
    }
  }

  #idOf(pending: Pending): string | undefined {
    if (!(pending instanceof PendingRequest)) return undefined;
    return (this.coordinator.machine as CoordinatorMachine<unknown>).operationIdOf(pending);
  }

  #makeReplica(shardIndex: number): MachineCell {
    const replica = this.#createReplica(shardIndex, 0);
    const cell = this.#makeCell("replica", shardIndex, replica);
    cell.replica = replica;
    return cell;
  }

  #createReplica(shardIndex: number, opening: number): ReplicaMachine<unknown> {
    const context = { ...this.#machineContext(`replica/${shardIndex}`), shardIndex, opening };
    return this.#options.strategy.createReplica(context);
  }

  #makeCoordinator(): CoordinatorMachine<unknown> {
    const context: CoordinatorContext = {
      ...this.#machineContext("coordinator"),
      shardCount: this.#options.keyspace.shards,
      shardOf: (key) => {
        const { groupBy, shards } = this.#options.keyspace;
        return shardIndexForKey(key, groupBy, shards);
      },
      servingState: (shardIndex) => this.#servingState(shardIndex),
      localReplica: (shardIndex) => {
        const cell = this.#replicas[shardIndex];
        return cell?.open === true ? cell.replica : undefined;
      },
    };
    return this.#options.strategy.createCoordinator(context);
  }

  #servingState(shardIndex: number): ServingState | undefined {
    const cell = this.#replicas[shardIndex];
    // While a switch is under way its machine is ahead of the state that would be read.
    if (cell?.open !== true || cell.held !== undefined) return undefined;
    return cell.replica?.serving === true ? cell.state : undefined;
  }

  #machineContext(machine: string): MachineContext {
    const { host, keyspace, settings, clock, isReachable } = this.#options;
    const known = this.#randoms.get(machine);
    const random = known ?? host.environment.random(`machine/${keyspace.name}/${machine}`);
    this.#randoms.set(machine, random);
    const { cluster } = host.configuration;
    const datacenters = new Map(cluster.nodes.map(({ id, datacenter }) => [id, datacenter]));
    return {
      self: host.self,
      keyspace: keyspace.name,
      keyspaceHash: keyspace.hash,
      settings,
      clusterKey: cluster.key,
      maxRecordBytes: host.storage.log.capabilities.maxRecordBytes,
      clock,
      count: (name, by, labels) =>
        host.observer.count(`capstan_${name}`, by, { keyspace: keyspace.name, ...labels }),
      nodes: this.#nodes,
      datacenterOf: (node) => datacenters.get(node) ?? "",
      placement: (shardIndex) => this.#placements.of(shardIndex),
      isReachable,
      randomUint32: () => random.uint32(),
      shared: this.#shared,
      health: {
        diskState: () => host.storage.log.health().state,
        syncAgeMs: () => host.storage.log.health().syncAgeMs,
        eventLoopLagMs: () => host.environment.eventLoopLagMs(),
      },
    };
  }

  #makeCell(role: MachineRole, shardIndex: number, machine: MachineCell["machine"]): MachineCell {
    const { keyspace, host } = this.#options;
    const shardId = shardIdOf(keyspace.hash, shardIndex);
    return new MachineCell({
      role,
      keyspaceHash: keyspace.hash,
      shardIndex,
      shardId,
      durability: keyspace.durability,
      state: new ShardState(host.storage.state, shardId),
      machine,
    });
  }

  #makeWatches(): KeyspaceWatches {
    const { host, keyspace, strategy, isReachable, sendWatch } = this.#options;
    return new KeyspaceWatches({
      self: host.self,
      keyspaceHash: keyspace.hash,
      environment: host.environment,
      placements: this.#placements.all,
      elsewhere: strategy.hostsEverywhere === true ? this.#nodes : [],
      replicaOf: (shardIndex) => this.#replicas[shardIndex],
      sharesOrder: strategy.sharesOrder === true,
      askReplica: (cell, token) => this.#options.runner.run(cell, { type: "catch-up", token }),
      isReachable,
      send: (node, shardIndex, message) => sendWatch(keyspace.hash, node, shardIndex, message),
    });
  }

  #makeEngine(): BuiltInEngine {
    const { host, runner, strategy, settings } = this.#options;
    const { refusal, writeRefusal, isOpen, onDamage } = this.#options;
    return new BuiltInEngine({
      strategy,
      settings,
      coordinator: this.coordinator,
      requests: this.#requests,
      runner,
      operationsInFlight: host.configuration.limits.operationsInFlight,
      bytesInFlight: host.configuration.limits.queuedBytes,
      clocks: host.environment,
      ...{ refusal, writeRefusal, isOpen, onDamage },
      subscribe: (request, sink, end) => this.watches.subscribe(request, sink, end),
      describe: () => this.describe(),
      drain: (options) => this.drain(options),
    });
  }
}
