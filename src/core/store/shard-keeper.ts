import type { MachineNotice, OpenedState } from "../contracts/machine.ts";
import { StateDamageError, type StateMutation, type Storage } from "../contracts/storage.ts";
import { CapstanError } from "../model/errors.ts";
import { NO_SEQUENCE, type ShardId } from "../model/ids.ts";
import type { KeyspaceBirths } from "./keyspace-births.ts";
import type { KeyspaceMachines } from "./keyspace-machines.ts";
import type { MachineCell } from "./machine-cell.ts";
import type { MachineRunner } from "./machine-runner.ts";
import { openReplica } from "./shard-opener.ts";
import type { ShardTrust } from "./shard-trust.ts";

/** A shard that is found damaged more often in the life of a node stops the node. */
const MAX_DAMAGES = 3;
/** Where there is no other copy each damage costs one entry, and there may be many. */
const MAX_DAMAGES_ALONE = 64;

export interface ShardKeeperOptions {
  readonly storage: Storage;
  readonly trust: ShardTrust;
  readonly runner: MachineRunner;
  readonly keyspaces: ReadonlyMap<number, KeyspaceMachines>;
  readonly births: KeyspaceBirths;
  readonly onNotice: (notice: MachineNotice) => void;
  readonly fail: (error: CapstanError) => void;
}

/**
 * Opens replicas, and fences the one whose part of the log or the state is damaged: it stops
 * serving, and comes back as one that has to learn from its peers (docs/decisions/0015).
 */
export class ShardKeeper {
  readonly #options: ShardKeeperOptions;

  constructor(options: ShardKeeperOptions) {
    this.#options = options;
  }

  /**
   * Marks what the last stop may have cost. To be called as soon as records can be kept, where the
   * store was in a cluster before: a start that ends before it has done so leaves the next one in
   * doubt.
   */
  noteStart(): void {
    const { trust, births, runner } = this.#options;
    try {
      births.resume(trust.kept);
      for (const machines of this.#begun()) {
        if (trust.mayLackTail(machines.durability)) this.#markAll(machines, "the last start");
      }
      this.#markReturned();
      trust.noteStart();
    } catch (error) {
      runner.failed(error);
    }
  }

  /**
   * A store that begins empty in a cluster that may hold something has all to learn, and still has
   * it after a restart, when its data is its own and looks like what it has always had.
   */
  markAll(): void {
    const { keyspaces, trust } = this.#options;
    for (const machines of keyspaces.values()) {
      for (const cell of machines.placedReplicas()) trust.markNew(cell.shardId);
    }
  }

  /** Opens every replica that the node has of these. */
  openAll(origin: OpenedState["origin"], opening: Iterable<KeyspaceMachines>): void {
    const damaged = this.#damagedShards();
    // There was nothing to mark: what is empty has to learn in any case.
    if (origin !== "kept") this.#options.trust.noteStart();
    for (const machines of opening) {
      for (const cell of machines.replicas()) {
        if (!damaged.has(cell.shardId)) this.open(cell, origin);
        else this.logDamaged(cell, "records of its log fail their check");
      }
    }
  }

  /**
   * A keyspace that is new to this store: what is durable about it is written down already. What was
   * fenced meanwhile is opened by whoever has fenced it.
   */
  openNew(machines: KeyspaceMachines, origin: "newborn" | "empty"): void {
    for (const cell of machines.replicas()) if (!cell.fenced) this.open(cell, origin);
  }

  /** Of what waits: whether its replicas have to learn when they are opened, over restarts. */
  markNew(machines: KeyspaceMachines, origin: "newborn" | "empty"): void {
    const { trust } = this.#options;
    for (const cell of machines.placedReplicas()) {
      if (origin === "empty") trust.markNew(cell.shardId);
      else trust.unmark(cell.shardId);
    }
  }

  /** A marked shard is opened as `empty`, whatever `origin` says. */
  open(cell: MachineCell, origin: OpenedState["origin"]): void {
    const { storage, runner, trust } = this.#options;
    cell.fenced = false;
    const logDamaged = (reason: string): void => this.logDamaged(cell, reason);
    const given = trust.isMarked(cell.shardId) ? "empty" : origin;
    this.#guard(cell, () => openReplica({ cell, origin: given, storage, runner, logDamaged }));
  }

