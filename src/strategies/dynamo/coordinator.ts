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
import type { Operation, OperationResult, ReadResult } from "../../core/model/operations.ts";
import type { ShardLack } from "../../core/model/shard-lack.ts";
import { isEveryShardAble } from "../leaderless/able-replicas.ts";
import { type DemandSide, Demands } from "../leaderless/demand.ts";
import { ExpiryView } from "../leaderless/expiry-view.ts";
import { deadlineOfLevel } from "../leaderless/level-settings.ts";
import { withJointPlacements } from "../leaderless/place/joint-placement.ts";
import { PlaceFlow } from "../leaderless/place/place-flow.ts";
import { HEDGE_TIMER } from "../leaderless/reads/hedges.ts";
import { readLocally } from "../leaderless/reads/local-read.ts";
import { ScanFlow } from "../leaderless/reads/scan-flow.ts";
import { type AbleContext, RebuildingPeers } from "../leaderless/rebuilding-peers.ts";
import type { RecordRules } from "../leaderless/record-rules.ts";
import { RoundIds } from "../leaderless/round-ids.ts";
import { shardLack } from "../leaderless/shard-lack.ts";
import { SweepTimer } from "../leaderless/sweep-timer.ts";
import { ContextTokens } from "./context-token.ts";
import { makeDottedRules } from "./dotted-rules.ts";
import type { DynamoMessage, MintedMessage } from "./messages.ts";
import { NO_PLANTED_DYNAMO_BUGS, type PlantedDynamoBugs } from "./planted-bugs.ts";
import { ReadFlow } from "./read-flow.ts";
import { RecordReader } from "./read-result.ts";
import { hasAllSeen, markOfRecord } from "./session-contexts.ts";
import { DYNAMO_LEVELS, type DynamoSettings } from "./settings.ts";
import { settlementOf } from "./settlement.ts";
import { WriteFlow } from "./write-flow.ts";
import { WriteIntents } from "./write-intent.ts";

type Fx = Effects<DynamoMessage>;

/** Sees client operations of a dynamo keyspace through, from one node. Keeps nothing durable. */
export class DynamoCoordinator implements CoordinatorMachine<DynamoMessage> {
  readonly #context: CoordinatorContext;
  readonly #settings: DynamoSettings;
  readonly #reader: RecordReader;
  readonly #intents: WriteIntents;
  readonly #expiries: ExpiryView;
  readonly #writes: WriteFlow;
  readonly #reads: ReadFlow;
  readonly #scans: ScanFlow;
  /** `resolve` requests that wait for what a minter remembers. */
  readonly #recalls = new Map<number, Request>();
  readonly #demands: Demands;
  readonly #places: PlaceFlow;
  readonly #sweeps: SweepTimer;
  readonly #rounds: RoundIds;
  readonly #rebuilding = new RebuildingPeers();

