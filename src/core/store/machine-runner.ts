import type { Environment } from "../contracts/environment.ts";
import type {
  MachineEvent,
  MachineNotice,
  MachineRole,
  Sender,
  ShardMap,
} from "../contracts/machine.ts";
import type { LogReadResult, StateMutation, Storage } from "../contracts/storage.ts";
import type { Fact } from "../model/facts.ts";
import type { LogPosition, LogSequence } from "../model/ids.ts";
import { APPLIED_KEY, APPLIED_TEXT, appliedBytes } from "./applied-sequence.ts";
import { CommitQueue } from "./commit-queue.ts";
import { type EventBody, EventInbox, NOT_YET } from "./event-inbox.ts";
import { GenerationHand } from "./generation-hand.ts";
import { LogHand } from "./log-hand.ts";
import type { MachineCell } from "./machine-cell.ts";
import { MachineRecords, type RecordTable } from "./machine-records.ts";
import { MachineTimers } from "./machine-timers.ts";
import { NO_PLANTED_HOST_BUGS, type PlantedHostBugs } from "./planted-bugs.ts";
import type { Pending, PendingRequest, PendingScan } from "./request-table.ts";
import type { PeerNetwork } from "./seams.ts";
import { StepEffects } from "./step-effects.ts";
import { type Deed, keepWords, type Word } from "./words.ts";

/** Steps that run at one moment: a step takes microseconds, and so does reading two clocks. */
const STEPS_PER_MOMENT = 32;

/** Messages beyond this are lost to a machine whose state is being switched. */
const MAX_HELD = 1_024;

/** What the runner asks of the host that it works for. */
export interface RunnerHost {
  readonly self: Sender;
  cellOf(role: MachineRole, keyspaceHash: number, shardIndex: number): MachineCell | undefined;
  sendRemote(cell: MachineCell, word: Extract<Word, { type: "send" }>): void;
  answer(cell: MachineCell, word: Extract<Word, { type: "reply" | "reply-scan" }>): void;
  refuse(cell: MachineCell, deed: Extract<Deed, { type: "refuse" }>): void;
  moveDeadline(cell: MachineCell, pending: Pending, deadlineMs: number): void;
  change(cell: MachineCell, word: Extract<Word, { type: "change" | "caught-up" }>): void;
  notice(cell: MachineCell, notice: MachineNotice): void;
  fact(cell: MachineCell, fact: Fact): void;
  placed(cell: MachineCell, map: ShardMap): void;
  /**
   * Called before anything of a step leaves: nothing of it may leave this node before the log is
   * durable up to the answer.
   */
  beforeRelease(): LogPosition;
  /** The turn's appends are with the log. */
  turnEnded(): void;
  stepFailed(cell: MachineCell, error: unknown): void;
  /** A machine that reads its log back has met records that fail their check. */
  logDamaged(cell: MachineCell, error: Error): void;
  /** What a step did could not be carried out, or only in part: the node cannot go on. */
  releaseFailed(error: unknown): void;
}

/**
 * Runs steps, one at a time, and carries out their effects in the order of docs/architecture.md:
 * appends, then state, then words once they may be spoken. A message from one machine of this
 * node to another is an event of the same turn and is never encoded.
 */