  /**
   * Another store of this node has acknowledged, after this one, what is not here. What is here is a
   * base to learn upon; until that has happened the shards count nowhere. Not those whose machines
   * count stores, once they have records: to them this one is a stranger until its peers take it in,
   * and it may have to be the store that it was, if what stood in its place never became one of them.
   */
  relearn(areOpen: boolean, done: () => void): void {
    const { trust } = this.#options;
    const reopened: MachineCell[] = [];
    const marked: MachineCell[] = [];
    for (const machines of this.#begun()) {
      const cells = this.#doubted(machines);
      marked.push(...cells);
      this.#noticeIncomplete(machines, cells, "another store has stood in the place of this one");
      if (!areOpen) continue;
      // One that is fenced is opened as `empty` by whoever has fenced it.
      for (const cell of cells.filter(({ fenced }) => !fenced)) {
        cell.fenced = true;
        machines.renew(cell, undefined);
        reopened.push(cell);
      }
    }
    let left = marked.length;
    if (left === 0) return done();
    const markIsDurable = (): void => {
      left -= 1;
      if (left > 0) return;
      for (const cell of reopened) this.open(cell, "empty");
      done();
    };
    try {
      for (const cell of marked) trust.mark(cell.shardId, markIsDurable);
    } catch (error) {
      this.#options.runner.failed(error);
    }
  }

  /** Shards that serve again need no mark. Called at the end of a turn. */
  review(): void {
    const { trust, keyspaces } = this.#options;
    if (!trust.isAnyMarked) return;
    for (const machines of keyspaces.values()) {
      for (const cell of machines.replicas()) {
        const isBack = cell.open && cell.replica?.serving === true && cell.waitingGroups === 0;
        if (isBack) trust.unmark(cell.shardId);
      }
    }
  }

