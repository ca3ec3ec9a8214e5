import type { Sender } from "../../../../../src/core/contracts/machine.ts";
import type { LogRecord } from "../../../../../src/core/contracts/storage.ts";
import type {
  Incarnation,
  LogSequence,
  NodeId,
  ShardId,
  StoreId,
} from "../../../../../src/core/model/ids.ts";
import {
  type Configuration,
  isMember,
  type Member,
} from "../../../../../src/strategies/raft/configuration.ts";
import { Consensus } from "../../../../../src/strategies/raft/consensus.ts";
import type {
  AppliedPoint,
  ConsensusEffects,
  ConsensusOptions,
  Moment,
  RecoveryRefusal,
} from "../../../../../src/strategies/raft/consensus-types.ts";
import {
  ENTRY_HEADER_BYTES,
  payloadOfEntry,
  unsealedEntry,
} from "../../../../../src/strategies/raft/entry.ts";
import { decodeHardState, HARD_STATE } from "../../../../../src/strategies/raft/hard-state.ts";
import {
  PairHeartbeats,
  type PairPorts,
} from "../../../../../src/strategies/raft/pair-heartbeats.ts";
import type { PairMessage } from "../../../../../src/strategies/raft/pair-messages.ts";
import { Pairs } from "../../../../../src/strategies/raft/pairs.ts";
import type { PeerMessage } from "../../../../../src/strategies/raft/peer-messages.ts";
import { BrokenProperty } from "./broken-property.ts";
import type { World } from "./world.ts";
import { type AppliedEntry, NO_STATE, WorldDisk } from "./world-disk.ts";

export type Origin = "newborn" | "kept" | "empty";
const EMPTY_RECORD = ENTRY_HEADER_BYTES;

interface HeldMessage {
  readonly to: NodeId;
  readonly message: PeerMessage;
  readonly position: number;
}

/** One node of a world: a disk, a clock, and while it runs a consensus with a state around it. */
export class WorldNode {
  readonly id: NodeId;
  readonly world: World;
  disk = new WorldDisk();
  storeId: StoreId;
  incarnation = 0;
  consensus: Consensus | undefined;
  /** Its store was not there at the birth of the shard. */
  joinsEmpty = false;
  /** This node's clock: `offset + rate × time`. */
  readonly #rate: number;
  #offsetMs: number;
  #applied: AppliedEntry[] = [];
  #installing: AppliedEntry[] | undefined;
  #installed: AppliedPoint | undefined;
  #held: HeldMessage[] = [];
  #isSyncing = false;
  #timers = new Map<string, number>();
  #lastTimer = 0;
  #flushDue = false;
  /** Which configurations were in force, before and after the step, when so much was committed. */
  #commits: { readonly upTo: number; readonly inForce: readonly Configuration[] }[] = [];
  onRead: (answer: string) => void = () => {};
  onEvent: (event: Readonly<Record<string, unknown>>) => void = () => {};
  /** What was asked of reads under way: the least index that an answer must have. */
  readonly reads = new Map<number, number>();
  /** What the last wipe took. */
  #setAside: Pick<WorldNode, "disk" | "storeId" | "joinsEmpty"> | undefined;
  /** Where shards rest. */
  #pairs: Pairs | undefined;
  #heartbeats: PairHeartbeats | undefined;

  constructor(world: World, id: NodeId, storeId: StoreId) {
    this.world = world;
    this.id = id;
    this.storeId = storeId;
    this.#rate = 1 + (world.random.fraction() - 0.5) * world.clockBound;
    this.#offsetMs = Math.floor(world.random.fraction() * 100_000);
  }

  get isUp(): boolean {
    return this.consensus !== undefined;
  }

  /** Its store was there at the birth of the shard. */
  get isOriginal(): boolean {
    const kept = this.disk.image.kept.get(HARD_STATE);
    return kept !== undefined && decodeHardState(kept).original;
  }

  answersAs(member: Member): boolean {
    return isMember(member, { node: this.id, storeId: this.storeId, original: this.isOriginal });
  }

  get self(): Sender {
    return {
      node: this.id,
      storeId: this.storeId,
      incarnation: this.incarnation as Incarnation,
    };
  }

  get applied(): readonly AppliedEntry[] {
    return this.#applied;
  }

