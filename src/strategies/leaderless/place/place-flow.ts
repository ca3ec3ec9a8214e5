import type {
  CoordinatorContext,
  Effects,
  Request,
  Sender,
  ShardMap,
} from "../../../core/contracts/machine.ts";
import { CapstanError } from "../../../core/model/errors.ts";
import type { NodeId } from "../../../core/model/ids.ts";
import type { OperationOptions } from "../../../core/model/operations.ts";
import type { LeaderlessMessage } from "../messages.ts";
import { neededFor } from "../receipts.ts";
import {
  changeUnknown,
  levelBeyond,
  noReplicaHere,
  otherChange,
  recoveryUnknown,
  unfinished,
} from "./faults.ts";
import { PendingPlace, type PlaceTask } from "./pending-place.ts";
import { PlaceChange, type PlantedChangeBugs } from "./place-change.ts";
import type { PlaceMessage, PlaceOverdue, PlaceState } from "./place-messages.ts";
import { PlaceQuery } from "./place-query.ts";
import { PlaceRecovery } from "./place-recovery.ts";
import { isHolder, isSameSet, membersOf, type PromisedLevels, stageOf } from "./shard-map.ts";

const RESEND_MS = 100;
/**
 * A try that has not come to a decision by then makes room for others, for a while of its own. Each has
 * twice as long as the one before, up to a bound: where a vote takes longer, none would decide ever.
 */
const TRY_MS = 400;
const MAX_DOUBLED = 5;

type Fx = Effects<LeaderlessMessage>;

/** A change that was taken on is let go of, unless somebody says again that it is overdue. */
const TAKEN_ON_MS = 8_000;

/**
 * Questions and changes of who holds a shard, from one node. Takes maps that replicas send to
 * coordinators, too: this node's own copy keeps them, and everybody here hears of them from there.
 */
export class PlaceFlow {
  readonly #context: CoordinatorContext;
  readonly #levels: PromisedLevels;
  readonly #nextRequestId: () => number;
  readonly #planted: PlantedChangeBugs;
  readonly #pending = new Map<number, PendingPlace>();

