import type {
  Effects,
  MachineNotice,
  MachineRole,
  Request,
  ScanTask,
  ShardMap,
  StateViewHandle,
} from "../../src/core/contracts/machine.ts";
import type { StateEntry, StateRange } from "../../src/core/contracts/storage.ts";
import type { CapstanError } from "../../src/core/model/errors.ts";
import type { LogSequence, NodeId } from "../../src/core/model/ids.ts";
import type { OperationResult, ScanPage } from "../../src/core/model/operations.ts";
import type { LeaderlessMessage } from "../../src/strategies/leaderless/messages.ts";
import { splitPayload, stampOf } from "../../src/strategies/leaderless/record.ts";
import { showMessage, showResult } from "./show.ts";
import { showRecord, showStamp } from "./stamp-text.ts";

/** Writes down what a machine does, one line each; its state is a sorted map that it sees at once. */
export class RecordingEffects implements Effects<LeaderlessMessage> {
  readonly lines: string[] = [];
  readonly #data = new Map<string, Uint8Array>();
  readonly #side = new Map<string, Uint8Array>();
  readonly #kept = new Map<string, Uint8Array>();
  #appended = 0;

  append(payload: Uint8Array): LogSequence {
    const { key, record } = splitPayload(payload);
    this.#say(`append ${Buffer.from(key)} ${showStamp(stampOf(record))}`);
    return ++this.#appended as LogSequence;
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#data.set(textOf(key), value);
    this.#say(`put ${Buffer.from(key)} ${showRecord(value)}`);
  }

  delete(key: Uint8Array): void {
    this.#data.delete(textOf(key));
    this.#say(`delete ${Buffer.from(key)}`);
  }

  putSide(key: Uint8Array, value: Uint8Array): void {
    this.#side.set(textOf(key), value);
    this.#say(`put side ${Buffer.from(key)}`);
  }

  deleteSide(key: Uint8Array): void {
    if (this.#side.delete(textOf(key))) this.#say(`delete side ${Buffer.from(key)}`);
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#data.get(textOf(key));
  }

  /** The state of a transcript is durable at once. */
  isDurable(): boolean {
    return true;
  }

  getSide(key: Uint8Array): Uint8Array | undefined {
    return this.#side.get(textOf(key));
  }

  range(from: Uint8Array | undefined, to: Uint8Array | undefined, limitBytes: number): StateRange {
    const entries: StateEntry[] = [];
    let bytes = 0;
    for (const text of [...this.#data.keys()].sort()) {
      const key = Buffer.from(text, "latin1");
      if (from !== undefined && Buffer.compare(key, from) < 0) continue;
      if (to !== undefined && Buffer.compare(key, to) >= 0) continue;
      const value = this.#data.get(text) as Uint8Array;
      bytes += key.length + value.length;
      if (bytes > limitBytes && entries.length > 0) return { entries, more: true };
      entries.push({ key, value });
    }
    return { entries, more: false };
  }

  rangeSide(): readonly StateEntry[] {
    return [];
  }

  openView(): StateViewHandle {
    throw new Error("no transcript opens a view");
  }

  send(node: NodeId, role: MachineRole, _shard: number, message: LeaderlessMessage): void {
    this.#say(`send ${node} ${role} ${showMessage(message)}`);
  }

  sendBeforeDurable(
    node: NodeId,
    role: MachineRole,
    _shard: number,
    message: LeaderlessMessage,
  ): void {
    this.#say(`send early ${node} ${role} ${showMessage(message)}`);
  }

  reply(request: Request, result: OperationResult): void {
    this.#say(`reply ${request.id} ${showResult(result)}`);
  }

  replyBeforeDurable(request: Request, result: OperationResult): void {
    this.#say(`reply early ${request.id} ${showResult(result)}`);
  }

  replyScan(task: ScanTask, page: ScanPage): void {
    this.#say(`reply scan ${task.id} ${page.entries.length} entries`);
  }

  refuse(request: Request | ScanTask, fault: CapstanError): void {
    const id = fault.operationId === undefined ? "" : " with an operation id";
    this.#say(`refuse ${request.id} ${fault.code} ${fault.outcome}${id}: ${fault.message}`);
  }

  recordFact(): void {
    // Not of the protocol.
  }

  placed({ epoch, replicas, pending, leaving }: ShardMap): void {
    const changing = pending === undefined ? "" : ` pending ${pending.join(",")}`;
    const left = leaving === undefined ? "" : ` leaving ${leaving.join(",")}`;
    this.#say(`placed ${epoch} ${replicas.join(",")}${changing}${left}`);
  }

  get isWatched(): boolean {
    return false;
  }

  change(): void {
    this.#say("change");
  }

  caughtUp(token: number, isSo: boolean): void {
    this.#say(`caught up ${token}: ${isSo}`);
  }

  setTimer(timer: string, delayMs: number): void {
    this.#say(`timer ${timer} in ${delayMs} ms`);
  }

  cancelTimer(timer: string): void {
    this.#say(`no timer ${timer}`);
  }

  setDeadline(request: Request | ScanTask, deadlineMs: number): void {
    this.#say(`deadline of ${request.id} at ${deadlineMs}`);
  }

  emit({ type, ...fields }: MachineNotice): void {
    this.#say(`emit ${type} ${JSON.stringify(fields)}`);
  }

  putFact(): void {
    throw new Error("no transcript keeps facts");
  }

  keep(name: string, value: Uint8Array | undefined): void {
    if (value === undefined) {
      if (this.#kept.delete(name)) this.#say(`keep ${name} no more`);
    } else {
      this.#kept.set(name, value);
      this.#say(`keep ${name}`);
    }
  }

  kept(name: string): Uint8Array | undefined {
    return this.#kept.get(name);
  }

  applied(): void {
    throw new Error("no transcript applies later");
  }

  resetLog(): void {
    throw new Error("no transcript resets the log");
  }

  truncateSuffix(): void {
    throw new Error("no transcript truncates");
  }

  releaseLog(): void {
    throw new Error("no transcript releases the log");
  }

  readLog(): void {
    throw new Error("no transcript reads the log");
  }

  beginNext(): void {
    throw new Error("no transcript begins a generation");
  }

  putNext(): void {
    throw new Error("no transcript builds a generation");
  }

  putSideNext(): void {
    throw new Error("no transcript builds a generation");
  }

  dropNext(): void {
    throw new Error("no transcript builds a generation");
  }

  switchToNext(): void {
    throw new Error("no transcript switches generations");
  }

  atTurnEnd(): void {
    throw new Error("no transcript waits for the end of a turn");
  }

  #say(line: string): void {
    this.lines.push(line);
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}
