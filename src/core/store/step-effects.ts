import type {
  Effects,
  MachineNotice,
  MachineRole,
  Request,
  ScanTask,
  ShardMap,
  StateViewHandle,
} from "../contracts/machine.ts";
import type { MachineChange } from "../contracts/machine-change.ts";
import type { Space, StateEntry, StateMutation, StateRange } from "../contracts/storage.ts";
import type { Lane } from "../contracts/transport.ts";
import type { CapstanError } from "../model/errors.ts";
import type { Fact } from "../model/facts.ts";
import { type LogSequence, NO_SEQUENCE, type NodeId } from "../model/ids.ts";
import type { OperationResult, ScanPage } from "../model/operations.ts";
import { NEXT_GENERATION } from "./generation-hand.ts";
import type { LogCut, LogWork } from "./log-hand.ts";
import type { MachineCell } from "./machine-cell.ts";
import { checkRecord, type MachineRecords } from "./machine-records.ts";
import { type Deed, SendWordPool, type Word } from "./words.ts";

const FEW = 16;

/**
 * Collects what one step does. One object serves all machines of a node, because steps never
 * nest; nothing takes effect before the host releases it, so a throw leaves no trace.
 */
export class StepEffects implements Effects<unknown> {
  readonly keeps = new Map<string, Uint8Array | undefined>();
  readonly logWorks: LogWork[] = [];
  readonly mutations: StateMutation[] = [];
  /** Wait for the shard's appends. */
  readonly words: Word[] = [];
  /** Do not. */
  readonly earlyWords: Word[] = [];
  readonly deeds: Deed[] = [];
  switchesGeneration = false;
  beginsGeneration = false;
  dropsGeneration = false;
  awaitsTurnEnd = false;
  /** What the step says to have applied; undefined: nothing new. */
  appliedTo: LogSequence | undefined;
  readonly #records: MachineRecords;
  /** Newest record of the log with what this step does to it. */
  #lastSequence = NO_SEQUENCE;
  /** Something of the step goes into the generation that is being built, or switches to it. */
  #buildsGeneration = false;
  /** The step has reset the log, to go on behind this. */
  #resetTo: LogSequence | undefined;
  #cell: MachineCell | undefined;
  /** What this step has put, so that it sees its own writes; built when first asked for. */
  #pending: Map<string, Uint8Array | undefined> | undefined;
  #pendingUpTo = 0;
  readonly #pool = new SendWordPool();

  constructor(records: MachineRecords) {
    this.#records = records;
  }

  begin(cell: MachineCell): void {
    this.#cell = cell;
    this.#lastSequence = cell.lastSequence;
  }

  get touchesGenerations(): boolean {
    return this.#buildsGeneration || this.beginsGeneration || this.dropsGeneration;
  }

  get resetsLog(): boolean {
    return this.#resetTo !== undefined;
  }

  /** The step has returned. Throws if what it did to the log and to the state cannot both be. */
  finish(): void {
    const applied = this.appliedTo ?? this.#cell?.appliedTo ?? NO_SEQUENCE;
    if (this.appliedTo !== undefined && applied > this.#lastSequence) {
      throw new RangeError(`applied(${applied}) is above the newest record ${this.#lastSequence}`);
    }
    if (this.switchesGeneration && this.appliedTo === undefined) {
      throw new Error("switchToNext without applied: how far is the new state?");
    }
    if (this.#resetTo !== undefined && applied < this.#resetTo) {
      const next = this.#resetTo + 1;
      throw new RangeError(`resetLog(${next}) leaves a hole: the state includes ${applied}`);
    }
  }

  clear(): void {
    empty(this.logWorks);
    if (this.keeps.size > 0) this.keeps.clear();
    empty(this.mutations);
    empty(this.words);
    empty(this.earlyWords);
    empty(this.deeds);
    this.#pool.takeBack();
    this.switchesGeneration = false;
    this.beginsGeneration = false;
    this.dropsGeneration = false;
    this.awaitsTurnEnd = false;
    this.#buildsGeneration = false;
    this.appliedTo = undefined;
    this.#resetTo = undefined;
    this.#pending = undefined;
    this.#pendingUpTo = 0;
    this.#cell = undefined;
  }

  append(payload: Uint8Array): LogSequence {
    this.#replicaCell("append");
    this.logWorks.push(payload);
    this.#lastSequence = (this.#lastSequence + 1) as LogSequence;
    return this.#lastSequence;
  }

  keep(name: string, value: Uint8Array | undefined): void {
    this.#replicaCell("keep");
    checkRecord(name, value);
    this.keeps.set(name, value);
  }

  kept(name: string): Uint8Array | undefined {
    const cell = this.#replicaCell("kept");
    return this.keeps.has(name) ? this.keeps.get(name) : this.#records.get(cell, name);
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#mutate("data", key, value);
  }

