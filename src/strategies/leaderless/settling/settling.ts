import type {
  Effects,
  ReplicaContext,
  Sender,
  ShardMap,
  ShardPlacement,
} from "../../../core/contracts/machine.ts";
import type { NodeId } from "../../../core/model/ids.ts";
import {
  HYBRID_COUNTER_SPAN,
  type HybridTime,
  hybridTimeOf,
  MAX_HYBRID_TIME,
  wallMsOf,
} from "../../../core/model/stamp.ts";
import type { AntiEntropy } from "../anti-entropy/anti-entropy.ts";
import type { LeaderlessMessage } from "../messages.ts";
import type { ReplicaPlace } from "../place/replica-place.ts";
import { membersOf } from "../place/shard-map.ts";
import type { PlantedReplicaBugs } from "../planted-bugs.ts";
import type { RecordRules } from "../record-rules.ts";
import type { RepairSettings } from "../repair-settings.ts";
import { Floors, type FloorValues } from "./floors.ts";
import { type Hindrance, Leader } from "./leader.ts";
import { Participant } from "./participant.ts";
import { Reaper } from "./reaper.ts";
import type { SettleMessage } from "./settle-messages.ts";

const TIMER = "settle";
/** Rounds come this many times within the time that has to pass before something is reaped. */
const ROUNDS_PER_SPAN = 4;

type LeaderlessEffects = Effects<LeaderlessMessage>;

/**
 * What is left of a record that comes in: itself or a part of it, nothing that is not `settled`,
 * or nothing for now: whether it is settled is being found out (`closed`).
 */
export type Admission = Uint8Array | "settled" | "closed";

export interface SettlingParts {
  readonly context: ReplicaContext;
  readonly settings: RepairSettings;
  readonly rules: RecordRules;
  readonly planted: PlantedReplicaBugs;
  readonly place: ReplicaPlace;
  /** Whether other nodes take copies for the replicas that cannot be reached. */
  readonly hasStandIns: boolean;
  readonly isServing: () => boolean;
  readonly antiEntropy: AntiEntropy;
  /**
   * Others have let go of deletions that this replica may not know: to merge what it holds would
   * bring back what was deleted. It has to learn the shard anew, as one that has lost it.
   */
  readonly onBeyondHorizon: (nowMs: number, effects: LeaderlessEffects) => void;
  readonly onStripped: (nowMs: number, effects: LeaderlessEffects) => void;
}

/**
 * Lets go of tombstones, and of names in contexts, once every replica of the shard is known to have
 * them (docs/decisions/0026). Replicas agree on a floor in time, in rounds that one of them leads;
 * what comes from below it and is not held is stale, whoever sends it.
 *
 * Invariant: a replica whose floor is `f` holds every version that is alive of an event up to `f`,
 * and no event up to `f` that it does not know will ever be acknowledged.
 */
export class Settling {
  readonly #parts: SettlingParts;
  readonly #floors = new Floors();
  readonly #participant: Participant;
  readonly #leader: Leader;
  readonly #reaper: Reaper;
  #isArmed = false;
  #isStripping = false;
  /** What is settled, as those know it who are giving this copy the shard. */
  #streamed: Pick<FloorValues, "floor" | "reapable"> | undefined;
  /** Newest event that a floor would be of use for; at first anything may be there. */
  #newestTime: HybridTime = 0;
  #hindrance: (Hindrance & { readonly sinceMs: number; isSaid: boolean }) | undefined;
  #rounds = 0;

