import type { Environment } from "../contracts/environment.ts";
import type { OpenedState, Sender } from "../contracts/machine.ts";
import type { Observer } from "../contracts/observer.ts";
import { StateDamageError, type Storage } from "../contracts/storage.ts";
import type { Engine, SilentStrategy } from "../contracts/strategy.ts";
import type { ResolvedConfiguration } from "../model/configuration-types.ts";
import { CapstanError } from "../model/errors.ts";
import type { Fact } from "../model/facts.ts";
import { type ClusterId, keyspaceHashOf, type NodeId, shardIndexOf } from "../model/ids.ts";
import { ClockKeeper } from "./clock-keeper.ts";
import { HostLife } from "./host-life.ts";
import { KeyspaceBirths } from "./keyspace-births.ts";
import { KeyspaceMachines } from "./keyspace-machines.ts";
import type { MachineCell } from "./machine-cell.ts";
import { noteFailure } from "./machine-failures.ts";
import { MachineRunner, type RunnerHost } from "./machine-runner.ts";
import { MessageRouter } from "./message-router.ts";
import type { NodeRecords } from "./node-records.ts";
import { notBegun, notJoined } from "./not-joined.ts";
import { CLUSTER_ID } from "./placement-record.ts";
import type { PlantedHostBugs } from "./planted-bugs.ts";
import type { MachineHost, OwnKeyspaces, PeerNetwork, PeerNetworkEvents } from "./seams.ts";
import { ShardKeeper } from "./shard-keeper.ts";
import { ShardTrust } from "./shard-trust.ts";
import { StoragePressure } from "./storage-pressure.ts";

const MET = "met/";

export interface MachineHostOptions {
  readonly self: Sender;
  readonly configuration: ResolvedConfiguration;
  /** The keyspaces whose strategy is made of silent machines, with their parsed settings. */
  readonly strategies: ReadonlyMap<
    string,
    {
      readonly strategy: SilentStrategy;
      readonly settings: Readonly<Record<string, unknown>>;
    }
  >;
  readonly storage: Storage;
  /** Of that storage, which is started. */
  readonly records: NodeRecords;
  readonly environment: Environment;
  readonly observer: Observer;
  /** Only in tests. */
  readonly planted?: PlantedHostBugs | undefined;
  readonly onNotice: (notice: { readonly type: string; readonly [field: string]: unknown }) => void;
  readonly onFact: (keyspace: string, fact: Fact) => void;
  /** The node has to stop; everything pending has been answered. */
  readonly onFatal: (error: CapstanError) => void;
}

export function createMachineHost(options: MachineHostOptions): MachineHost {
  return new SilentMachineHost(options);
}

/** Opens, wires and closes the silent machines of one node; `MachineRunner` runs them. */
class SilentMachineHost implements MachineHost {
  readonly events: PeerNetworkEvents;
  readonly met: MachineHost["met"];
  readonly openedPosition: number;
  readonly #options: MachineHostOptions;
  readonly #clock: ClockKeeper;
  readonly #runner: MachineRunner;
  readonly #router: MessageRouter;
  readonly #shards: ShardKeeper;
  readonly #births: KeyspaceBirths;
  readonly #pressure: StoragePressure;
  readonly #keyspaces = new Map<string, KeyspaceMachines>();
  readonly #byHash = new Map<number, KeyspaceMachines>();
  #origin: OpenedState["origin"] | undefined;
  #peers: PeerNetwork | undefined;
  readonly #life: HostLife;