  delete(key: Uint8Array): void {
    this.#mutate("data", key, undefined);
  }

  putSide(key: Uint8Array, value: Uint8Array): void {
    this.#mutate("side", key, value);
  }

  deleteSide(key: Uint8Array): void {
    this.#mutate("side", key, undefined);
  }

  putFact(table: string, key: Uint8Array, value: Uint8Array): void {
    this.#mutate("fact", Buffer.concat([Buffer.from(`${table}\0`, "utf8"), key]), value);
  }

  truncateSuffix(sequence: LogSequence): void {
    const applied = this.appliedTo ?? this.#laterCell("truncateSuffix").appliedTo ?? NO_SEQUENCE;
    if (!(Number.isSafeInteger(sequence) && sequence >= applied)) {
      const allowed = `a sequence of at least ${applied}, which is applied`;
      throw new RangeError(`truncateSuffix(${sequence}) is not ${allowed}`);
    }
    if (sequence >= this.#lastSequence) return;
    this.#cut("truncate", sequence);
  }

  resetLog(next: LogSequence): void {
    this.#laterCell("resetLog");
    if (!(Number.isSafeInteger(next) && next >= 1)) {
      throw new RangeError(`resetLog(${next}) is not a sequence of at least 1`);
    }
    this.#resetTo = (next - 1) as LogSequence;
    this.#cut("reset", this.#resetTo);
  }

  applied(sequence: LogSequence): void {
    const before = this.appliedTo ?? this.#laterCell("applied").appliedTo ?? NO_SEQUENCE;
    const least = this.switchesGeneration ? 0 : before;
    if (!(Number.isSafeInteger(sequence) && sequence >= least)) {
      throw new RangeError(`applied(${sequence}) is not a sequence of at least ${least}`);
    }
    this.appliedTo = sequence;
  }

  releaseLog(sequence: LogSequence): void {
    this.deeds.push({ type: "release-log", sequence });
  }

  readLog(token: number, from: LogSequence, maxBytes: number): void {
    this.#replicaCell("readLog");
    this.deeds.push({ type: "read-log", token, from, maxBytes });
  }

  beginNext(): void {
    this.#laterCell("beginNext");
    if (this.#buildsGeneration) throw new Error("beginNext comes before what goes into it");
    this.beginsGeneration = true;
  }

  putNext(key: Uint8Array, value: Uint8Array): void {
    this.#putNext("putNext", "data", key, value);
  }

  putSideNext(key: Uint8Array, value: Uint8Array): void {
    this.#putNext("putSideNext", "side", key, value);
  }

  dropNext(): void {
    this.#laterCell("dropNext");
    if (this.#buildsGeneration || this.beginsGeneration) {
      throw new Error("dropNext in a step that builds a generation");
    }
    this.dropsGeneration = true;
  }

  switchToNext(): void {
    const { shardId: shard } = this.#buildingCell("switchToNext");
    this.switchesGeneration = true;
    this.mutations.push({ type: "switch-generation", shard, generation: NEXT_GENERATION });
  }

  atTurnEnd(): void {
    this.awaitsTurnEnd = true;
  }

  send(
    node: NodeId,
    role: MachineRole,
    shardIndex: number,
    message: unknown,
    lane: Lane = "log",
  ): void {
    this.words.push(this.#pool.send(node, role, shardIndex, message, lane));
  }

  sendBeforeDurable(
    node: NodeId,
    role: MachineRole,
    shardIndex: number,
    message: unknown,
    lane: Lane = "log",
  ): void {
    this.earlyWords.push(this.#pool.send(node, role, shardIndex, message, lane));
  }

  reply(request: Request, result: OperationResult): void {
    this.words.push({ type: "reply", request, result });
  }

  replyBeforeDurable(request: Request, result: OperationResult): void {
    this.earlyWords.push({ type: "reply", request, result });
  }

  replyScan(task: ScanTask, page: ScanPage): void {
    this.words.push({ type: "reply-scan", task, page });
  }

  refuse(request: Request | ScanTask, fault: CapstanError): void {
    this.deeds.push({ type: "refuse", request, fault });
  }

  get isWatched(): boolean {
    return this.#replicaCell("isWatched").isWatched;
  }

  change(change: MachineChange): void {
    const cell = this.#replicaCell("change");
    if (change.position === undefined && !cell.isWatched) return;
    this.words.push({ type: "change", change });
  }

  caughtUp(token: number, isSo: boolean): void {
    this.#replicaCell("caughtUp");
    this.words.push({ type: "caught-up", token, isSo });
  }

  placed(map: ShardMap): void {
    this.#replicaCell("placed");
    this.deeds.push({ type: "placed", map });
  }

  setTimer(timer: string, delayMs: number): void {
    this.deeds.push({ type: "set-timer", timer, delayMs });
  }

  cancelTimer(timer: string): void {
    this.deeds.push({ type: "cancel-timer", timer });
  }

  setDeadline(request: Request | ScanTask, deadlineMs: number): void {
    this.deeds.push({ type: "deadline", request, deadlineMs });
  }

  emit(notice: MachineNotice): void {
    this.deeds.push({ type: "emit", notice });
  }

  recordFact(fact: Fact): void {
    this.deeds.push({ type: "fact", fact });
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#read("data", key);
  }

  getSide(key: Uint8Array): Uint8Array | undefined {
    return this.#read("side", key);
  }

  range(
    from: Uint8Array | undefined,
    to: Uint8Array | undefined,
    limitBytes: number,
    limitEntries?: number,
  ): StateRange {
    this.#refuseOwnWrites("range");
    return this.#replicaCell("range").state.range(from, to, limitBytes, limitEntries);
  }

  rangeSide(
    from: Uint8Array | undefined,
    to: Uint8Array | undefined,
    limitBytes: number,
  ): readonly StateEntry[] {
    this.#refuseOwnWrites("rangeSide");
    return this.#replicaCell("rangeSide").state.rangeSide(from, to, limitBytes);
  }

  openView(): StateViewHandle {
    return this.#replicaCell("openView").state.openView();
  }

  #read(space: Space, key: Uint8Array): Uint8Array | undefined {
    const cell = this.#replicaCell("get");
    this.#refuseAfterSwitch("get");
    if (this.mutations.length > 0) {
      const pending = this.#indexPending();
      const text = pendingKey(space, key);
      if (pending.has(text)) return pending.get(text);
    }
    return space === "data" ? cell.state.get(key) : cell.state.getSide(key);
  }

  /** Few steps read after they wrote, so the index is made only by those that do. */
  #indexPending(): Map<string, Uint8Array | undefined> {
    this.#pending ??= new Map();
    for (; this.#pendingUpTo < this.mutations.length; this.#pendingUpTo++) {
      const mutation = this.mutations[this.#pendingUpTo] as StateMutation;
      if (mutation.type !== "put" && mutation.type !== "delete") continue;
      if (mutation.generation !== undefined) continue;
      const value = mutation.type === "put" ? mutation.value : undefined;
      this.#pending.set(pendingKey(mutation.space, mutation.key), value);
    }
    return this.#pending;
  }

  /** A range over one's own pending writes would need a merge that no machine asks for. */
  #refuseOwnWrites(call: string): void {
    if (this.mutations.length > 0) throw new Error(`${call} must come before the step's writes`);
  }

  #refuseAfterSwitch(call: string): void {
    if (this.switchesGeneration) throw new Error(`${call} must come before switchToNext`);
  }

  #cut(type: LogCut["type"], last: LogSequence): void {
    this.logWorks.push({ type, last });
    this.#lastSequence = last;
  }

