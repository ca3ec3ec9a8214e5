import type {
  Effects,
  MachineEvent,
  OpenedState,
  ReplicaContext,
  ReplicaMachine,
  Sender,
  ShardMap,
} from "../../core/contracts/machine.ts";
import type { Epoch } from "../../core/model/ids.ts";
import type { HybridTime } from "../../core/model/stamp.ts";
import { AntiEntropy } from "./anti-entropy/anti-entropy.ts";
import { CopyReader } from "./copy-reader.ts";
import { Expiries } from "./expiries.ts";
import { Handoff } from "./handoff/handoff.ts";
import type { CopyMessage, LeaderlessMessage, RangeReply } from "./messages.ts";
import { CopyPlace } from "./place/copy-place.ts";
import type { PlaceMessage } from "./place/place-messages.ts";
import { NO_PLANTED_REPLICA_BUGS, type PlantedReplicaBugs } from "./planted-bugs.ts";
import type { KeyedRecord } from "./record.ts";
import { RecordBound } from "./record-bound.ts";
import { RecordIntake } from "./record-intake.ts";
import { RecordKeeper } from "./record-keeper.ts";
import type { RecordRules } from "./record-rules.ts";
import { DEFAULT_REPAIR, type RepairSettings } from "./repair-settings.ts";
import { Gate } from "./settling/gate.ts";
import { Settling } from "./settling/settling.ts";
import { stampedRulesWith } from "./stamped-rules.ts";
import { Wholeness } from "./wholeness.ts";
import { WriteVerdicts } from "./write-verdicts.ts";

type LeaderlessEffects = Effects<LeaderlessMessage>;
type LeaderlessEvent = MachineEvent<LeaderlessMessage>;

/**
 * One replica of a leaderless shard: merges versions into the shard's state and answers for what
 * it holds durably.
 *
 * Each event is handed to those whose business it is. Records come in by way of `RecordIntake`, and
 * to stand by way of `RecordKeeper`: streams of a rebuild, of anti-entropy and of those who hand off
 * what was missed all go through its `merge`. `CopyReader` says what is held, `CopyPlace` knows who
 * holds the shard, `Wholeness` whether this copy lacks something, `Settling` what all have and may go.
 * What a record is, its rules say.
 *
 * Invariant: an answer says `serving` only if the replica has learned everything that an earlier
 * holder of its place may have acknowledged (docs/decisions/0013).
 */
export class LeaderlessReplica implements ReplicaMachine<LeaderlessMessage> {
  readonly wantsDurable = false;
  readonly #context: ReplicaContext;
  #opened = false;
  readonly #place: CopyPlace;
  readonly #wholeness: Wholeness;
  /** Of the step that runs. */
  #nowMs = 0;
  readonly #planted: PlantedReplicaBugs;
  readonly #antiEntropy: AntiEntropy;
  readonly #handoff: Handoff;
  readonly #expiries: Expiries;
  readonly #settling: Settling;
  readonly #keeper: RecordKeeper;
  readonly #intake: RecordIntake;
  readonly #reader: CopyReader;

