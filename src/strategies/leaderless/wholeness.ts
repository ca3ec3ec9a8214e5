import type {
  Effects,
  OpenedState,
  ReplicaContext,
  Sender,
  ShardMap,
} from "../../core/contracts/machine.ts";
import type { NodeId } from "../../core/model/ids.ts";
import type { LeaderlessMessage, RangeReply } from "./messages.ts";
import { atEpoch } from "./place/place-messages.ts";
import type { ReplicaPlace } from "./place/replica-place.ts";
import { homeOf, isHolder, isSameSet, stageOf } from "./place/shard-map.ts";
import type { PlantedReplicaBugs } from "./planted-bugs.ts";
import { Rebuild, rebuildDelayMsOf } from "./rebuild.ts";
import { SAID_AGAIN_MS } from "./rebuilding-peers.ts";
import { RequestNumbers } from "./request-numbers.ts";
import type { Settling } from "./settling/settling.ts";

/**
 * Kept once this shard has learned what its peers hold, or had nothing to learn. It is a record of
 * the log, and so behind all that it vouches for: whatever a stop has left of the log, the mark is
 * not there without them.
 */
const COMPLETE = "complete";
/** Where earlier versions had the same mark: in the state. */
const COMPLETE_KEY = Buffer.from(COMPLETE, "utf8");
const PRESENT = new Uint8Array([1]);
const TIMER = "rebuild";

type Fx = Effects<LeaderlessMessage>;

/**
 * Whether a copy has learned everything that an earlier holder of its place may have acknowledged
 * (docs/decisions/0013), and the rebuild that brings it there.
 */
export class Wholeness {
  readonly #context: ReplicaContext;
  readonly #place: ReplicaPlace;
  readonly #planted: PlantedReplicaBugs;
  readonly #settling: Settling;
  readonly #onWhole: (nowMs: number, effects: Fx) => void;
  #rebuild: Rebuild | undefined;
  /** Peers were told that the copy is being rebuilt, and not yet that it is whole. */
  #isTold = false;
  #sayAgainAtMs = 0;
  readonly #numbers: RequestNumbers;

  /** `onWhole` is told when there is nothing left to learn. */
  constructor(options: {
    readonly context: ReplicaContext;
    readonly place: ReplicaPlace;
    readonly planted: PlantedReplicaBugs;
    readonly settling: Settling;
    readonly onWhole: (nowMs: number, effects: Fx) => void;
  }) {
    this.#context = options.context;
    this.#numbers = new RequestNumbers(options.context);
    this.#place = options.place;
    this.#planted = options.planted;
    this.#settling = options.settling;
    this.#onWhole = options.onWhole;
  }

  get isRebuilding(): boolean {
    return this.#rebuild !== undefined;
  }

