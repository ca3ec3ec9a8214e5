import {
  type Clocks,
  type CoordinatorContext,
  type CoordinatorMachine,
  type Effects,
  isScan,
  type MachineEvent,
  type Request,
  type ScanTask,
  type Sender,
} from "../../core/contracts/machine.ts";
import { CapstanError } from "../../core/model/errors.ts";
import type { Level } from "../../core/model/levels.ts";
import {
  decodeOperationId,
  encodeOperationId,
  keyspaceHashOfOperationId,
} from "../../core/model/operation-id.ts";
import type {
  Operation,
  OperationResult,
  ReadResult,
  ScanEntry,
} from "../../core/model/operations.ts";
import type { Receipt } from "../../core/model/receipt.ts";
import type { ShardLack } from "../../core/model/shard-lack.ts";
import { compareStamps } from "../../core/model/stamp.ts";
import { versionTokenOf } from "../../core/model/version-token.ts";
import { isEveryShardAble } from "../leaderless/able-replicas.ts";
import { type DemandSide, Demands } from "../leaderless/demand.ts";
import { ExpiryView } from "../leaderless/expiry-view.ts";
import { deadlineOfLevel } from "../leaderless/level-settings.ts";
import type { LeaderlessMessage, WriteAck } from "../leaderless/messages.ts";
import { withJointPlacements } from "../leaderless/place/joint-placement.ts";
import { PlaceFlow } from "../leaderless/place/place-flow.ts";
import { HEDGE_TIMER } from "../leaderless/reads/hedges.ts";
import { readLocally } from "../leaderless/reads/local-read.ts";
import { ScanFlow } from "../leaderless/reads/scan-flow.ts";
import { type AbleContext, RebuildingPeers } from "../leaderless/rebuilding-peers.ts";
import { type KeyedRecord, liveValueOf, stampOf } from "../leaderless/record.ts";
import { RoundIds } from "../leaderless/round-ids.ts";
import { shardLack } from "../leaderless/shard-lack.ts";
import { stampedRules } from "../leaderless/stamped-rules.ts";
import { SweepTimer } from "../leaderless/sweep-timer.ts";
import { readResultOf } from "./pending-read.ts";
import { NO_PLANTED_BUGS, type PlantedBugs } from "./planted-bugs.ts";
import { ReadFlow } from "./read-flow.ts";
import { markOfRecord, shownInSession } from "./session-stamps.ts";
import { TUNABLE_LEVELS, type TunableSettings } from "./settings.ts";
import { UsedIds } from "./used-ids.ts";
import { WriteFlow } from "./write-flow.ts";

type Fx = Effects<LeaderlessMessage>;

/** Sees client operations of a tunable keyspace through, from one node. Keeps nothing durable. */
export class TunableCoordinator implements CoordinatorMachine<LeaderlessMessage> {
  readonly #context: CoordinatorContext;
  readonly #settings: TunableSettings;
  readonly #writes: WriteFlow;
  readonly #reads: ReadFlow;
  readonly #scans: ScanFlow;
  readonly #usedIds = new UsedIds();
  readonly #planted: PlantedBugs;
  readonly #demands: Demands;
  readonly #places: PlaceFlow;
  readonly #expiries: ExpiryView;
  readonly #sweeps: SweepTimer;
  readonly #rebuilding = new RebuildingPeers();