  /** `onCopyLeft` is told of each copy that a stand-in gives up, where nodes stand in. */
  constructor(
    context: ReplicaContext,
    planted: PlantedReplicaBugs = NO_PLANTED_REPLICA_BUGS,
    rules: RecordRules = stampedRulesWith(planted),
    onCopyLeft?: (key: Uint8Array) => void,
  ) {
    this.#context = context;
    this.#planted = planted;
    this.#expiries = new Expiries(context.clock, rules, planted, (keyed, wallMs, effects) => {
      this.#keeper.store(keyed, wallMs, effects, "expire");
    });
    const { repair = DEFAULT_REPAIR } = context.settings as { readonly repair?: RepairSettings };
    // Its sums outlive its place among the replicas, which it may be given again.
    const onLeft = (key: Uint8Array): void => {
      this.#antiEntropy.touch(key);
      onCopyLeft?.(key);
    };
    const place = new CopyPlace({
      ...{ context, settings: repair, planted, onLeft },
      onMap: (before, fx) => this.#onMap(before, fx),
    });
    this.#place = place;
    this.#antiEntropy = new AntiEntropy(place.amongReplicas, repair, rules, planted);
    const bound = new RecordBound(context);
    this.#handoff = new Handoff(place.amongMembers, repair, onLeft, planted);
    this.#settling = new Settling({
      ...{ context, settings: repair, rules, planted, place: place.known },
      hasStandIns: onCopyLeft !== undefined,
      isServing: () => this.serving,
      antiEntropy: this.#antiEntropy,
      onBeyondHorizon: (nowMs, fx) => {
        this.#antiEntropy.stop();
        this.#wholeness.learnAnew(nowMs, fx);
      },
      onStripped: (nowMs, fx) => this.#wholeness.advance(nowMs, fx),
    });
    this.#wholeness = new Wholeness({
      ...{ context, place: place.known, planted, settling: this.#settling },
      onWhole: (nowMs, fx) => {
        this.#antiEntropy.start(nowMs, fx);
        this.#settling.start(fx);
      },
    });
    const gate = new Gate({
      ...{ settling: this.#settling, rules, planted, reapAfterMs: repair.reapAfterMs },
      isLearning: () => this.#wholeness.isRebuilding || this.#place.known.isJoining,
      isJoining: () => this.#place.known.isJoining,
    });
    this.#keeper = new RecordKeeper({
      ...{ context, planted, rules, place: place.known, bound },
      ...{ expiries: this.#expiries, antiEntropy: this.#antiEntropy },
      ...{ handoff: this.#handoff, settling: this.#settling },
    });
    this.#intake = new RecordIntake({
      ...{ context, planted, gate, keeper: this.#keeper, bound, settling: this.#settling },
      verdicts: new WriteVerdicts({ rules, planted, clock: context.clock, gate }),
      holdsForGood: () => this.holdsForGood,
    });
    this.#reader = new CopyReader({
      ...{ context, rules, place: place.known, settling: this.#settling },
      isServing: () => this.serving,
    });
  }

  /** False on a node that only stands in: it keeps copies, and none of its answers counts. */
  get #isReplica(): boolean {
    return this.#place.known.isHolder;
  }

  get serving(): boolean {
    if (!this.#isReplica) return false;
    if (this.#planted.rebuildingVotes === true) return this.#opened;
    return this.#opened && !this.#wholeness.isRebuilding;
  }

  get saysRebuilding(): boolean {
    return this.#wholeness.isRebuilding;
  }

  /** What it stores now counts: it serves, or is being given the shard and has all that comes. */
  get holdsForGood(): boolean {
    return this.serving || (this.#opened && this.#place.known.isJoining);
  }

  /** Every event up to here is known at all replicas; 0 where this one cannot say. */
  get floor(): HybridTime {
    return this.#settling.floor;
  }

  /** Events that begin here have to be newer. */
  get fence(): HybridTime {
    return this.#settling.floors.fence;
  }

  /** As `RecordKeeper` has them. */
  get hasRoom(): boolean {
    return this.#keeper.hasRoom;
  }

  hasRoomFor(record: Uint8Array, held: Uint8Array | undefined): boolean {
    return this.#keeper.hasRoomFor(record, held);
  }

  get epoch(): Epoch {
    return this.#place.known.map.epoch;
  }

  /** Whether a message for a copy of this epoch of the map may be taken; else the map is sent. */
  admits(from: Sender, epoch: number, effects: LeaderlessEffects): boolean {
    return this.#place.known.admits(from, "coordinator", epoch, true, effects);
  }

  step(event: LeaderlessEvent, effects: LeaderlessEffects): void {
    this.#nowMs = event.nowMs;
    switch (event.type) {
      case "message":
        this.#onMessage(event.from, event.message, event.wallMs, event.nowMs, effects);
        break;
      case "opened":
        this.#expiries.open(event.wallMs, effects);
        this.#settling.open(event.wallMs, effects);
        this.#onOpened(event.state, event.nowMs, effects);
        break;
      case "replay":
        if (this.#planted.replayForgotten === true) break;
        for (const record of event.records)
          this.#keeper.replay(record.payload, event.wallMs, effects);
        break;
      case "timer":
        this.#onTimer(event.timer, event.nowMs, event.wallMs, effects);
        break;
      case "reachability":
        this.#antiEntropy.onReachability(event.peer, event.reachable, event.nowMs, effects);
        this.#handoff.onReachability(event.peer, event.reachable, effects);
        if (event.reachable) {
          this.#place.known.tell(event.peer, effects);
          this.#wholeness.onReachable(event.peer, effects);
        }
        this.#settling.onReachability(event.peer, event.reachable, effects);
        break;
      case "identity":
        this.#wholeness.onIdentity(event.peer);
        this.#place.onIdentity(event.peer, effects);
        this.#antiEntropy.onIdentity(event.peer, event.nowMs, effects);
        this.#handoff.onIdentity(event.peer, effects);
        this.#settling.tell(event.peer.node, effects);
        break;
      default:
        break;
    }
  }

  describe(): Readonly<Record<string, unknown>> {
    const place = this.#place.describe();
    const rebuild = this.#wholeness.describe();
    return {
      state: this.#stateWord(),
      ...(place && { place }),
      ...(rebuild && { rebuild }),
      antiEntropy: this.#antiEntropy.describe(),
      hints: this.#handoff.describe(),
      ...(this.#isReplica && { settling: this.#settling.describe() }),
    };
  }

  #stateWord(): string {
    if (!this.#opened) return "closed";
    if (this.#place.known.isJoining) return "joining";
    if (!this.#isReplica) return "standing-in";
    return this.serving ? "serving" : "rebuilding";
  }

  #onTimer(timer: string, nowMs: number, wallMs: number, effects: LeaderlessEffects): void {
    if (this.#wholeness.onTimer(timer, nowMs, effects)) return;
    if (this.#place.onTimer(timer, nowMs, effects)) return;
    if (this.#expiries.onTimer(timer, wallMs, effects)) return;
    if (this.#handoff.onTimer(timer, nowMs, wallMs, effects)) return;
    if (this.#antiEntropy.onTimer(timer, nowMs, wallMs, effects)) return;
    this.#settling.onTimer(timer, nowMs, wallMs, effects);
  }

  /** Another map has taken the place of `before`. */
  #onMap(before: ShardMap, effects: LeaderlessEffects): void {
    this.#settling.onMap(before, effects);
    this.#wholeness.onMap(before, this.#nowMs, effects);
    this.#antiEntropy.review(this.#nowMs, effects);
    this.#handoff.review(effects);
    this.#place.review(this.#nowMs, effects);
  }

  #onOpened(state: OpenedState, nowMs: number, effects: LeaderlessEffects): void {
    this.#opened = true;
    this.#place.known.load(effects);
    this.#handoff.open(effects);
    this.#place.onOpened(state, effects);
    // Nothing is missing where nothing has to be: a stand-in holds what it was given.
    if (this.#isReplica) this.#wholeness.open(state, nowMs, effects);
    this.#place.review(nowMs, effects);
  }

  #onMessage(
    from: Sender,
    message: LeaderlessMessage,
    wallMs: number,
    nowMs: number,
    effects: LeaderlessEffects,
  ): void {
    const admitted = this.#place.admitted(from, message, this.#wholeness.isRebuilding, effects);
    if (admitted !== undefined) this.#onAdmitted(from, admitted, wallMs, nowMs, effects);
  }

  #onAdmitted(
    from: Sender,
    message: CopyMessage | PlaceMessage,
    wallMs: number,
    nowMs: number,
    effects: LeaderlessEffects,
  ): void {
    switch (message.type) {
      case "write":
        this.#intake.onWrite(from, message, wallMs, nowMs, effects);
        break;
      case "read":
        this.#reader.onRead(from, message, effects);
        break;
      case "range":
        this.#reader.onRange(from, message, effects);
        break;
      case "range-reply":
        this.#onRangeReply(from, message, wallMs, nowMs, effects);
        break;
      case "reconcile":
        this.#antiEntropy.onMessage(from, message, nowMs, wallMs, effects, (keyed) =>
          this.#intake.reconcile(from, keyed, wallMs, effects),
        );
        break;
      case "settle":
        if (this.#opened) this.#settling.onMessage(from, message, nowMs, wallMs, effects);
        break;
      case "hint":
        this.#handoff.note(message.key, message.targets, wallMs, effects);
        break;
      case "handoff":
        this.#intake.onHandoff(from, message, wallMs, effects);
        break;
      case "handoff-ack":
        if (!this.#place.leaving.onAck(from, message, nowMs, effects)) {
          this.#handoff.onAck(from, message, nowMs, effects);
        }
        break;
      case "place-map":
      case "place-wanted":
      case "place-prepare":
      case "place-accept":
        this.#place.onMessage(from, message, () => this.serving, effects);
        break;
      case "place-recover":
        // Whoever operates this node decides that, and nobody else.
        if (from.node !== this.#context.self.node) break;
        this.#wholeness.acceptLoss(nowMs, effects);
        this.#place.onMessage(from, message, () => this.serving, effects);
        break;
      default:
        break;
    }
  }

  #onRangeReply(
    from: Sender,
    reply: RangeReply,
    wallMs: number,
    nowMs: number,
    effects: LeaderlessEffects,
  ): void {
    if (reply.purpose === "move") {
      if (!this.#place.catchUp.takes(from, reply, nowMs)) return;
      this.#settling.noteStreamed(reply);
      for (const keyed of reply.entries) this.#keeper.merge(keyed, wallMs, effects);
      this.#place.catchUp.advance(nowMs, effects);
      return;
    }
    if (!this.#wholeness.takes(from, reply, nowMs)) return;
    for (const keyed of reply.entries) this.#keeper.merge(keyed, wallMs, effects);
    this.#wholeness.advance(nowMs, effects);
  }

  /** As `RecordKeeper.store`: what somebody has made of what is held here. */
  store(keyed: KeyedRecord, wallMs: number, effects: LeaderlessEffects): KeyedRecord {
    return this.#keeper.store(keyed, wallMs, effects);
  }
}
