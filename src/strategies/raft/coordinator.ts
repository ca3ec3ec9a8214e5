import type {
  Clocks,
  CoordinatorContext,
  CoordinatorMachine,
  Effects,
  MachineEvent,
  Request,
  ScanTask,
} from "../../core/contracts/machine.ts";
import { CapstanError } from "../../core/model/errors.ts";
import type { Level } from "../../core/model/levels.ts";
import type { Operation, OperationResult } from "../../core/model/operations.ts";
import type { ShardLack } from "../../core/model/shard-lack.ts";
import type { RaftMessage } from "./client-messages.ts";
import { Errands } from "./errands.ts";
import { MembersFlow, PendingMembers } from "./members-flow.ts";
import { OperationSessions } from "./operation-sessions.ts";
import { PairHeartbeats, type PairPorts } from "./pair-heartbeats.ts";
import { Pairs } from "./pairs.ts";
import type { PlantedReplicaBugs } from "./planted-bugs.ts";
import { PendingRead, ReadFlow } from "./read-flow.ts";
import { wayOf } from "./read-results.ts";
import { PendingResolve, ResolveFlow } from "./resolve-flow.ts";
import { ScanFlow } from "./scan-flow.ts";
import type { RaftSettings } from "./settings.ts";
import { PendingWrite, WriteFlow } from "./write-flow.ts";

const SWEEP_TIMER = "sweep";
const SWEEP_MS = 10;
const PAIRS_TIMER = "pairs";

type Fx = Effects<RaftMessage>;

/** Sees client operations of a raft keyspace through, from one node. Keeps nothing durable. */
export class RaftCoordinator implements CoordinatorMachine<RaftMessage> {
  readonly #context: CoordinatorContext;
  readonly #settings: RaftSettings;
  readonly #errands: Errands;
  readonly #sessions: OperationSessions;
  readonly #writes: WriteFlow;
  readonly #reads: ReadFlow;
  readonly #scans: ScanFlow;
  readonly #resolves: ResolveFlow;
  readonly #members: MembersFlow;
  readonly #pairs: PairHeartbeats | undefined;
  #isSweeping = false;

  constructor(context: CoordinatorContext, planted?: PlantedReplicaBugs) {
    this.#context = context;
    this.#settings = context.settings as unknown as RaftSettings;
    const { timing, sessionLifetimeMs } = this.#settings;
    this.#errands = new Errands(context, timing.electionTimeoutMs, planted);
    this.#sessions = new OperationSessions(context, sessionLifetimeMs);
    this.#writes = new WriteFlow(context, this.#errands, this.#sessions);
    this.#reads = new ReadFlow(context, this.#errands);
    this.#scans = new ScanFlow(context, this.#errands);
    this.#resolves = new ResolveFlow(context, this.#errands);
    this.#members = new MembersFlow(context, this.#errands);
    const { shared } = context;
    this.#pairs = shared instanceof Pairs ? new PairHeartbeats(shared, timing) : undefined;
  }