  constructor(given: CoordinatorContext, planted: PlantedDynamoBugs = NO_PLANTED_DYNAMO_BUGS) {
    const context: AbleContext = {
      ...withJointPlacements(given, planted.countedOnNewOnly),
      rebuilding: this.#rebuilding,
    };
    const settings = context.settings as unknown as DynamoSettings;
    const settlement = settlementOf(settings.resolver);
    const rules: RecordRules = makeDottedRules(settlement, { planted });
    const tokens = new ContextTokens(context.keyspace, context.keyspaceHash, context.clusterKey);
    const nextRoundId = () => this.#rounds.next();
    this.#rounds = new RoundIds(context);
    this.#expiries = new ExpiryView(rules, context.clock, planted);
    this.#context = context;
    this.#settings = settings;
    this.#reader = new RecordReader(settlement, tokens);
    this.#intents = new WriteIntents(context, settlement, tokens);
    this.#places = new PlaceFlow(given, nextRoundId, planted);
    this.#demands = new Demands(context, planted.eachCountedOverAll);
    const shared = { context, settings, nextRoundId, demands: this.#demands };
    this.#writes = new WriteFlow({ ...shared, tokens, intents: this.#intents, planted });
    this.#reads = new ReadFlow({
      ...shared,
      rules,
      reader: this.#reader,
      expiries: this.#expiries,
      planted,
    });
    const { partitionPolicy } = settings;
    const scans = {
      partitionPolicy,
      levels: DYNAMO_LEVELS,
      rules,
      entryOf: this.#reader.entryOf.bind(this.#reader),
      expiries: this.#expiries,
    };
    this.#scans = new ScanFlow(context, scans, nextRoundId, this.#demands);
    this.#sweeps = new SweepTimer([
      ...[this.#writes, this.#reads, this.#scans, this.#places, this.#rebuilding],
    ]);
  }

  step(event: MachineEvent<DynamoMessage>, effects: Fx): void {
    const { nowMs, wallMs } = event;
    this.#expiries.wallMs = wallMs;
    switch (event.type) {
      case "operation":
        this.#onOperation(event.request, nowMs, wallMs, effects);
        break;
      case "message":
        this.#onMessage(event.from, event.shardIndex, event.message, nowMs, effects);
        break;
      case "scan":
        this.#scans.start(event.task, nowMs, this.#deadlineOf(event.task, nowMs), effects);
        break;
      case "deadline":
        this.#onDeadline(event.request, nowMs, effects);
        break;
      case "aborted":
        this.#onAborted(event.request, effects);
        return;
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
    this.#reader.failures.tell(nowMs, effects);
    this.#sweeps.arm(nowMs, effects);
  }

  readNow(operation: Operation, clocks: Clocks): OperationResult | undefined {
    const read = readLocally(this.#context, operation, this.#expiries, clocks);
    if (read === undefined) return undefined;
    const { key, options } = operation;
    let result: ReadResult;
    try {
      result = this.#reader.resultOf(key, read.record, read.receipt);
    } catch (error) {
      if (!(error instanceof CapstanError)) throw error;
      // Asked for with a promise, it is refused with the reason.
      return undefined;
    }
    if (options?.session === undefined) return result;
    if (!hasAllSeen(key, options.session, read.record, true)) return undefined;
    return { ...result, session: markOfRecord(key, read.record) };
  }

  mintOperationId(_nowMs: number, wallMs: number): string {
    return this.#intents.mintOperationId(wallMs);
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
    const { read, write, partitionPolicy, resolver } = this.#settings;
    return {
      writes: this.#writes.size,
      reads: this.#reads.size,
      scans: this.#scans.size,
      ...this.#reads.describe(),
      read,
      write,
      partitionPolicy,
      resolver: resolver?.name ?? "none",
    };
  }

  #onOperation(request: Request, nowMs: number, wallMs: number, effects: Fx): void {
    switch (request.operation.type) {
      case "put":
      case "delete":
      case "update":
        this.#writes.start(request, nowMs, wallMs, effects);
        return;
      case "get":
        this.#reads.start(request, nowMs, effects);
        return;
      case "resolve":
        this.#resolve(request, effects);
        return;
      case "members":
        this.#places.start(request, nowMs, effects);
        return;
      default:
        effects.refuse(
          request,
          new CapstanError(
            "NOT_SUPPORTED",
            `keyspace ${this.#context.keyspace} (strategy dynamo) does not offer ` +
              request.operation.type,
          ),
        );
    }
  }

  /** `applied` only where the minter remembers the write, and holds it durably. */
  #resolve(request: Request, effects: Fx): void {
    const used = this.#usedBy(request.operation.operationId as string);
    if (used === undefined || !this.#context.isReachable(used.minter)) {
      effects.reply(request, { outcome: "unknown" });
      return;
    }
    const requestId = this.#rounds.next();
    this.#recalls.set(requestId, request);
    effects.send(used.minter, "replica", this.#context.shardOf(used.key), {
      type: "recall",
      requestId,
      operation: used.stamp,
    });
  }

  #usedBy(operationId: string) {
    try {
      return this.#intents.find(operationId);
    } catch (error) {
      if (error instanceof CapstanError) return undefined;
      throw error;
    }
  }

  #onRecalled(message: MintedMessage, effects: Fx): void {
    const request = this.#recalls.get(message.requestId);
    if (request === undefined) return;
    this.#recalls.delete(message.requestId);
    effects.reply(request, { outcome: message.verdict === "known" ? "applied" : "unknown" });
  }

  #onMessage(
    from: Sender,
    shardIndex: number,
    message: DynamoMessage,
    nowMs: number,
    effects: Fx,
  ): void {
    switch (message.type) {
      case "minted":
        if (!this.#writes.onMinted(from, message, nowMs, effects)) {
          this.#onRecalled(message, effects);
        }
        break;
      case "standing":
        this.#rebuilding.onStanding(from, shardIndex, message, nowMs);
        break;
      case "write-ack":
        if (message.serving) this.#rebuilding.onServing(from.node, shardIndex);
        this.#writes.onAck(from, message, message.requestId, nowMs, effects);
        if (message.others === undefined) break;
        for (const id of message.others) this.#writes.onAck(from, message, id, nowMs, effects);
        break;
      case "gap":
        this.#writes.onGap(from, message, effects);
        break;
      case "read-reply":
        if (message.serving) this.#rebuilding.onServing(from.node, shardIndex);
        this.#reads.onReply(from, message, nowMs, effects);
        break;
      case "range-reply":
        this.#scans.onReply(from, shardIndex, message, nowMs, effects);
        break;
      case "mint":
      case "recall":
      case "delta":
      case "at-epoch":
        break;
      default:
        this.#places.onMessage(from, shardIndex, message, nowMs, effects);
        break;
    }
  }

  #onDeadline(late: Request | ScanTask, nowMs: number, effects: Fx): void {
    if (isScan(late)) this.#scans.onDeadline(late, nowMs, effects);
    else if (this.#places.onDeadline(late, effects)) return;
    else if (!this.#endRecall(late, effects) && !this.#writes.onDeadline(late, nowMs, effects)) {
      this.#reads.onDeadline(late, nowMs, effects);
    }
  }

  #onAborted(given: Request | ScanTask, effects: Fx): void {
    if (isScan(given)) this.#scans.onAborted(given, effects);
    else if (this.#places.onAborted(given, effects)) return;
    else if (!this.#endRecall(given, effects) && !this.#writes.onAborted(given, effects)) {
      this.#reads.onAborted(given, effects);
    }
  }

  #endRecall(request: Request, effects: Fx): boolean {
    for (const [requestId, waiting] of this.#recalls) {
      if (waiting !== request) continue;
      this.#recalls.delete(requestId);
      effects.reply(request, { outcome: "unknown" });
      return true;
    }
    return false;
  }

  #deadlineOf(task: ScanTask, nowMs: number): number {
    const { level, deadlineMs } = task.request;
    return deadlineMs ?? nowMs + deadlineOfLevel(level, this.#settings.deadlinesMs);
  }
}