  constructor(
    context: CoordinatorContext,
    nextRequestId: () => number,
    planted: PlantedChangeBugs = {},
  ) {
    this.#context = context;
    this.#levels = context.settings as unknown as PromisedLevels;
    this.#nextRequestId = nextRequestId;
    this.#planted = planted;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** See `Swept`: changes are rare, and what they wait for is many things. */
  get sweepAtMs(): number {
    return this.#pending.size === 0 ? Number.POSITIVE_INFINITY : 0;
  }

  start(request: Request, nowMs: number, effects: Fx): void {
    const { shardIndex, options } = request.operation;
    const goal = options?.replicas;
    const { epoch, replicas, pending, leaving } = this.#context.placement(shardIndex);
    const map: ShardMap = { epoch, replicas, pending, leaving };
    const beyond = goal === undefined ? undefined : this.#levelBeyond(goal);
    if (beyond !== undefined) {
      effects.refuse(request, beyond);
      return;
    }
    const task = this.#taskOf(map, options);
    if (task === undefined) {
      effects.refuse(request, noReplicaHere(this.#context.self.node, shardIndex, map.replicas));
      return;
    }
    const place = new PendingPlace(request, this.#nextRequestId(), task);
    request.memo = place;
    this.#pending.set(place.requestId, place);
    this.#go(place, nowMs, effects);
  }

  /** Undefined: this node has no copy that could go on without the others. */
  #taskOf(map: ShardMap, options: OperationOptions | undefined): PlaceTask | undefined {
    const self = this.#context.self.node;
    if (options?.acceptLoss === true) {
      return isHolder(map, self) ? new PlaceRecovery(map, self) : undefined;
    }
    const goal = options?.replicas;
    return goal === undefined ? new PlaceQuery(map) : this.#changeOf(map, goal, true);
  }

  /** False: the message is about something else. */
  onMessage(
    from: Sender,
    shardIndex: number,
    message: LeaderlessMessage,
    nowMs: number,
    effects: Fx,
  ): boolean {
    switch (message.type) {
      case "place-map":
        effects.send(this.#context.self.node, "replica", shardIndex, { ...message, requestId: 0 });
        return true;
      case "place-wanted":
        this.#sendMap(from.node, shardIndex, effects);
        return true;
      case "place-overdue":
        this.#takeOn(from, shardIndex, message, nowMs, effects);
        return true;
      case "place-state":
        this.#onState(from, message, nowMs, effects);
        return true;
      default:
        return false;
    }
  }

  onIdentity(peer: NodeId): void {
    for (const { task } of this.#pending.values()) task.forget(peer);
  }

  sweep(nowMs: number, effects: Fx): void {
    for (const place of [...this.#pending.values()]) {
      if (nowMs >= place.endsAtMs) {
        this.#pending.delete(place.requestId);
        continue;
      }
      if (place.task instanceof PlaceChange && nowMs >= place.tryEndsAtMs) {
        if (place.task.tryAgain()) place.triesInVain++;
        place.tryEndsAtMs = this.#tryEnd(place, nowMs);
      }
      this.#go(place, nowMs, effects);
    }
  }

  /** False: the request is another's. */
  onDeadline(request: Request, effects: Fx): boolean {
    const place = this.#pendingOf(request);
    if (place === undefined) return false;
    const { shardIndex, task } = place;
    this.#fail(place, unfinished(shardIndex, task.map, this.#reachableOf(place)), effects);
    return true;
  }

  onAborted(request: Request, effects: Fx): boolean {
    const place = this.#pendingOf(request);
    if (place === undefined) return false;
    this.#fail(place, new CapstanError("ABORTED", "the call was aborted"), effects);
    return true;
  }

  /** One that has its answer has it, though the words may still wait for what they rest on to be durable. */
  #pendingOf({ memo }: Request): PendingPlace | undefined {
    const isPending = memo instanceof PendingPlace && this.#pending.has(memo.requestId);
    return isPending ? memo : undefined;
  }

  /**
   * Unless it is being seen to its end from here already. One change of a shard is taken on at a time:
   * all of them come to the same decision, whose end is the next map's business.
   */
  #takeOn(
    from: Sender,
    shardIndex: number,
    { map, goal }: PlaceOverdue,
    nowMs: number,
    effects: Fx,
  ): void {
    const endsAtMs = nowMs + TAKEN_ON_MS;
    for (const place of this.#pending.values()) {
      if (place.shardIndex !== shardIndex || !(place.task instanceof PlaceChange)) continue;
      if (!isSameSet(place.task.goal, goal)) continue;
      if (place.request === undefined) place.endsAtMs = endsAtMs;
      return;
    }
    if (this.#context.placement(shardIndex).epoch > map.epoch) {
      this.#sendMap(from.node, shardIndex, effects);
      return;
    }
    const other = [...this.#pending.values()].find(
      (place) => place.request === undefined && place.shardIndex === shardIndex,
    );
    if (other !== undefined) {
      if (!goesBefore(map, goal, other.task.map)) return;
      this.#pending.delete(other.requestId);
    }
    const place = new PendingPlace(
      shardIndex,
      this.#nextRequestId(),
      this.#changeOf(map, goal, false),
    );
    place.endsAtMs = endsAtMs;
    this.#pending.set(place.requestId, place);
    effects.emit({ type: "move-taken-on", shard: shardIndex, epoch: map.epoch, goal });
    this.#go(place, nowMs, effects);
  }

  #changeOf(map: ShardMap, goal: readonly NodeId[], isAsked: boolean): PlaceChange {
    return new PlaceChange({
      ...{ map, goal, isAsked, levels: this.#levels, planted: this.#planted },
      self: this.#context.self.node,
      nonce: () => this.#context.randomUint32(),
    });
  }

  #onState(from: Sender, state: PlaceState, nowMs: number, effects: Fx): void {
    const place = this.#pending.get(state.requestId);
    if (place === undefined) return;
    place.task.onState(from.node, state);
    this.#go(place, nowMs, effects);
  }

  /** Says what is new at once, and what is not answered again after a while. */
  #go(place: PendingPlace, nowMs: number, effects: Fx): void {
    const { task, request, requestId, shardIndex } = place;
    for (const node of membersOf(task.map)) place.heard.add(node);
    if (task.outcome === "done" || (request === undefined && place.isOver)) {
      this.#finish(place, effects);
      return;
    }
    if (task.outcome === "other-change") {
      this.#fail(place, otherChange(shardIndex, task.map), effects);
      return;
    }
    const messages = task.messages(requestId);
    const said = saidOf(task.map, messages[0]?.message);
    const isNew = said !== place.said;
    if (!isNew && nowMs - place.sentAtMs < RESEND_MS) return;
    if (isNew) place.tryEndsAtMs = this.#tryEnd(place, nowMs);
    place.said = said;
    place.sentAtMs = nowMs;
    for (const { to, message } of messages) {
      effects.send(to, "replica", shardIndex, message, "control");
    }
  }

  #finish(place: PendingPlace, effects: Fx): void {
    const { request, requestId, task, shardIndex } = place;
    this.#pending.delete(requestId);
    const { map } = task;
    for (const node of place.heard) {
      effects.send(
        node,
        "replica",
        shardIndex,
        { type: "place-map", requestId: 0, map },
        "control",
      );
    }
    if (request === undefined) return;
    const { replicas, pending, leaving } = map;
    effects.reply(request, {
      voters: replicas,
      learners: (pending ?? []).filter((node) => !replicas.includes(node)),
      goal: pending ?? (leaving === undefined ? undefined : replicas),
      leader: undefined,
    });
  }

  #fail(place: PendingPlace, fault: CapstanError, effects: Fx): void {
    this.#pending.delete(place.requestId);
    const { request, task } = place;
    if (request === undefined) return;
    const isOpen = place.mayHaveActed && task.outcome === undefined;
    effects.refuse(request, isOpen ? this.#unknownOf(place, request, fault) : fault);
  }

  #unknownOf(place: PendingPlace, { operation }: Request, fault: CapstanError): CapstanError {
    const { shardIndex, task } = place;
    if (task instanceof PlaceRecovery) {
      return recoveryUnknown(shardIndex, this.#context.self.node, this.#reachableOf(place), fault);
    }
    return changeUnknown(shardIndex, operation.options?.replicas ?? [], fault);
  }

  #sendMap(to: NodeId, shardIndex: number, effects: Fx): void {
    const { epoch, replicas, pending, leaving } = this.#context.placement(shardIndex);
    const map: ShardMap = { epoch, replicas, pending, leaving };
    const message: PlaceMessage = { type: "place-map", requestId: 0, map };
    effects.send(to, "replica", shardIndex, message, "control");
  }