  /** The copy is one that holds the shard. */
  open(state: OpenedState, nowMs: number, effects: Fx): void {
    const isKept = state.origin === "kept" && !this.#settling.isStripping;
    if (isKept && this.#isComplete(effects)) {
      this.#onWhole(nowMs, effects);
      return;
    }
    const isWhole = state.origin === "newborn" || this.#planted.emptyReplicaServes === true;
    // An emptied copy that has no others waits all the same: the shard may have been moved away, and
    // whoever holds it says so when it is met.
    const { standIns } = this.#context.placement(this.#context.shardIndex);
    const mayBeTold = state.origin === "empty" && standIns.length > 0;
    if (!isWhole && (this.#others().length > 0 || mayBeTold)) {
      this.#begin(nowMs, effects);
      return;
    }
    this.#become(nowMs, effects);
    // Something is missing, and nobody has it.
    if (state.origin === "empty") this.#sayLoss(effects);
  }

  /** What is held is behind what the others have let go of. */
  learnAnew(nowMs: number, effects: Fx): void {
    this.#begin(nowMs, effects);
  }

  /** Somebody has said that what the unreachable had may be lost: they are not waited for. */
  acceptLoss(nowMs: number, effects: Fx): void {
    this.#rebuild?.acceptLoss((node) => this.#context.isReachable(node));
    this.advance(nowMs, effects);
  }

  /** Another map has taken the place of `before`. */
  onMap(before: ShardMap, nowMs: number, effects: Fx): void {
    const self = this.#context.self.node;
    const { map, isHolder: holds } = this.#place;
    const held = isHolder(before, self);
    if (held && !holds) {
      this.#rebuild = undefined;
      effects.cancelTimer(TIMER);
      effects.keep(COMPLETE, undefined);
    } else if (!held && holds) {
      // Nothing that was written since is missing: the switch is the very next map, or in force.
      const isNext = map.epoch === before.epoch + (stageOf(map) === "switching" ? 1 : 2);
      const isReady = isNext && this.#place.isReadyFor(before.epoch);
      if (isReady || this.#planted.switchedBeforeStreamed === true) this.#become(nowMs, effects);
      else this.#begin(nowMs, effects);
    } else if (this.#rebuild !== undefined && !isSameSet(homeOf(before, self), this.#home)) {
      this.#begin(nowMs, effects);
    }
  }

  onIdentity(peer: Sender): void {
    this.#rebuild?.onIdentity(peer);
  }

  /** Whoever comes to be there would take the copy for one that counts. */
  onReachable(peer: NodeId, effects: Fx): void {
    if (this.#rebuild !== undefined) this.#say(peer, effects);
  }

  /** False: the timer is another's. */
  onTimer(timer: string, nowMs: number, effects: Fx): boolean {
    if (timer !== TIMER) return false;
    this.advance(nowMs, effects);
    return true;
  }

  /** True if the entries are to be merged; `advance` comes after that. */
  takes(from: Sender, reply: RangeReply, nowMs: number): boolean {
    return this.#rebuild?.onReply(from, reply, nowMs) === true;
  }

  advance(nowMs: number, effects: Fx): void {
    const rebuild = this.#rebuild;
    if (rebuild === undefined || this.#settling.isStripping) return;
    const end = rebuild.settle(nowMs);
    const { shardIndex: shard } = this.#context;
    if (end !== undefined) {
      this.#rebuild = undefined;
      effects.cancelTimer(TIMER);
      this.#settling.adoptFrom(rebuild.floors, effects);
      this.#become(nowMs, effects);
      effects.emit({ type: "rebuild-finished", shard, entries: rebuild.entries });
      if (end !== "enough") this.#sayLoss(effects);
      return;
    }
    for (const request of rebuild.requests(nowMs, (node) => this.#context.isReachable(node))) {
      const message = atEpoch(this.#place.map, request.message);
      effects.send(request.node, "replica", shard, message, "bulk");
    }
    if (nowMs >= this.#sayAgainAtMs) this.#tell(nowMs, effects);
    effects.setTimer(TIMER, Math.min(rebuild.retryMs(nowMs), this.#sayAgainAtMs - nowMs));
  }

  describe(): Readonly<Record<string, unknown>> | undefined {
    return this.#rebuild?.describe();
  }

  #become(nowMs: number, effects: Fx): void {
    this.#onWhole(nowMs, effects);
    effects.keep(COMPLETE, PRESENT);
    if (this.#isTold) this.#tell(nowMs, effects);
  }

  #begin(nowMs: number, effects: Fx): void {
    const others = this.#others();
    this.#settling.restart(effects);
    this.#rebuild = new Rebuild({
      peers: others,
      replicas: others.length + 1,
      near: others.filter((node) => this.#isNear(node)),
      ...(this.#planted.rebuildFromOne === true && { needed: 1 }),
      startAtMs: nowMs + rebuildDelayMsOf(this.#context.settings),
      nextRequestId: () => this.#numbers.next(),
    });
    effects.keep(COMPLETE, undefined);
    effects.deleteSide(COMPLETE_KEY);
    effects.emit({ type: "rebuild-started", shard: this.#context.shardIndex });
    this.#tell(nowMs, effects);
    this.advance(nowMs, effects);
  }

  /** Tells all nodes, each of which may begin operations, whether what this copy answers counts. */
  #tell(nowMs: number, effects: Fx): void {
    this.#isTold = this.#rebuild !== undefined;
    this.#sayAgainAtMs = nowMs + SAID_AGAIN_MS;
    for (const node of this.#context.nodes) {
      if (this.#context.isReachable(node)) this.#say(node, effects);
    }
  }

  #say(node: NodeId, effects: Fx): void {
    const { self, shardIndex } = this.#context;
    if (node === self.node) return;
    const serving = this.#rebuild === undefined;
    effects.send(node, "coordinator", shardIndex, { type: "standing", requestId: 0, serving });
  }

  #isComplete(effects: Fx): boolean {
    if (effects.kept(COMPLETE) !== undefined) return true;
    if (effects.getSide(COMPLETE_KEY) === undefined) return false;
    effects.keep(COMPLETE, PRESENT);
    effects.deleteSide(COMPLETE_KEY);
    return true;
  }

  #sayLoss(effects: Fx): void {
    effects.emit({ type: "writes-may-be-lost", shard: this.#context.shardIndex });
  }

  #isNear(node: NodeId): boolean {
    const { self, datacenterOf } = this.#context;
    return datacenterOf === undefined || datacenterOf(node) === datacenterOf(self.node);
  }

  #others(): readonly NodeId[] {
    return this.#home.filter((node) => node !== this.#context.self.node);
  }

  get #home(): readonly NodeId[] {
    return homeOf(this.#place.map, this.#context.self.node);
  }
}