  #putNext(call: string, space: Space, key: Uint8Array, value: Uint8Array): void {
    const { shardId: shard } = this.#buildingCell(call);
    this.mutations.push({ type: "put", shard, space, key, value, generation: NEXT_GENERATION });
  }

  #buildingCell(call: string): MachineCell {
    const cell = this.#laterCell(call);
    const isBuilding = this.beginsGeneration || cell.buildingGeneration !== undefined;
    if (!isBuilding || this.dropsGeneration || this.switchesGeneration) {
      throw new Error(`${call} without beginNext`);
    }
    this.#buildsGeneration = true;
    return cell;
  }

  #laterCell(call: string): MachineCell {
    const cell = this.#replicaCell(call);
    if (cell.replica?.appliesLater === true) return cell;
    throw new Error(`${call} is for machines that apply later than they append`);
  }

  #mutate(space: Space, key: Uint8Array, value: Uint8Array | undefined): void {
    const { shardId: shard, state } = this.#replicaCell("put");
    const text = state.textOf(key);
    this.mutations.push(
      value === undefined
        ? { type: "delete", shard, space, key, text }
        : { type: "put", shard, space, key, value, text },
    );
  }

  #replicaCell(call: string): MachineCell {
    const cell = this.#cell;
    if (cell === undefined) throw new Error(`${call} outside a step`);
    if (cell.role !== "replica")
      throw new Error(`${call} is for replicas; a coordinator called it`);
    return cell;
  }
}

/**
 * A step leaves few entries, and the arrays are filled again at once: popping keeps their memory,
 * where `length = 0` would drop it, at several times the cost.
 */
function empty(list: unknown[]): void {
  if (list.length > FEW) list.length = 0;
  else while (list.length > 0) list.pop();
}

function pendingKey(space: Space, key: Uint8Array): string {
  return space + Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
}