  step(event: MachineEvent<RaftMessage>, effects: Fx): void {
    switch (event.type) {
      case "operation":
        this.#onOperation(event.request, event.nowMs, event.wallMs, effects);
        break;
      case "message":
        this.#onMessage(event, effects);
        break;
      case "scan":
        this.#scans.start(event.task, event.nowMs, effects);
        break;
      case "deadline":
        this.#onDeadline(event.request, effects);
        return;
      case "aborted":
        this.#onAborted(event.request, effects);
        return;
      case "timer":
        if (event.timer === PAIRS_TIMER) {
          this.#pairs?.onTimer(event.nowMs, this.#portsOf(effects));
          return;
        }
        this.#isSweeping = false;
        this.#errands.sweep(event.nowMs, effects);
        break;
      default:
        return;
    }
    if (this.#isSweeping || this.#errands.size === 0) return;
    this.#isSweeping = true;
    effects.setTimer(SWEEP_TIMER, SWEEP_MS);
  }

  readNow(operation: Operation, clocks: Clocks): OperationResult | undefined {
    return operation.type === "get" ? this.#reads.readNow(operation, clocks) : undefined;
  }

  mintOperationId(nowMs: number, wallMs: number): string {
    return this.#sessions.handOut(nowMs, wallMs);
  }

  operationIdOf(request: Request): string | undefined {
    return this.#writes.operationIdOf(request);
  }

  isReady(level: Level): boolean {
    for (let shardIndex = 0; shardIndex < this.#context.shardCount; shardIndex++) {
      if (!this.#isShardReady(shardIndex, level)) return false;
    }
    return true;
  }

  lackOf(shardIndex: number, level: Level): ShardLack | undefined {
    const errands = this.#errands;
    const isLocal = wayOf(level) === "local";
    // An operation that may serve is tried also where a shard was moved; who says what serves goes by
    // the latest that is known of its holders.
    const local = errands.localReplica(shardIndex);
    const mayServe = isLocal || local !== undefined || errands.holdersHaveMajority(shardIndex);
    if (mayServe && this.#isShardReady(shardIndex, level)) return undefined;
    const missing = errands.missingReplicas(shardIndex);
    // What a node has kept of a shard that it holds no more is older than what a holder has.
    const isLast = missing.length === errands.replicasOf(shardIndex).length;
    const isHeld = errands.holdsCopy(shardIndex) && (local !== undefined || isLast);
    const logEnd = isHeld ? local?.logEnd : undefined;
    if (local?.lostVoters !== undefined) {
      return { reason: "quorum-lost", missing, isHeld, logEnd };
    }
    const isThere = !isLocal && errands.holdersHaveMajority(shardIndex);
    if (isThere) return { reason: "no-leader", missing, isHeld };
    return { reason: "too-few-replicas", missing, isHeld, logEnd };
  }

  describe(): Readonly<Record<string, unknown>> {
    const { read, write, timing } = this.#settings;
    return {
      underWay: this.#errands.size,
      scans: this.#scans.size,
      read,
      write,
      electionTimeoutMs: timing.electionTimeoutMs,
    };
  }

  #onMessage(event: Extract<MachineEvent<RaftMessage>, { type: "message" }>, effects: Fx): void {
    const { from, shardIndex, message, nowMs } = event;
    switch (message.type) {
      case "pair-heartbeat":
      case "pair-reply":
      case "pair-question":
      case "pair-answer":
      case "pairs-begin":
        this.#pairs?.onMessage(from, message, nowMs, this.#portsOf(effects));
        return;
      default:
        this.#errands.onMessage(from, shardIndex, message, nowMs, effects);
    }
  }

  /** Heartbeats vouch for nothing that has to be durable. */
  #portsOf(effects: Fx): PairPorts {
    const { node: self } = this.#context.self;
    return {
      send: (node, message) =>
        effects.sendBeforeDurable(node, "coordinator", 0, message, "control"),
      stir: ({ shardIndex, term }) =>
        effects.sendBeforeDurable(self, "replica", shardIndex, { type: "stir", term }),
      setTimer: (delayMs) => effects.setTimer(PAIRS_TIMER, delayMs),
    };
  }

  #isShardReady(shardIndex: number, level: Level): boolean {
    const local = this.#errands.localReplica(shardIndex);
    const reachable = this.#errands.reachableReplicas(shardIndex);
    if (wayOf(level) === "local") return local?.serving === true || reachable.length > 0;
    if (local !== undefined) {
      if (this.#errands.leaderOf(shardIndex) === undefined) return false;
      // Who was heard of as the leader some time ago leads nobody where there is no majority.
      const isLed = local.standing.leader !== undefined;
      return isLed || (local.lostVoters === undefined && this.#errands.hasMajority(shardIndex));
    }
    return !this.#errands.isJoining(shardIndex) && this.#errands.hasMajority(shardIndex);
  }

  #onOperation(request: Request, nowMs: number, wallMs: number, effects: Fx): void {
    const { type } = request.operation;
    switch (type) {
      case "put":
      case "delete":
      case "batch":
        this.#writes.start(request, nowMs, wallMs, effects);
        return;
      case "get":
        this.#reads.start(request, nowMs, effects);
        return;
      case "members":
        this.#members.start(request, nowMs, effects);
        return;
      case "resolve":
        this.#resolves.start(request, nowMs, effects);
        return;
      default: {
        const { keyspace } = this.#context;
        const message = `keyspace ${keyspace} (strategy raft) does not offer ${type}`;
        effects.refuse(request, new CapstanError("NOT_SUPPORTED", message));
      }
    }
  }

  #onDeadline(late: Request | ScanTask, effects: Fx): void {
    if (isScan(late)) this.#scans.onDeadline(late, effects);
    else if (late.memo instanceof PendingWrite) this.#writes.onDeadline(late.memo, effects);
    else if (late.memo instanceof PendingRead) this.#reads.onDeadline(late.memo, effects);
    else if (late.memo instanceof PendingMembers) this.#members.onDeadline(late.memo, effects);
    else if (late.memo instanceof PendingResolve) this.#resolves.giveUp(late.memo, effects);
  }

  #onAborted(given: Request | ScanTask, effects: Fx): void {
    if (isScan(given)) this.#scans.onAborted(given, effects);
    else if (given.memo instanceof PendingWrite) this.#writes.onAborted(given.memo, effects);
    else if (given.memo instanceof PendingRead) this.#reads.onAborted(given.memo, effects);
    else if (given.memo instanceof PendingMembers) this.#members.onAborted(given.memo, effects);
    else if (given.memo instanceof PendingResolve) this.#resolves.giveUp(given.memo, effects);
  }
}

function isScan(task: Request | ScanTask): task is ScanTask {
  return "request" in task;
}