  constructor(parts: SettlingParts) {
    this.#parts = parts;
    const { rules, planted, antiEntropy } = parts;
    const among = { context: this.#placedContext(), floors: this.#floors, rules: rules.settling };
    this.#participant = new Participant({
      ...among,
      isReplica: () => parts.place.isHolder,
      isServing: parts.isServing,
      mend: (peer, span, effects) => antiEntropy.mend(peer.node, span, effects),
    });
    this.#leader = new Leader({
      ...among,
      planted,
      onFloor: (upTo, effects) => this.#onFloor(upTo, effects),
      onHindered: (hindrance) => this.#noteHindrance(hindrance),
    });
    this.#reaper = new Reaper(rules, (key) => antiEntropy.touch(key));
  }

  get floors(): FloorValues {
    return this.#floors.values;
  }

  /** Names of events up to here may go from contexts that are made. */
  get floor(): HybridTime {
    return this.#parts.isServing() ? this.#floors.values.floor : 0;
  }

  /** What a reader of a key is told that is not held; undefined: nothing can be said. */
  get absent(): Uint8Array | undefined {
    const { floor } = this;
    return floor === 0 ? undefined : this.#parts.rules.settling.absentAt(floor);
  }

  open(wallMs: number, effects: LeaderlessEffects): void {
    this.#floors.load(effects);
    const { reapable, stripTo } = this.#floors.values;
    this.#isStripping = stripTo > 0;
    // The floor may have been on the disk before all that a walk has taken out for it.
    if (reapable > 0) this.#reaper.begin("reap", reapable, effects);
    const isAlone = this.#others().length === 0;
    // Alone and empty, there is nothing to settle: a timer would keep the process alive for nothing.
    if (!isAlone || !isEmpty(effects)) this.#newestTime = hybridTimeOf(wallMs);
  }

  /** A peer was met again; or is away, and may be the one whose rounds are waited for. */
  onReachability(peer: NodeId, reachable: boolean, effects: LeaderlessEffects): void {
    if (reachable) this.tell(peer, effects);
    this.#reviewWatch(effects);
  }

  /** What is held from below `stripTo` has to go before anything is learned from others. */
  get isStripping(): boolean {
    return this.#isStripping;
  }

  /** Another map has taken the place of `before`. */
  onMap(before: ShardMap, effects: LeaderlessEffects): void {
    const { self } = this.#parts.context;
    this.#leader.giveUp([], "the shard changes its place");
    this.#participant.forget();
    this.#reviewWatch(effects);
    if (membersOf(before).includes(self.node) || !this.#parts.place.isJoining) return;
    // What is left of an earlier time here may be older than what the others have reaped.
    this.#streamed = isEmpty(effects)
      ? { floor: MAX_HYBRID_TIME, reapable: MAX_HYBRID_TIME }
      : undefined;
  }

  /** A copy that is being given the shard knows what is settled as the least of its sources does. */
  noteStreamed({ floor, reapable }: Pick<FloorValues, "floor" | "reapable">): void {
    const before = this.#streamed;
    if (before === undefined) return;
    this.#streamed = {
      floor: Math.min(before.floor, floor),
      reapable: Math.min(before.reapable, reapable),
    };
  }

  /** The replica counts from now on. */
  start(effects: LeaderlessEffects): void {
    const streamed = this.#streamed;
    this.#streamed = undefined;
    if (streamed !== undefined && streamed.floor !== MAX_HYBRID_TIME)
      this.adoptFrom(streamed, effects);
    for (const node of this.#others()) this.tell(node, effects);
    this.#arm(this.#pauseMs, effects);
  }

  /** The replica begins to learn: what its floor was about is lost. */
  restart(effects: LeaderlessEffects): void {
    this.#participant.forget();
    this.#leader.giveUp([this.#parts.context.self.node], "is being rebuilt");
    this.#floors.set({ floor: 0, reapable: 0 }, effects);
    const { stripTo } = this.#floors.values;
    this.#isStripping = stripTo > 0;
    if (stripTo === 0) return;
    this.#reaper.begin("strip", stripTo, effects);
  }

  /** It has learned everything from others who had these. */
  adoptFrom(
    { floor, reapable }: Pick<FloorValues, "floor" | "reapable">,
    effects: LeaderlessEffects,
  ): void {
    const { fence } = this.#floors.values;
    this.#floors.set({ floor, reapable, fence: Math.max(fence, floor) }, effects);
    // A source that has not taken them out yet has streamed them.
    if (reapable > 0) this.#reaper.begin("reap", reapable, effects);
  }

  /** A client's write with such a time comes too late: all that there is of it is known. */
  isFenced(time: HybridTime): boolean {
    return time <= this.#floors.values.fence;
  }

  admit(key: Uint8Array, held: Uint8Array | undefined, record: Uint8Array): Admission {
    const { settling } = this.#parts.rules;
    // A copy that counts for nothing (yet) may have kept a floor of an earlier time here, and nothing
    // of what that speaks of: to it everything is news.
    const { floor } = this;
    const left = floor === 0 ? record : settling.admitted(held, record, floor);
    if (left === undefined) return "settled";
    const closed = Math.max(this.#participant.closedUpTo(key), this.#leader.closedUpTo(key));
    if (closed <= floor) return left;
    return settling.admitted(held, left, closed) === left ? left : "closed";
  }

  noteStored(record: Uint8Array, time: HybridTime, effects: LeaderlessEffects): void {
    const { rules } = this.#parts;
    const isTombstone = rules.isTombstone(record);
    if (isTombstone) this.#reaper.noteTombstone();
    if (isTombstone) this.#reapLate(record, effects);
    if (!isTombstone && !rules.settling.hasContexts) return;
    if (time > this.#newestTime) this.#newestTime = time;
    if (!this.#isArmed) this.#arm(this.#pauseMs, effects);
  }

  /** The log has brought it back. */
  noteReplayed(record: Uint8Array, effects: LeaderlessEffects): void {
    if (this.#parts.rules.isTombstone(record)) this.#reapLate(record, effects);
  }

  onMessage(
    from: Sender,
    message: SettleMessage,
    nowMs: number,
    wallMs: number,
    effects: LeaderlessEffects,
  ): void {
    switch (message.step) {
      case "promise":
        if (!this.#learn(from, message.reapable, nowMs, effects)) return;
        this.#participant.onPromise(from, message, wallMs, effects);
        break;
      case "span":
        this.#participant.onSpan(from, message, effects);
        break;
      case "adopt":
        this.#participant.onAdopt(from, message, effects);
        break;
      case "reap":
        this.#learn(from, message.reapable, nowMs, effects);
        break;
      default: {
        if (message.step === "promised" && !this.#learn(from, message.reapable, nowMs, effects)) {
          return;
        }
        const waitMs = this.#leader.onAnswer(from, message, nowMs, effects);
        if (waitMs !== undefined) this.#rearm(waitMs, effects);
      }
    }
  }

  /** False: the timer is another's. */
  onTimer(timer: string, nowMs: number, wallMs: number, effects: LeaderlessEffects): boolean {
    if (this.#reaper.owns(timer)) {
      const before = this.#reaper.reaped;
      const ended = this.#reaper.onTimer(effects);
      const reaped = this.#reaper.reaped - before;
      if (reaped > 0) this.#parts.context.count?.("tombstones_reaped", reaped);
      if (ended !== "strip") return true;
      this.#isStripping = false;
      this.#parts.onStripped(nowMs, effects);
      return true;
    }
    if (timer !== TIMER) return false;
    this.#isArmed = false;
    if (this.#leader.isLeading) {
      this.#rearm(this.#leader.onTimer(nowMs, effects), effects);
      return true;
    }
    if (!this.#isNeeded) return true;
    if (!this.#isLeader) {
      this.#noteHindrance({ nodes: this.#earlier(), reason: "cannot be reached" });
      this.#rearm(Number.POSITIVE_INFINITY, effects);
      this.#sayHindrance(nowMs, effects);
      return true;
    }
    // Between two milliseconds: no event has the very time of a floor, so that what a floor says of
    // a key is above whatever it has settled there.
    const upTo = hybridTimeOf(wallMs) - this.#span - 1;
    const isLate = upTo > this.#floors.values.floor;
    const isBegun = isLate && this.#leader.begin(upTo, nowMs, wallMs, effects);
    if (isBegun && this.#leader.isLeading)
      this.#rearm(this.#leader.onTimer(nowMs, effects), effects);
    else this.#rearm(Number.POSITIVE_INFINITY, effects);
    this.#sayHindrance(nowMs, effects);
    return true;
  }

  /** For `describe()`. */
  describe(): Readonly<Record<string, unknown>> {
    const { floor } = this.#floors.values;
    const hindrance = this.#hindrance;
    return {
      floorMs: floor === 0 ? undefined : wallMsOf(floor),
      tombstones: this.#reaper.tombstones,
      reaped: this.#reaper.reaped,
      rounds: this.#rounds,
      ...(hindrance !== undefined && {
        blockedBy: hindrance.nodes,
        blockedBecause: hindrance.reason,
        blockedSinceMs: hindrance.sinceMs,
      }),
    };
  }

  /** All replicas have the floor. */
  #onFloor(upTo: HybridTime, effects: LeaderlessEffects): void {
    this.#rounds++;
    this.#parts.context.count?.("floors_found", 1);
    if (this.#hindrance?.isSaid === true) this.#sayResumed(effects);
    this.#hindrance = undefined;
    this.#reaper.begin("reap", upTo, effects);
  }

  /** False: this replica is behind what others have reaped. */
  #learn(from: Sender, reapable: HybridTime, nowMs: number, effects: LeaderlessEffects): boolean {
    const own = this.#floors.values;
    if (!this.#parts.isServing() || reapable <= own.reapable) return true;
    if (!this.#others().includes(from.node)) return true;
    if (reapable <= own.floor) {
      this.#floors.set({ reapable }, effects);
      this.#reaper.begin("reap", reapable, effects);
      return true;
    }
    if (this.#parts.planted.oldReplicaMerges === true) return true;
    const { shardIndex: shard } = this.#parts.context;
    effects.emit({ type: "beyond-horizon", shard, peer: from.node });
    this.#floors.set({ stripTo: reapable }, effects);
    this.#parts.onBeyondHorizon(nowMs, effects);
    return false;
  }

  /** What comes behind the walk that would have taken it out: no floor may come any more to begin one. */
  #reapLate(tombstone: Uint8Array, effects: LeaderlessEffects): void {
    const { reapable } = this.#floors.values;
    if (this.#parts.rules.settling.timeOf(tombstone) > reapable) return;
    this.#reaper.beginAgain(reapable, effects);
  }

  #sayResumed(effects: LeaderlessEffects): void {
    effects.emit({ type: "reaping-resumed", shard: this.#parts.context.shardIndex });
  }

  #noteHindrance(hindrance: Hindrance): void {
    const { reason } = hindrance;
    this.#parts.context.count?.("floor_rounds_unfinished", 1, { reason });
    const { sinceMs, isSaid } = this.#hindrance ?? { sinceMs: Number.NaN, isSaid: false };
    this.#hindrance = { ...hindrance, sinceMs, isSaid };
  }

  /** Once it has lasted for as long as tombstones are kept anyway. */
  #sayHindrance(nowMs: number, effects: LeaderlessEffects): void {
    const hindrance = this.#hindrance;
    if (hindrance === undefined) return;
    if (Number.isNaN(hindrance.sinceMs)) this.#hindrance = { ...hindrance, sinceMs: nowMs };
    else if (!hindrance.isSaid && nowMs - hindrance.sinceMs >= this.#parts.settings.reapAfterMs) {
      hindrance.isSaid = true;
      const { nodes, reason } = hindrance;
      const shard = this.#parts.context.shardIndex;
      effects.emit({ type: "reaping-blocked", shard, nodes, reason });
    }
  }

  /** A peer was met, or met again: it may have missed what was settled. */
  tell(peer: NodeId, effects: LeaderlessEffects): void {
    const { reapable, floor } = this.#floors.values;
    if (reapable === 0 || !this.#parts.isServing() || !this.#others().includes(peer)) return;
    const message: SettleMessage = {
      type: "settle",
      requestId: 0,
      upTo: floor,
      step: "reap",
      reapable,
    };
    effects.send(peer, "replica", this.#parts.context.shardIndex, message, "bulk");
  }

  /** The peer holds a deletion that may go at all replicas: it has not heard of that. */
  tellOfDeletion(peer: NodeId, tombstone: Uint8Array, effects: LeaderlessEffects): void {
    const { reapable } = this.#floors.values;
    if (this.#parts.rules.settling.timeOf(tombstone) <= reapable) this.tell(peer, effects);
  }

  /** Rounds are to be led here, or it is to be told that whoever leads them is away. */
  get #isNeeded(): boolean {
    if (this.#newestTime <= this.#floors.values.reapable) return false;
    const { settings, context, place, isServing } = this.#parts;
    if (!isServing() || settings.reapAfterMs === Number.POSITIVE_INFINITY) return false;
    // On the path of every write: a loop makes nothing.
    for (const node of place.map.replicas) {
      if (node < context.self.node && context.isReachable(node)) return false;
    }
    return true;
  }

  /** The one whose node's name comes first leads. */
  get #isLeader(): boolean {
    return this.#earlier().length === 0;
  }

  /** Of the replicas, those whose names come before this one's. */
  #earlier(): readonly NodeId[] {
    return this.#others().filter((node) => node < this.#parts.context.self.node);
  }

  /** Whoever leads the rounds has come or gone: one of the others watches while it is away. */
  #reviewWatch(effects: LeaderlessEffects): void {
    if (!this.#isArmed) this.#arm(this.#pauseMs, effects);
    if (this.#hindrance === undefined || this.#isLeader || this.#isNeeded) return;
    if (this.#hindrance.isSaid) this.#sayResumed(effects);
    this.#hindrance = undefined;
  }

  #others(): readonly NodeId[] {
    const { context, place } = this.#parts;
    return place.map.replicas.filter((node) => node !== context.self.node);
  }

  /**
   * By the map that this copy knows, and with those who stand in, if anybody does; of a shard that was
   * moved with everybody else, too: whoever has left it may have something to hand over still.
   */
  #placedContext(): ReplicaContext {
    const { context, place, hasStandIns } = this.#parts;
    const placement = (shardIndex: number): ShardPlacement => {
      const { standIns, others = hasStandIns ? standIns : [] } = context.placement(shardIndex);
      const { replicas } = place.map;
      return { ...place.map, standIns: others.filter((node) => !replicas.includes(node)) };
    };
    return { ...context, placement };
  }

  get #span(): HybridTime {
    return this.#parts.settings.reapAfterMs * HYBRID_COUNTER_SPAN;
  }

  get #pauseMs(): number {
    return this.#parts.settings.reapAfterMs / ROUNDS_PER_SPAN;
  }

  #arm(afterMs: number, effects: LeaderlessEffects): void {
    if (!this.#isNeeded) return;
    this.#isArmed = true;
    effects.setTimer(TIMER, afterMs);
  }

  /** Infinity: there is nothing to wait for but the next round. */
  #rearm(afterMs: number, effects: LeaderlessEffects): void {
    this.#arm(afterMs === Number.POSITIVE_INFINITY ? this.#pauseMs : afterMs, effects);
  }
}

function isEmpty(effects: LeaderlessEffects): boolean {
  return effects.range(undefined, undefined, 1, 1).entries.length === 0;
}