export class MachineRunner {
  readonly #host: RunnerHost;
  readonly #environment: Environment;
  readonly #storage: Storage;
  readonly #effects: StepEffects;
  readonly #records: MachineRecords;
  readonly #queue: CommitQueue;
  readonly #inbox = new EventInbox();
  readonly #hand: LogHand;
  readonly #generations: GenerationHand;
  readonly #timers: MachineTimers;
  #running = false;
  #drainDeferred = false;
  #turnScheduled = false;
  /** Cells that asked to be told when this turn ends. */
  #turnEnders: MachineCell[] = [];
  /** Cells whose log has become durable within a step: they are told before this turn ends. */
  #durableCells: MachineCell[] = [];
  #nowMs = 0;
  #wallMs = 0;
  #stopped = false;
  #peers: PeerNetwork | undefined;
  readonly #runStep = (cell: MachineCell, event: EventBody): void => this.#step(cell, event);
  /**
   * One notice at a time: its step learns how far the log is durable by then. Of a log in memory,
   * which is durable within the step that appends, once a turn is often enough.
   */
  readonly #hearDurable = (cell: MachineCell, sequence: LogSequence): void => {
    if (cell.hearsDurable) return;
    cell.hearsDurable = true;
    if (this.#running) this.#durableCells.push(cell);
    else this.enqueue(cell, { type: "durable", sequence });
  };
  readonly #drainLater = (): void => {
    this.#drainDeferred = false;
    this.drain();
  };
  readonly #endScheduledTurn = (): void => {
    this.#turnScheduled = false;
    this.endTurn();
  };

  constructor(
    host: RunnerHost,
    environment: Environment,
    storage: Storage,
    records: RecordTable,
    planted: PlantedHostBugs = NO_PLANTED_HOST_BUGS,
  ) {
    this.#host = host;
    this.#environment = environment;
    this.#storage = storage;
    this.#timers = new MachineTimers(environment, (cell, timer) =>
      this.run(cell, { type: "timer", timer }),
    );
    this.#hand = new LogHand(storage);
    this.#generations = new GenerationHand(storage, records);
    this.#records = new MachineRecords(records);
    this.#effects = new StepEffects(this.#records);
    this.#queue = new CommitQueue({
      planted,
      log: storage.log,
      state: storage.state,
      speak: (cell, words) => this.#speak(cell, words),
      appliedMark: (cell, sequence) => this.#appliedMark(cell, sequence),
    });
  }

  attach(peers: PeerNetwork): void {
    this.#peers = peers;
  }

  get isStopped(): boolean {
    return this.#stopped;
  }

  /** No step runs any more, and no word leaves, whatever becomes durable. */
  stop(): void {
    this.#stopped = true;
    this.#inbox.clear();
  }

  /** Takes the event, and runs everything that waits unless a step is running already. */
  run(cell: MachineCell, event: EventBody): void {
    this.enqueue(cell, event);
    this.drain();
  }

  /** Takes the event for the next `drain`. */
  enqueue(cell: MachineCell, event: EventBody): void {
    if (!this.#stopped) this.#inbox.push(cell, event);
  }

  drain(): void {
    if (this.#running || this.#stopped) return;
    this.#stepAll();
    this.#scheduleTurnEnd();
  }

  #stepAll(): void {
    this.#running = true;
    try {
      for (let steps = 0; !this.#inbox.isEmpty; steps++) {
        if (steps % STEPS_PER_MOMENT === 0) this.#readClocks();
        this.#inbox.next(this.#runStep);
      }
    } finally {
      this.#running = false;
    }
  }

  /** Hands over what the turn said and writes what it appended. */
  endTurn(): void {
    if (this.#stopped) return;
    if (this.#durableCells.length > 0) this.#tellDurable();
    if (this.#turnEnders.length > 0) this.#tellTurnEnders();
    // What these steps have led to waits for the next turn.
    if (this.#turnEnders.length > 0 || this.#durableCells.length > 0) this.#scheduleTurnEnd();
    try {
      this.#host.turnEnded();
    } catch (error) {
      this.#host.releaseFailed(error);
      return;
    }
    // First, so that the peers write while this node does: what has been said did not wait for it.
    this.#peers?.flush();
    try {
      this.#storage.log.flush();
      this.#hand.release();
    } catch (error) {
      this.#host.releaseFailed(error);
    }
  }

  #tellDurable(): void {
    const due = this.#durableCells;
    this.#durableCells = [];
    for (const cell of due) this.enqueue(cell, { type: "durable", sequence: cell.durableSequence });
    if (!this.#running) this.#stepAll();
  }

  /** Their steps are the last of this turn; whoever asks anew meanwhile waits for the next. */
  #tellTurnEnders(): void {
    const due = this.#turnEnders;
    this.#turnEnders = [];
    for (const cell of due) {
      cell.awaitsTurnEnd = false;
      this.enqueue(cell, { type: "turn-end" });
    }
    if (!this.#running) this.#stepAll();
  }

  /** Appends a record that no step has made; `mutations` are committed once it is durable. */
  keepRecord(
    cell: MachineCell,
    payload: Uint8Array,
    mutations: readonly StateMutation[],
  ): LogPosition {
    this.#hand.carryOut(cell, [payload]);
    this.#queue.add(cell, mutations, []);
    this.#scheduleTurnEnd();
    return cell.lastPosition;
  }

  /** Of what waits for the cell nothing is to happen. */
  forget(cell: MachineCell): void {
    this.#queue.forget(cell);
  }

  /** A switch of generations that a crash has cut short is undone: see `GenerationHand`. */
  reconcile(cell: MachineCell): void {
    if (this.#generations.isCutShort(cell)) this.#hand.giveUp(cell);
    this.#generations.installed(cell);
    this.#scheduleTurnEnd();
  }

  /** Gives up the shard's log, with all that only it may have had. */
  resetLog(cell: MachineCell): void {
    this.#hand.giveUp(cell);
    this.#scheduleTurnEnd();
  }

  /** Storage has failed outside a step. */
  failed(error: unknown): void {
    this.#host.releaseFailed(error);
  }

  /** A stamp is about to leave outside a step: the clock's mark may have to be moved on. */
  noteClock(): void {
    if (this.#stopped) return;
    try {
      this.#host.beforeRelease();
    } catch (error) {
      this.#host.releaseFailed(error);
    }
  }

  onDurable(position: LogPosition): void {
    try {
      this.#queue.release(position);
    } catch (error) {
      this.#host.releaseFailed(error);
      return;
    }
    this.#hand.durable(position, this.#hearDurable);
    if (this.#running || this.#stopped) return;
    this.drain();
    // Somebody waits for what has waited for a sync: it does not wait for the turn's end, too.
    this.#peers?.flush();
  }

  #readClocks(): void {
    this.#nowMs = this.#environment.monotonicMs();
    this.#wallMs = this.#environment.wallMs();
  }

  /**
   * After all input that is waiting has been read, and what clients did with its answers: several
   * peers' frames then share one append, and one frame to each peer. A frame costs more than all
   * else that an operation does (docs/performance.md).
   */
  #scheduleTurnEnd(): void {
    if (this.#turnScheduled) return;
    this.#turnScheduled = true;
    this.#environment.soon(this.#endScheduledTurn);
  }

  #step(cell: MachineCell, body: EventBody): void {
    const effects = this.#effects;
    const event = body as EventBody & { nowMs: number; wallMs: number };
    event.nowMs = this.#nowMs;
    event.wallMs = this.#wallMs;
    if (event.type === "durable") cell.hearsDurable = false;
    if (cell.held !== undefined) {
      if (cell.held.length < MAX_HELD || event.type !== "message") cell.held.push(event);
      return;
    }
    // Said before a cut that this machine has made since: it is about what the log has now.
    if (event.type === "durable") Object.assign(event, { sequence: cell.durableSequence });
    effects.begin(cell);
    try {
      cell.machine.step(event as MachineEvent<unknown>, effects);
      effects.finish();
    } catch (error) {
      effects.clear();
      this.#host.stepFailed(cell, error);
      return;
    }
    try {
      this.#release(cell, effects);
    } catch (error) {
      this.#host.releaseFailed(error);
    }
    effects.clear();
  }

  #release(cell: MachineCell, effects: StepEffects): void {
    const heldUntil = this.#host.beforeRelease();
    if (effects.keeps.size > 0) this.#records.keepAll(cell, effects.keeps);
    const mutations = this.#generations.direct(cell, effects);
    if (effects.logWorks.length > 0) this.#hand.carryOut(cell, effects.logWorks);
    const marks = effects.appliedTo !== undefined;
    if (effects.appliedTo !== undefined) {
      cell.appliedTo = effects.appliedTo;
      this.#hand.applied(cell);
    }
    if (heldUntil > this.#storage.log.durablePosition) this.#hold(cell, effects, heldUntil);
    else if (effects.earlyWords.length > 0) this.#speak(cell, effects.earlyWords);
    if (effects.switchesGeneration) this.#switch(cell, mutations, effects.words);
    else if (mutations.length > 0 || effects.words.length > 0 || marks) {
      this.#queue.add(cell, mutations, effects.words, marks || mutations.length > 0);
    }
    if (effects.deeds.length > 0) this.#do(cell, effects.deeds);
    if (effects.awaitsTurnEnd && !cell.awaitsTurnEnd) {
      cell.awaitsTurnEnd = true;
      this.#turnEnders.push(cell);
    }
  }

  /**
   * Nothing of the step leaves the node before `position` is durable, its early words included.
   * What it says to this node's own machines stays here: their records come after that position.
   */
  #hold(cell: MachineCell, effects: StepEffects, position: LogPosition): void {
    if (cell.lastPosition < position) cell.lastPosition = position;
    const isOwn = (word: Word) => word.type === "send" && word.node === this.#host.self.node;
    this.#speak(cell, effects.earlyWords.filter(isOwn));
    effects.words.unshift(...effects.earlyWords.filter((word) => !isOwn(word)));
  }

  /**
   * The machine goes on, and its words leave, when the generation that it has switched to is
   * durable: what it says from then on rests upon it, and what it reads must not be the old one.
   */
  #switch(cell: MachineCell, mutations: readonly StateMutation[], words: readonly Word[]): void {
    const kept = keepWords(words);
    const turn = cell.openings;
    cell.held = [];
    const durable = () => this.#environment.defer(() => this.#goOn(cell, turn, kept));
    const committed = () => this.#storage.state.hasten(durable);
    this.#queue.add(cell, mutations, [], true, committed);
  }

  #goOn(cell: MachineCell, turn: number, words: readonly Word[]): void {
    if (this.#stopped || cell.openings !== turn) return;
    // What has come for it is held behind what is held.
    this.drain();
    const held = cell.held ?? [];
    cell.held = undefined;
    try {
      this.#generations.installed(cell);
    } catch (error) {
      this.#host.releaseFailed(error);
      return;
    }
    this.#speak(cell, words);
    for (const event of held) this.enqueue(cell, event);
    this.drain();
  }

  #speak(cell: MachineCell, words: readonly Word[]): void {
    if (this.#stopped) return;
    for (const word of words) {
      if (word.type === "send") this.#send(cell, word);
      else if (word.type === "reply" || word.type === "reply-scan") this.#host.answer(cell, word);
      else this.#host.change(cell, word);
    }
  }

  #send(cell: MachineCell, word: Extract<Word, { type: "send" }>): void {
    if (word.node !== this.#host.self.node) {
      this.#host.sendRemote(cell, word);
      return;
    }
    const target = this.#host.cellOf(word.role, cell.keyspaceHash, word.shardIndex);
    if (target === undefined || !target.open) return;
    this.enqueue(target, {
      type: "message",
      from: this.#host.self,
      shardIndex: word.shardIndex,
      message: word.message,
      nowMs: NOT_YET,
      wallMs: NOT_YET,
    });
    // Words that waited for durability are spoken outside a step, and many at a time.
    if (this.#running || this.#drainDeferred) return;
    this.#drainDeferred = true;
    this.#environment.defer(this.#drainLater);
  }

  #do(cell: MachineCell, deeds: readonly Deed[]): void {
    for (const deed of deeds) {
      switch (deed.type) {
        case "refuse":
          this.#host.refuse(cell, deed);
          break;
        case "set-timer":
          this.#timers.set(cell, deed.timer, deed.delayMs);
          break;
        case "cancel-timer":
          this.#timers.cancel(cell, deed.timer);
          break;
        case "deadline":
          this.#host.moveDeadline(
            cell,
            deed.request as PendingRequest | PendingScan,
            deed.deadlineMs,
          );
          break;
        case "emit":
          this.#host.notice(cell, deed.notice);
          break;
        case "fact":
          this.#host.fact(cell, deed.fact);
          break;
        case "placed":
          this.#host.placed(cell, deed.map);
          break;
        case "read-log":
          this.#readLog(cell, deed.token, deed.from, deed.maxBytes);
          break;
        case "release-log":
          this.#hand.pin(cell, deed.sequence);
          break;
      }
    }
  }

  #readLog(cell: MachineCell, token: number, from: LogSequence, maxBytes: number): void {
    const turn = cell.openings;
    this.#storage.log.read(cell.shardId, from, maxBytes, (result: LogReadResult) => {
      // Whoever stands in the place of the machine that has asked has tokens of its own.
      if (cell.openings !== turn) return;
      if (result.type === "records") {
        const { records, end } = result;
        this.run(cell, { type: "log-records", token, records, end });
      } else {
        this.run(cell, { type: "log-unreadable", token, reason: result.type });
        if (result.type === "damaged") this.#host.logDamaged(cell, result.error);
      }
    });
  }

  /** A persistent state must know how far each shard's log is in it; memory starts anew anyway. */
  #appliedMark(cell: MachineCell, sequence: LogSequence): StateMutation | undefined {
    if (!this.#storage.state.capabilities.persistent) return undefined;
    return {
      type: "put",
      shard: cell.shardId,
      space: "meta",
      key: APPLIED_KEY,
      value: appliedBytes(sequence),
      text: APPLIED_TEXT,
    };
  }
}