  #reachableOf({ task }: PendingPlace): readonly NodeId[] {
    return membersOf(task.map).filter((node) => this.#context.isReachable(node));
  }

  #levelBeyond(goal: readonly NodeId[]): CapstanError | undefined {
    const { read, write } = this.#levels;
    const level = [read, write].find(
      (word) => !word.endsWith("-quorum") && neededFor(word, goal.length) === undefined,
    );
    return level === undefined ? undefined : levelBeyond(level, goal);
  }

  /** Half as long again by chance, so that two who compete do not go on doing so. */
  #tryEnd({ triesInVain }: PendingPlace, nowMs: number): number {
    const tryMs = TRY_MS * 2 ** Math.min(triesInVain, MAX_DOUBLED);
    return nowMs + tryMs * (1 + this.#context.randomUint32() / 2 ** 32);
  }
}

/**
 * Whether a change is taken on in the place of one whose newest map is `known`. Of changes that would
 * decide the same epoch any does: it has to go on with what a majority may have accepted of another.
 * But a pending change may wait for a node that never comes, and what takes it back waits for none.
 */
function goesBefore(map: ShardMap, goal: readonly NodeId[], known: ShardMap): boolean {
  if (map.epoch !== known.epoch) return map.epoch > known.epoch;
  return stageOf(map) === "pending" && isSameSet(map.replicas, goal);
}

function saidOf({ epoch }: ShardMap, message: PlaceMessage | undefined): string {
  if (message === undefined) return `${epoch}`;
  const isTry = message.type === "place-prepare" || message.type === "place-accept";
  return `${epoch} ${message.type} ${isTry ? message.ballot.round : ""}`;
}