  constructor(given: CoordinatorContext, planted: PlantedBugs = NO_PLANTED_BUGS) {
    const context: AbleContext = {
      ...withJointPlacements(given, planted.countedOnNewOnly),
      rebuilding: this.#rebuilding,
    };
    this.#context = context;
    this.#planted = planted;
    this.#settings = context.settings as unknown as TunableSettings;
    const rounds = new RoundIds(context);
    const next = () => rounds.next();
    this.#places = new PlaceFlow(given, next, planted);
    this.#demands = new Demands(context, planted.eachCountedOverAll);
    this.#expiries = new ExpiryView(stampedRules, context.clock, planted);
    this.#writes = new WriteFlow({
      ...{ context, settings: this.#settings, demands: this.#demands, planted },
      nextRoundId: next,
    });
    this.#reads = new ReadFlow(
      context,
      this.#settings,
      next,
      this.#demands,
      planted,
      this.#expiries,
    );
    this.#scans = new ScanFlow(
      context,
      {
        partitionPolicy: this.#settings.partitionPolicy,
        levels: TUNABLE_LEVELS,
        rules: stampedRules,
        entryOf: scanEntryOf,
        expiries: this.#expiries,
      },
      next,
      this.#demands,
    );
    this.#sweeps = new SweepTimer([
      ...[this.#writes, this.#reads, this.#scans, this.#places, this.#rebuilding],
    ]);
  }

  step(event: MachineEvent<LeaderlessMessage>, effects: Fx): void {
    const { nowMs, wallMs } = event;
    this.#expiries.wallMs = wallMs;
    switch (event.type) {
      case "operation":
        this.#onOperation(event.request, nowMs, wallMs, effects);
        break;
      case "message":
        this.#onMessage(event.from, event.shardIndex, event.message, nowMs, wallMs, effects);
        break;
      case "scan":
        this.#scans.start(event.task, nowMs, this.#deadlineOf(event.task, nowMs), effects);
        break;
      case "deadline":
        this.#onDeadline(event.request, nowMs, effects);
        break;
      case "aborted":
        this.#onAborted(event.request, nowMs, effects);
        break;
      case "identity":
        this.#writes.onIdentity(event.peer.node);
        this.#reads.onIdentity(event.peer.node);
        this.#places.onIdentity(event.peer.node);
        this.#rebuilding.onIdentity(event.peer.node);
        return;
      case "map":
        this.#writes.onMap(event.shardIndex, nowMs, effects);
        this.#reads.onMap(event.shardIndex, nowMs, effects);
        this.#scans.onMap(event.shardIndex, nowMs, effects);
        break;
      case "timer":
        if (event.timer === HEDGE_TIMER) {
          this.#reads.hedge(nowMs, effects);
          return;
        }
        this.#sweeps.fired();
        this.#writes.sweep(nowMs, effects);
        this.#reads.sweep(nowMs, effects);
        this.#scans.sweep(nowMs, effects);
        this.#places.sweep(nowMs, effects);
        this.#rebuilding.sweep(nowMs);
        break;
      default:
        return;
    }
    this.#sweeps.arm(nowMs, effects);
  }

  readNow(operation: Operation, clocks: Clocks): OperationResult | undefined {
    const read = readLocally(this.#context, operation, this.#expiries, clocks);
    if (read === undefined) return undefined;
    const { record, receipt } = read;
    if (operation.options?.session === undefined) return readResultOf(record, receipt);
    const shown = shownInSession(operation, record);
    return shown === undefined ? undefined : this.#inSession(operation, shown.record, receipt);
  }

  mintOperationId(_nowMs: number, wallMs: number): string {
    const stamp = this.#context.clock.mint(wallMs);
    return encodeOperationId({ keyspaceHash: this.#context.keyspaceHash, stamp, key: undefined });
  }

  operationIdOf(request: Request): string | undefined {
    return this.#writes.operationIdOf(request);
  }

  isReady(level: Level): boolean {
    return isEveryShardAble(this.#context, this.#demands, level);
  }

  lackOf(shardIndex: number, level: Level, side: DemandSide): ShardLack | undefined {
    const { partitionPolicy } = this.#settings;
    return shardLack(this.#context, this.#demands, partitionPolicy, { shardIndex, level, side });
  }

  describe(): Readonly<Record<string, unknown>> {
    return {
      writes: this.#writes.size,
      reads: this.#reads.size,
      scans: this.#scans.size,
      ...this.#reads.describe(),
      read: this.#settings.read,
      write: this.#settings.write,
      partitionPolicy: this.#settings.partitionPolicy,
    };
  }

  #onOperation(request: Request, nowMs: number, wallMs: number, effects: Fx): void {
    const { operation } = request;
    switch (operation.type) {
      case "put":
      case "delete":
        if (this.#isUsedElsewhere(operation)) effects.refuse(request, otherKey(operation));
        else this.#writes.start(request, nowMs, wallMs, effects);
        return;
      case "get": {
        const { key, shardIndex, level } = operation;
        const deadlineMs = operation.deadlineMs ?? nowMs + this.#deadlineForLevel(level);
        this.#reads.start(
          request,
          { key, shardIndex, level },
          { nowMs, deadlineMs },
          {
            found: (record, receipt, fx) =>
              fx.reply(request, this.#inSession(operation, record, receipt)),
            failed: (fault, fx) => fx.refuse(request, fault),
          },
          effects,
        );
        return;
      }
      case "resolve":
        this.#resolve(request, nowMs, effects);
        return;
      case "members":
        this.#places.start(request, nowMs, effects);
        return;
      default:
        effects.refuse(
          request,
          new CapstanError(
            "NOT_SUPPORTED",
            `keyspace ${this.#context.keyspace} (strategy tunable) does not offer ${operation.type}`,
          ),
        );
    }
  }

  /** The result, with what the session has seen by it. */
  #inSession(
    { key, options }: Operation,
    record: Uint8Array | undefined,
    receipt: Receipt,
  ): ReadResult {
    const result = readResultOf(record, receipt);
    if (options?.session === undefined) return result;
    const seen = this.#planted.sessionForgetsReads === true ? undefined : record;
    return { ...result, session: markOfRecord(key, seen) };
  }

  /** Whether the operation's id was used for another key, as far as this node knows. */
  #isUsedElsewhere({ operationId, key, shardIndex }: Operation): boolean {
    if (operationId === undefined) return false;
    const used = this.#usedIds.find(operationId);
    if (used !== undefined && Buffer.compare(used.key, key) !== 0) return true;
    this.#usedIds.remember(operationId, key, shardIndex);
    return false;
  }

  /**
   * `applied` only where a majority holds the write now, which a strong read of its key shows
   * (and brings about). A newer version says nothing of whether this one was ever there.
   */
  #resolve(request: Request, nowMs: number, effects: Fx): void {
    const operationId = request.operation.operationId as string;
    const unknown = (fx: Fx) => fx.reply(request, { outcome: "unknown" });
    if (keyspaceHashOfOperationId(operationId) !== this.#context.keyspaceHash) {
      unknown(effects);
      return;
    }
    const id = decodeOperationId(operationId);
    const used = this.#usedIds.find(operationId);
    const key = id.key ?? used?.key;
    const shardIndex = used?.shardIndex ?? this.#context.shardOf(key ?? new Uint8Array(0));
    if (key === undefined) {
      unknown(effects);
      return;
    }
    const deadlineMs = request.operation.deadlineMs ?? nowMs + this.#settings.deadlinesMs.all;
    this.#reads.start(
      request,
      { key, shardIndex, level: "strong" },
      { nowMs, deadlineMs },
      {
        found: (record, _receipt, fx) => {
          const here = record !== undefined && compareStamps(stampOf(record), id.stamp) === 0;
          fx.reply(request, { outcome: here ? "applied" : "unknown" });
        },
        failed: (_fault, fx) => unknown(fx),
      },
      effects,
    );
  }

  #onMessage(
    from: Sender,
    shardIndex: number,
    message: LeaderlessMessage,
    nowMs: number,
    wallMs: number,
    effects: Fx,
  ): void {
    switch (message.type) {
      case "standing":
        this.#rebuilding.onStanding(from, shardIndex, message, nowMs);
        break;
      case "write-ack":
        if (message.serving) this.#rebuilding.onServing(from.node, shardIndex);
        this.#onAck(from, message, message.requestId, nowMs, wallMs, effects);
        if (message.others === undefined) break;
        for (const id of message.others) this.#onAck(from, message, id, nowMs, wallMs, effects);
        break;
      case "read-reply":
        if (message.serving) this.#rebuilding.onServing(from.node, shardIndex);
        if (!this.#writes.onStamp(from, message, nowMs, wallMs, effects)) {
          this.#reads.onReply(from, message, nowMs, effects);
        }
        break;
      case "range-reply":
        this.#scans.onReply(from, shardIndex, message, nowMs, effects);
        break;
      default:
        if (message.type === "place-map") {
          this.#writes.onOutdated(from, message.requestId, nowMs, effects);
        }
        this.#places.onMessage(from, shardIndex, message, nowMs, effects);
        break;
    }
  }

  #onAck(
    from: Sender,
    ack: WriteAck,
    requestId: number,
    nowMs: number,
    wallMs: number,
    effects: Fx,
  ): void {
    if (!this.#writes.onAck(from, ack, requestId, nowMs, wallMs, effects)) {
      this.#reads.onAck(from, ack, requestId, nowMs, effects);
    }
  }

  #onDeadline(late: Request | ScanTask, nowMs: number, effects: Fx): void {
    if (isScan(late)) {
      this.#scans.onDeadline(late, nowMs, effects);
    } else if (this.#places.onDeadline(late, effects)) {
      return;
    } else if (!this.#writes.onDeadline(late, nowMs, effects)) {
      this.#reads.onDeadline(late, nowMs, effects);
    }
  }

  #onAborted(given: Request | ScanTask, nowMs: number, effects: Fx): void {
    if (isScan(given)) this.#scans.onAborted(given, effects);
    else if (this.#places.onAborted(given, effects)) return;
    else if (!this.#writes.onAborted(given, nowMs, effects)) this.#reads.onAborted(given, effects);
  }

  #deadlineOf(task: ScanTask, nowMs: number): number {
    return task.request.deadlineMs ?? nowMs + this.#deadlineForLevel(task.request.level);
  }

  #deadlineForLevel(level: Level): number {
    return deadlineOfLevel(level, this.#settings.deadlinesMs);
  }
}

function otherKey({ operationId }: Operation): CapstanError {
  return new CapstanError(
    "OPERATION_ID_REUSED",
    `operation id ${operationId} was used for another key`,
  );
}

function scanEntryOf({ key, record }: KeyedRecord): ScanEntry {
  return {
    key,
    value: liveValueOf(record),
    siblings: undefined,
    version: versionTokenOf(stampOf(record)),
  };
}