  /** Its clock jumps ahead so far that whatever it waits for is over. */
  hurry(ms: number): void {
    const { consensus } = this;
    this.#offsetMs += ms;
    for (const timer of [...this.#timers.keys()]) {
      this.step((at, effects) => {
        consensus?.timer(timer, at, effects);
      });
    }
  }

  now(): Moment {
    const nowMs = this.#offsetMs + this.world.nowMs * this.#rate;
    return { nowMs, wallMs: nowMs + 1_000_000 };
  }

  /** How long `delayMs` of this node's clock takes. */
  realMs(delayMs: number): number {
    return delayMs / this.#rate;
  }

  /** After a crash. */
  restart(): void {
    const { durable, image, state } = this.disk;
    const hasNothing = durable.kept.size === 0;
    const applied = state.point?.index ?? 0;
    // A log that was given up for a snapshot which is not in the state: the host finds the hole.
    const hasHole = image.first > applied + 1;
    if (hasHole) {
      this.world.tailsLost++;
      this.disk.giveUpLog(applied + 1);
    }
    this.start(hasHole || (this.joinsEmpty && hasNothing) ? "empty" : "kept");
  }

  start(origin: Origin): void {
    this.incarnation++;
    this.#held = [];
    this.#timers.clear();
    this.#isSyncing = false;
    this.#flushDue = false;
    this.#installing = undefined;
    this.reads.clear();
    this.#commits = [];
    this.#pairs = this.world.rests === undefined ? undefined : new Pairs(this.world.rests);
    this.#heartbeats = this.#pairs && new PairHeartbeats(this.#pairs, this.world.timing);
    const { state, image } = this.disk;
    this.#applied = state.entries.slice(0, state.length);
    const consensus = new Consensus(this.#options(), this.world.planted);
    this.consensus = consensus;
    const applied = state.point;
    const from = (applied?.index ?? 0) + 1;
    const lastSequence = Math.max(image.last, from - 1) as LogSequence;
    const records = this.#records(Math.max(from, image.first), Number.POSITIVE_INFINITY);
    const appliedSequence = (from - 1) as LogSequence;
    const opening = {
      origin,
      lastSequence,
      appliedSequence,
      durableSequence: lastSequence,
      applied,
    };
    this.step((at, effects) => consensus.open(opening, at, effects));
    if (records.length > 0) this.step((at, effects) => consensus.replay(records, at, effects));
  }

  crash(): void {
    this.consensus = undefined;
    this.disk.crash((below) => this.world.pick(below));
  }

  /** Everything that was stored is gone, and with it the store's name. */
  wipe(): void {
    this.world.tailsLost++;
    this.#setAside = { disk: this.disk, storeId: this.storeId, joinsEmpty: this.joinsEmpty };
    this.disk = new WorldDisk();
    this.storeId = this.world.newStoreId();
    this.joinsEmpty = true;
  }

  /** What was there before the wipe is there again: somebody had moved it aside. */
  bringBack(): void {
    if (this.#setAside === undefined) throw new Error(`${this.id} was not wiped`);
    this.world.tailsLost++;
    Object.assign(this, this.#setAside);
  }

  /** The end of the log is lost, though it had been vouched for; what was kept is there. */
  loseTail(): void {
    const { durable, state } = this.disk;
    const keptRecords = this.world.pick(durable.log.length + 1);
    const atLeast = (state.point?.index ?? 0) - durable.first + 1;
    durable.log.length = Math.max(0, keptRecords, Math.min(atLeast, durable.log.length));
    if (this.world.pick(4) === 0) {
      this.disk.state = NO_STATE;
      this.disk.durableState = NO_STATE;
    }
    this.disk.image = durable.clone();
  }

  propose(text: string): number | undefined {
    const consensus = this.consensus;
    if (consensus === undefined) return undefined;
    let index: number | undefined;
    this.step((at, effects) => {
      const result = consensus.propose(unsealedEntry(Buffer.from(text)), at, effects);
      if (result.refused === undefined) {
        index = result.index;
        this.world.checks.proposed(this, text, result.index, result.term);
      }
    });
    return index;
  }

  /** As somebody does who accepts that the others are lost; answers why not. */
  recover(): RecoveryRefusal | undefined {
    let refused: RecoveryRefusal | undefined = "not-open";
    this.step((at, effects) => {
      refused = this.consensus?.recover(at, effects);
      if (refused === undefined) this.world.checks.recovered(this);
    });
    return refused;
  }

  receive(from: Sender, message: PeerMessage | PairMessage): void {
    const consensus = this.consensus;
    if (consensus === undefined) return;
    if (isAboutPairs(message)) {
      this.#heartbeats?.onMessage(from, message, this.now().nowMs, this.#ports());
      return;
    }
    this.step((at, effects) => consensus.message(from, message, at, effects));
  }

  configurationsAtCommit(index: number): readonly Configuration[] {
    while ((this.#commits[0]?.upTo ?? index) < index) this.#commits.shift();
    return this.#commits[0]?.inForce ?? [];
  }

  /** One step of the replica around the consensus. */
  step(work: (at: Moment, effects: ConsensusEffects) => void): void {
    const consensus = this.consensus;
    if (consensus === undefined) return;
    const at = this.now();
    const early: { to: NodeId; message: PeerMessage }[] = [];
    const late: { to: NodeId; message: PeerMessage }[] = [];
    const effects = this.#effects(early, late);
    const { configuration: before, commitIndex } = consensus;
    work(at, effects);
    const isLeader = consensus.standing.role === "leader";
    if (isLeader && consensus.configuration !== before) {
      this.world.checks.reconfigured(this, before, consensus.configuration);
    }
    if (consensus.commitIndex > commitIndex) {
      const inForce = [before, consensus.configuration];
      this.#commits.push({ upTo: consensus.commitIndex, inForce });
    }
    let isNews = false;
    const apply = (index: number, term: number, kind: string, record: Uint8Array): void => {
      const text = kind === "command" ? Buffer.from(payloadOfEntry(record)).toString() : kind;
      this.#applied.push({ index, term, text });
      this.world.checks.applied(this, index, term, text, record.length - EMPTY_RECORD);
      isNews = true;
    };
    while (consensus.takeCommitted(1_000, apply, effects)) isNews = true;
    // As the host does it: what a step does to the log comes before its state.
    if (this.#installed !== undefined) this.#commit(this.#installed, true);
    this.#installed = undefined;
    if (isNews) this.#commit(consensus.point(), false);
    if (this.world.flushesAtOnce) consensus.flush(at, effects);
    else this.#flushSoon();
    for (const { to, message } of early) this.world.send(this, to, message);
    for (const { to, message } of late) this.#speak(to, message);
    this.world.checks.stepped(this);
    this.#heartbeats?.maybeBegin(at.nowMs, this.#ports());
    this.#sync();
  }

  /** As a coordinator has them. */
  #ports(): PairPorts {
    const { incarnation } = this;
    return {
      send: (node, message) => this.world.send(this, node, message),
      stir: ({ term }) => this.world.send(this, this.id, { type: "stir", term }),
      setTimer: (delayMs) =>
        this.world.after(this.realMs(delayMs) + this.world.lateMs(), () => {
          if (this.incarnation !== incarnation || this.consensus === undefined) return;
          this.#heartbeats?.onTimer(this.now().nowMs, this.#ports());
        }),
    };
  }

  #flushSoon(): void {
    if (this.#flushDue) return;
    this.#flushDue = true;
    const { incarnation } = this;
    this.world.after(this.world.random.fraction(), () => {
      if (this.incarnation !== incarnation || this.consensus === undefined) return;
      const { consensus } = this;
      this.step((at, effects) => consensus.flush(at, effects));
      this.#flushDue = false;
    });
  }

  #commit(point: AppliedPoint, isInstall: boolean): void {
    const commit = { point, entries: this.#applied, length: this.#applied.length };
    this.disk.add({ type: "state", commit, isInstall });
  }

  #speak(to: NodeId, message: PeerMessage): void {
    const { position, durablePosition } = this.disk;
    if (position <= durablePosition) this.world.send(this, to, message);
    else this.#held.push({ to, message, position });
  }

  /** One sync at a time; what comes meanwhile is in the next one. */
  #sync(): void {
    if (this.#isSyncing || this.disk.durablePosition >= this.disk.position) return;
    this.#isSyncing = true;
    const { position } = this.disk;
    const { incarnation } = this;
    this.world.after(this.world.syncMs(), () => {
      if (this.incarnation !== incarnation || this.consensus === undefined) return;
      this.#isSyncing = false;
      this.disk.sync(position);
      if (this.world.pick(8) === 0) this.disk.syncState();
      this.#letGo();
      const { consensus } = this;
      const sequence = this.disk.durableSequence as LogSequence;
      this.step((at, effects) => consensus.durable(sequence, at, effects));
    });
  }

  #letGo(): void {
    const { durablePosition } = this.disk;
    const due = this.#held.filter((held) => held.position <= durablePosition);
    this.#held = this.#held.filter((held) => held.position > durablePosition);
    for (const { to, message } of due) this.world.send(this, to, message);
  }

  #records(from: number, maxBytes: number): readonly LogRecord[] {
    const { image } = this.disk;
    const records: LogRecord[] = [];
    let bytes = 0;
    for (let index = from; index <= image.last && bytes < maxBytes; index++) {
      const payload = image.record(index) as Uint8Array;
      bytes += payload.length;
      records.push({ shard: 1 as ShardId, sequence: index as LogSequence, payload });
    }
    return records;
  }

  #effects(
    early: { to: NodeId; message: PeerMessage }[],
    late: { to: NodeId; message: PeerMessage }[],
  ): ConsensusEffects {
    const { disk, world } = this;
    return {
      append: (record) => {
        disk.add({ type: "append", record });
        world.checks.appended(this, disk.image.last, record);
        return disk.image.last as LogSequence;
      },
      truncateSuffix: (sequence) => {
        world.checks.truncated();
        disk.add({ type: "truncate", index: sequence });
      },
      resetLog: (next) => disk.add({ type: "reset", next }),
      releaseLog: (sequence) => disk.release(sequence),
      readLog: (token, from, maxBytes) => this.#readLog(token, from, maxBytes),
      keep: (name, value) => disk.add({ type: "keep", name, value }),
      kept: (name) => disk.image.kept.get(name),
      send: (to, _role, _shard, message) => late.push({ to, message }),
      sendBeforeDurable: (to, _role, _shard, message) => early.push({ to, message }),
      setTimer: (timer, delayMs) => this.#setTimer(timer, delayMs),
      cancelTimer: (timer) => this.#timers.delete(timer),
      // No fault of these worlds brings that about.
      emit: (event) => {
        if (event.type === "raft-diverged")
          throw new BrokenProperty("the leader lacks what is committed");
        this.onEvent(event);
      },
    };
  }

  /** What it finds is what was there when it was asked, or when it answers, which may be late. */
  #readLog(token: number, from: number, maxBytes: number): void {
    const { incarnation } = this;
    const asked = this.disk.image.first <= from ? this.#records(from, maxBytes) : [];
    const delayMs = this.world.random.fraction() * 2 + this.world.slowReadMs();
    this.world.after(delayMs, () => {
      const { consensus } = this;
      if (this.incarnation !== incarnation || consensus === undefined) return;
      if (from < this.disk.image.first) {
        this.step((at, effects) => consensus.logUnreadable(token, at, effects));
        return;
      }
      const records =
        asked.length > 0 && this.world.isReadEarly ? asked : this.#records(from, maxBytes);
      this.step((at, effects) => consensus.logRecords(token, records, at, effects));
    });
  }

  #setTimer(timer: string, delayMs: number): void {
    const number = ++this.#lastTimer;
    this.#timers.set(timer, number);
    const { incarnation } = this;
    this.world.after(this.realMs(delayMs) + this.world.lateMs(), () => {
      const { consensus } = this;
      if (this.incarnation !== incarnation || consensus === undefined) return;
      if (this.#timers.get(timer) !== number) return;
      this.step((at, effects) => {
        consensus.timer(timer, at, effects);
      });
    });
  }

  #options(): ConsensusOptions {
    const { world } = this;
    return {
      self: this.self,
      shardIndex: 0,
      nodes: world.nodes.map(({ id }) => id),
      placement: () => world.placement,
      priorityOf: (node) => world.priorityOf(node),
      timing: world.timing,
      limits: world.limits,
      firstQuestion: 0,
      randomUint32: () => world.random.uint32(),
      isReachable: (node) => world.isReachable(node),
      pairs: this.#pairs,
      health: { isDiskSick: () => false, loopLagMs: () => 0 },
      outputs: {
        standingChanged: () => {},
        readConfirmed: (token, index) => {
          this.onRead(`reads at ${index}`);
          world.checks.readConfirmed(this, token, index);
        },
        readFailed: (token, reason) => {
          this.onRead(`cannot read: ${reason}`);
          this.reads.delete(token);
        },
      },
      state: {
        openPicture: () => {
          const entries = this.#applied.slice();
          const point = this.consensus?.point();
          if (point === undefined) return undefined;
          return {
            point,
            read: (cursor, limitBytes) => readPicture(entries, cursor, limitBytes),
            close: () => {},
          };
        },
        beginInstall: () => {
          this.#installing = [];
        },
        installChunk: (chunk) => {
          this.#installing?.push(...(JSON.parse(Buffer.from(chunk).toString()) as AppliedEntry[]));
        },
        finishInstall: (point) => {
          this.#applied = this.#installing ?? [];
          this.#installing = undefined;
          this.world.checks.installed(this, point);
          this.#installed = point;
        },
        abortInstall: () => {
          this.#installing = undefined;
        },
      },
    };
  }
}

function isAboutPairs(message: PeerMessage | PairMessage): message is PairMessage {
  return message.type.startsWith("pair");
}

function readPicture(
  entries: readonly AppliedEntry[],
  cursor: Uint8Array | undefined,
  limitBytes: number,
): { readonly chunk: Uint8Array; readonly next: Uint8Array | undefined } {
  const from = cursor === undefined ? 0 : Number(Buffer.from(cursor).toString());
  const to = Math.min(entries.length, from + Math.max(1, Math.floor(limitBytes / 32)));
  return {
    chunk: Buffer.from(JSON.stringify(entries.slice(from, to))),
    next: to >= entries.length ? undefined : Buffer.from(String(to)),
  };
}