  constructor(options: MachineHostOptions) {
    this.#options = options;
    const { environment, storage, records, configuration } = options;
    this.openedPosition = storage.log.syncedPosition;
    this.#life = new HostLife({
      ...options,
      halt: (refusal) => {
        this.#runner.stop();
        for (const machines of this.#keyspaces.values()) machines.abandon(refusal);
      },
    });
    const { maxSkewMs } = configuration.clock;
    const isPersistent = storage.log.capabilities.persistent;
    const { planted } = options;
    this.#clock = new ClockKeeper(records, isPersistent, environment, maxSkewMs, planted);
    this.#runner = new MachineRunner(this.#runnerHost(), environment, storage, records, planted);
    this.#pressure = new StoragePressure(storage, configuration.limits.queuedBytes);
    const mustDrop = (): boolean => this.#pressure.mustDrop();
    this.#router = new MessageRouter(this.#byHash, this.#runner, options.observer, mustDrop);
    this.events = this.#peerEvents();
    this.met = {
      load: (node) => records.get(MET + node),
      save: (node, bytes) => this.#keepRecord(MET + node, bytes),
    };
    const names = configuration.keyspaces.flatMap(({ name }) =>
      options.strategies.has(name) ? [name] : [],
    );
    const trust = new ShardTrust(records, storage.identity, options.planted);
    this.#births = new KeyspaceBirths({
      ...{ records, names, isPersistent },
      isLearning: (name) =>
        this.#keyspaces.get(name)?.isEvery((cell) => trust.isNew(cell.shardId)) === true,
    });
    this.#shards = new ShardKeeper({
      births: this.#births,
      ...{ storage, runner: this.#runner, keyspaces: this.#byHash },
      trust,
      onNotice: (notice) => options.onNotice(notice),
      fail: (error) => this.#life.fail(error),
    });
    records.attach(
      {
        onDurable: (position) => this.#runner.onDurable(position),
        onFailed: (error) => this.#life.fail(storageFault(error)),
      },
      (cell, payload, mutations) => this.#runner.keepRecord(cell, payload, mutations),
    );
    for (const keyspace of configuration.keyspaces) {
      const chosen = options.strategies.get(keyspace.name);
      if (chosen === undefined) continue;
      const machines: KeyspaceMachines = new KeyspaceMachines({
        ...chosen,
        keyspace,
        host: options,
        runner: this.#runner,
        clock: this.#clock.clock,
        isReachable: (node) => this.#isReachable(node, keyspace.hash),
        lackedBy: () => this.#lackedBy(keyspace.hash),
        sendWatch: (...message) => this.#router.sendWatch(...message),
        refusal: () => this.#refusalNow() ?? this.#waitingRefusal(machines),
        writeRefusal: () => this.#pressure.refusal(),
        isOpen: () => this.#life.refusal === undefined && machines.coordinator.open,
        onDamage: (error) => this.#stateDamaged(error),
      });
      this.#keyspaces.set(keyspace.name, machines);
      this.#byHash.set(keyspace.hash, machines);
    }
    if (this.storedClusterId !== undefined) this.#shards.noteStart();
  }

  get storedClusterId(): ClusterId | undefined {
    const value = this.#options.records.get(CLUSTER_ID);
    return value === undefined ? undefined : (Buffer.from(value).toString("utf8") as ClusterId);
  }

  saveClusterId(id: ClusterId, origin: OpenedState["origin"], done: () => void): void {
    // Before the id in the log: whatever start finds the id finds the marks, too.
    if (origin === "empty") this.#shards.markAll();
    this.#keepRecord(CLUSTER_ID, Buffer.from(id, "utf8"), done);
  }

  get ownKeyspaces(): OwnKeyspaces {
    return this.#births;
  }

  logPosition(): number {
    return this.#options.storage.log.syncedPosition;
  }

  attach(peers: PeerNetwork): void {
    this.#peers = peers;
    this.#runner.attach(peers);
    this.#router.attach(peers);
  }

  isRebuildingFor(peer: NodeId): boolean {
    for (const [hash, machines] of this.#byHash) {
      if (this.#peers?.lacks(peer, hash) === true) continue;
      for (const { replica } of machines.cells()) if (replica?.saysRebuilding === true) return true;
    }
    return false;
  }

  engine(keyspace: string): Engine {
    const machines = this.#keyspaces.get(keyspace);
    if (machines === undefined) throw new Error(`no silent machines for keyspace ${keyspace}`);
    return machines.engine;
  }

  describe(): Readonly<Record<string, unknown>> {
    return {
      born: this.#origin !== undefined,
      clockTime: this.#clock.clock.last,
      messagesDropped: this.#router.dropped,
      keyspaces: [...this.#keyspaces].map(([name, machines]) => ({
        name,
        ...machines.describe(),
      })),
    };
  }

  async close(options: { readonly drain: boolean; readonly timeoutMs: number }): Promise<void> {
    const all = [...this.#keyspaces.values()];
    await this.#life.close(options.timeoutMs, {
      drain: async () => {
        await Promise.all(all.map((machines) => machines.drain(options)));
        this.#runner.endTurn();
      },
      stop: (isInOrder) => {
        this.#runner.stop();
        if (isInOrder) this.#closeClock();
        for (const machines of all) machines.stop();
      },
    });
  }

  /** No step runs any more: what the clock has minted is all that it ever will. */
  #closeClock(): void {
    try {
      this.#clock.close();
    } catch (error) {
      // The mark that stands covers as much.
      this.#options.observer.log("warn", "how far the clock has come was not written down", {
        error,
      });
    }
  }

  #isReachable(node: NodeId, keyspaceHash: number): boolean {
    if (node === this.#options.self.node) return true;
    return this.#peers?.isReachable(node, keyspaceHash) ?? false;
  }

  /** Met peers whose configuration does not have the keyspace. */
  #lackedBy(keyspaceHash: number): readonly NodeId[] {
    const { cluster } = this.#options.configuration;
    return cluster.nodes
      .map(({ id }) => id)
      .filter((id) => this.#peers?.isReachable(id) && this.#peers.lacks(id, keyspaceHash));
  }

  /** Why no request is taken now, of whichever keyspace. */
  #refusalNow(): CapstanError | undefined {
    const { refusal } = this.#life;
    if (refusal !== undefined || this.#origin !== undefined) return refusal;
    const { self, configuration } = this.#options;
    return notJoined(self.node, this.#peers, configuration.digest);
  }

  #waitingRefusal({ name, coordinator }: KeyspaceMachines): CapstanError | undefined {
    if (coordinator.open) return undefined;
    return notBegun(name, this.#options.self.node, this.#peers?.standingsOf(name) ?? []);
  }

  #runnerHost(): RunnerHost {
    return {
      self: this.#options.self,
      cellOf: (role, hash, shardIndex) => this.#byHash.get(hash)?.cell(role, shardIndex),
      sendRemote: (cell, word) => this.#router.send(cell, word),
      answer: (cell, word) => this.#of(cell)?.answer(word),
      refuse: (cell, deed) => this.#of(cell)?.refuse(deed),
      moveDeadline: (cell, pending, atMs) => this.#of(cell)?.moveDeadline(pending, atMs),
      change: (cell, word) => this.#of(cell)?.watches.take(cell, word),
      notice: (cell, notice) => {
        this.#options.onNotice({ ...notice, keyspace: this.#of(cell)?.name });
      },
      placed: (cell, map) => this.#of(cell)?.place(cell, map),
      fact: (cell, fact) => this.#options.onFact(this.#of(cell)?.name ?? "", fact),
      beforeRelease: () => this.#clock.keep(),
      turnEnded: () => {
        this.#shards.review();
        this.#pressure.review();
      },
      logDamaged: (cell, error) => this.#shards.logDamaged(cell, error.message),
      stepFailed: (cell, error) => this.#stepFailed(cell, error),
      releaseFailed: (error) =>
        this.#life.fail(storageFault(error instanceof Error ? error : new Error(String(error)))),
    };
  }

  #of(cell: MachineCell): KeyspaceMachines | undefined {
    return this.#byHash.get(cell.keyspaceHash);
  }

  #peerEvents(): PeerNetworkEvents {
    return {
      onMessage: (from, address, body) => this.#router.receive(from, address, body),
      onTurnEnd: () => this.#runner.drain(),
      onReachability: (peer, reachable) => {
        this.#toAll({ type: "reachability", peer, reachable }, peer);
        for (const { watches } of this.#keyspaces.values()) watches.review();
      },
      onIdentity: (peer) => this.#toAll({ type: "identity", peer }, peer.node),
      onStandings: () => this.#reviewBirths(),
      onBorn: (_id, origin) => this.#open(origin),
      onFatal: (error) => this.#life.fail(error),
      onDisowned: (error) => this.#life.disown(error),
      onFollowed: (done) => {
        if (!this.#life.isOver) this.#relearn(done);
      },
      onNotice: (notice) => this.#options.onNotice(notice),
    };
  }

  #open(origin: OpenedState["origin"]): void {
    this.#origin = origin;
    const opening = this.#births
      .begin(origin, (keyspace) => this.#peers?.standingsOf(keyspace) ?? [])
      .map((name) => this.#keyspaces.get(name) as KeyspaceMachines);
    for (const machines of opening) machines.coordinator.open = true;
    this.#shards.openAll(origin, opening);
    this.#reviewBirths();
  }

  /** Of those that are new to this store some may begin now. */
  #reviewBirths(): void {
    if (!this.#births.isWaiting || this.#life.isOver || this.#peers === undefined) return;
    for (const name of this.#births.waiting) {
      const machines = this.#keyspaces.get(name) as KeyspaceMachines;
      const peers = this.#peers.standingsOf(name);
      const mark = (origin: "newborn" | "empty"): void => this.#shards.markNew(machines, origin);
      const open = (origin: "newborn" | "empty", isAnew: boolean): void => {
        if (this.#life.isOver) return;
        machines.coordinator.open = true;
        this.#shards.openNew(machines, origin);
        this.#options.onNotice({ type: "keyspace-begun", keyspace: name, origin });
        for (const { shardIndex } of isAnew ? machines.placedReplicas() : []) {
          this.#options.onNotice({ type: "writes-may-be-lost", keyspace: name, shard: shardIndex });
        }
        this.#runner.drain();
      };
      try {
        this.#births.review(name, peers, { mark, open });
      } catch (error) {
        this.#runner.failed(error);
      }
    }
  }

  #relearn(done: () => void): void {
    let left = 2;
    const oneDone = (): void => {
      left -= 1;
      if (left === 0) done();
    };
    try {
      this.#births.follow(oneDone);
    } catch (error) {
      this.#runner.failed(error);
      return;
    }
    this.#shards.relearn(this.#origin !== undefined, oneDone);
  }

  #stateDamaged(error: StateDamageError): void {
    const machines = this.#byHash.get(keyspaceHashOf(error.shard));
    const cell = machines?.cell("replica", shardIndexOf(error.shard));
    if (cell === undefined) this.#life.fail(storageFault(error));
    else this.#shards.stateDamaged(cell, error);
  }

  /** Every machine gets an event object of its own: the runner stamps it. */
  #toAll(body: Parameters<MachineRunner["run"]>[1], peer: NodeId): void {
    for (const [hash, machines] of this.#byHash) {
      // To the machines of a keyspace that it was not given, the peer is not there.
      if (this.#peers?.lacks(peer, hash) === true) continue;
      for (const cell of machines.cells()) this.#runner.enqueue(cell, { ...body });
    }
    this.#runner.drain();
  }

  #stepFailed(cell: MachineCell, error: unknown): void {
    if (error instanceof StateDamageError) {
      // No fault of the machine's: it is the shard that cannot be trusted.
      if (cell.role === "coordinator") this.#of(cell)?.renew(cell, error);
      this.#stateDamaged(error);
      return;
    }
    const fault = noteFailure(cell, this.#of(cell)?.name, error, this.#options);
    if (fault !== undefined) {
      this.#life.fail(fault);
      return;
    }
    this.#of(cell)?.renew(cell, error);
    if (cell.role === "replica") this.#shards.open(cell, "kept");
  }

  #keepRecord(name: string, value: Uint8Array, done?: () => void): void {
    // What failed once takes nothing more; the node has stopped.
    if (!this.#life.mayKeepRecords) return;
    try {
      this.#options.records.put(name, value, done);
    } catch (error) {
      this.#runner.failed(error);
    }
  }
}

function storageFault(error: Error): CapstanError {
  return new CapstanError("STORE_FAILED", `storage failed: ${error.message}`, { cause: error });
}