  /**
   * What is left of the log is given up, with the records that only it may have had; the state is
   * a base to learn upon.
   */
  logDamaged(cell: MachineCell, reason: string): void {
    if (!this.#fence(cell, reason, MAX_DAMAGES)) return;
    this.#guard(cell, () => {
      this.#options.trust.mark(cell.shardId);
      this.#options.runner.resetLog(cell);
      this.open(cell, "empty");
    });
  }

  /**
   * With peers to learn from, the state begins anew beside the damaged one, and what the log has
   * goes into it. Alone, the damaged entry goes, and all others stay.
   */
  stateDamaged(cell: MachineCell, error: StateDamageError): void {
    // Of what was on its way to it when it was fenced.
    if (cell.fenced) return;
    const hasPeers = this.#hasPeers(cell);
    if (!this.#fence(cell, error.message, hasPeers ? MAX_DAMAGES : MAX_DAMAGES_ALONE)) return;
    const repair = (): void => {
      const { state } = this.#options.storage;
      const mutations = this.#repairOf(cell, error);
      // The shard stays closed, with all that it holds: the only copy is nobody's to throw away.
      if (mutations === undefined) return;
      state.commit({ mutations, position: state.committedPosition });
      this.open(cell, "empty");
    };
    const { trust } = this.#options;
    this.#guard(cell, () => {
      if (hasPeers) return trust.mark(cell.shardId, () => this.#guard(cell, repair));
      // Nobody to learn from: what is lost is said now, and the mark would only say it again.
      trust.mark(cell.shardId);
      repair();
    });
  }

  /** Each is asked for first: the log may know of lost records, and not whose they were. */
  #damagedShards(): ReadonlySet<ShardId> {
    const { keyspaces, storage } = this.#options;
    for (const machines of keyspaces.values()) {
      for (const { shardId } of machines.replicas()) storage.log.lastSequence(shardId);
    }
    return new Set(storage.log.health().damagedShards);
  }

  #repairOf(cell: MachineCell, { at }: StateDamageError): readonly StateMutation[] | undefined {
    const shard = cell.shardId;
    if (this.#hasPeers(cell)) {
      const generation = this.#options.storage.state.newGeneration(shard);
      return [{ type: "switch-generation", shard, generation }];
    }
    return at === undefined ? undefined : [{ type: "delete", shard, ...at }];
  }

  /** True if the shard may be marked, which comes before all that hides the damage, and opened. */
  #fence(cell: MachineCell, reason: string, maxDamages: number): boolean {
    const { onNotice, runner } = this.#options;
    const machines = this.#machinesOf(cell);
    if (machines === undefined) return false;
    cell.damages += 1;
    cell.fenced = true;
    onNotice({
      type: "shard-damaged",
      keyspace: machines.name,
      shard: cell.shardIndex,
      reason,
    });
    if (cell.damages > maxDamages) {
      this.#stop(cell, `was found damaged ${cell.damages} times`);
      return false;
    }
    machines.renew(cell, undefined);
    if (cell.replica?.appliesLater === true) {
      // Whatever steps have applied that wait for the log: what the state says now is what there is.
      runner.forget(cell);
      cell.appliedTo = undefined;
    }
    return true;
  }

  /** Those that were left out and are back lack what they would have lacked at an earlier start. */
  #markReturned(): void {
    const { births, trust } = this.#options;
    const returned = births.returned();
    if (returned.length === 0) return;
    for (const { name, loss } of returned) {
      const machines = this.#begun().find((each) => each.name === name);
      if (machines === undefined) continue;
      if (loss !== "followed") {
        if (trust.isBelow(machines.durability, loss)) this.#markAll(machines, "an earlier start");
        continue;
      }
      const cells = this.#doubted(machines);
      for (const cell of cells) trust.mark(cell.shardId);
      this.#noticeIncomplete(machines, cells, "another store has stood in the place of this one");
    }
    births.noteMarked();
  }

  #begun(): readonly KeyspaceMachines[] {
    const { keyspaces, births } = this.#options;
    return [...keyspaces.values()].filter(({ name }) => !births.waits(name));
  }

  /**
   * The replicas that a store in between may have gone past. One that counts stores and has no record
   * is among them: if the keyspace began after the cluster, it may have begun with either store, and
   * to the others the two are the same.
   */
  #doubted(machines: KeyspaceMachines): readonly MachineCell[] {
    const { log } = this.#options.storage;
    const placed = machines.placedReplicas();
    return machines.replicas().filter((cell) => {
      if (cell.replica?.countsStores !== true) return true;
      return placed.includes(cell) && log.lastSequence(cell.shardId) === NO_SEQUENCE;
    });
  }

  #markAll(machines: KeyspaceMachines, which: string): void {
    const cells = machines.replicas();
    for (const cell of cells) this.#options.trust.mark(cell.shardId);
    const reason =
      `${which} did not end in order: of a keyspace with durability ` +
      `"${machines.durability}" the newest records may be missing`;
    this.#noticeIncomplete(machines, cells, reason);
  }

  #noticeIncomplete({ name }: KeyspaceMachines, cells: readonly MachineCell[], reason: string) {
    if (cells.length === 0) return;
    const shards = cells.map(({ shardIndex }) => shardIndex);
    this.#options.onNotice({ type: "shards-incomplete", keyspace: name, shards, reason });
  }

  #hasPeers(cell: MachineCell): boolean {
    return (this.#machinesOf(cell)?.copiesOf(cell.shardIndex) ?? 1) > 1;
  }

  #machinesOf(cell: MachineCell): KeyspaceMachines | undefined {
    return this.#options.keyspaces.get(cell.keyspaceHash);
  }

  #stop(cell: MachineCell, what: string): void {
    const where = `shard ${cell.shardIndex} of keyspace ${this.#machinesOf(cell)?.name}`;
    this.#options.fail(new CapstanError("STORE_FAILED", `${where} ${what}`));
  }

  /** Damage met on the way is dealt with like any other; storage that fails ends the node. */
  #guard(cell: MachineCell, work: () => void): void {
    try {
      work();
    } catch (error) {
      const isOwn = error instanceof StateDamageError && error.shard === cell.shardId;
      if (isOwn) this.stateDamaged(cell, error);
      else this.#options.runner.failed(error);
    }
  }
}
