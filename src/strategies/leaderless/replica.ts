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
import { Expiries } from "./expiries.ts";
import { Handoff } from "./handoff/handoff.ts";
import type { HandoffMessage } from "./handoff/handoff-messages.ts";
import type {
  CopyMessage,
  LeaderlessMessage,
  RangeMessage,
  RangeReply,
  ReadMessage,
  WriteMessage,
} from "./messages.ts";
import { CopyPlace } from "./place/copy-place.ts";
import { atEpoch, type PlaceMessage } from "./place/place-messages.ts";
import { NO_PLANTED_REPLICA_BUGS, type PlantedReplicaBugs } from "./planted-bugs.ts";
import { readRun } from "./range-run.ts";
import { type KeyedRecord, keyRecord, splitPayload } from "./record.ts";
import { RecordBound } from "./record-bound.ts";
import { mergedOf, type RecordRules } from "./record-rules.ts";
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
 * Invariants:
 * - what is held of a key only grows in the order of `RecordRules.relation`;
 * - an answer says `serving` only if the replica has learned everything that an earlier holder of
 *   its place may have acknowledged (docs/decisions/0013).
 *
 * What a record is, its rules say. Streams of a rebuild, of anti-entropy and of those who hand off
 * what was missed all go through `merge`.
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
  readonly #rules: RecordRules;
  readonly #antiEntropy: AntiEntropy;
  readonly #handoff: Handoff;
  readonly #bound: RecordBound;
  readonly #expiries: Expiries;
  readonly #settling: Settling;
  readonly #gate: Gate;
  readonly #verdicts: WriteVerdicts;

  /** `onCopyLeft` is told of each copy that a stand-in gives up, where nodes stand in. */
  constructor(
    context: ReplicaContext,
    planted: PlantedReplicaBugs = NO_PLANTED_REPLICA_BUGS,
    rules: RecordRules = stampedRulesWith(planted),
    onCopyLeft?: (key: Uint8Array) => void,
  ) {
    this.#context = context;
    this.#planted = planted;
    this.#rules = rules;
    this.#expiries = new Expiries(context.clock, rules, planted, (keyed, wallMs, effects) => {
      this.store(keyed, wallMs, effects, "expire");
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
    this.#bound = new RecordBound(context);
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
    this.#gate = new Gate({
      ...{ settling: this.#settling, rules, planted, reapAfterMs: repair.reapAfterMs },
      isLearning: () => this.#wholeness.isRebuilding || this.#place.known.isJoining,
      isJoining: () => this.#place.known.isJoining,
    });
    this.#verdicts = new WriteVerdicts({ rules, planted, clock: context.clock, gate: this.#gate });
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

  /** False on a node that stands in and keeps as many copies as it may. */
  get hasRoom(): boolean {
    return this.#place.known.isMember || !this.#handoff.isFull;
  }

  /** Whether a record may take the place of what is held: without room not one that is longer. */
  hasRoomFor(record: Uint8Array, held: Uint8Array | undefined): boolean {
    if (!this.#bound.takes(record)) return false;
    return (held !== undefined && record.length <= held.length) || this.hasRoom;
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
        for (const record of event.records) this.#replay(record.payload, event.wallMs, effects);
        break;
      case "timer":
        this.#onTimer(event.timer, event.nowMs, event.wallMs, effects);
        break;
      case "reachability":
        this.#antiEntropy.onReachability(event.peer, event.reachable, event.nowMs, effects);
        this.#handoff.onReachability(event.peer, event.reachable, effects);
        if (event.reachable) this.#place.known.tell(event.peer, effects);
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
        this.#onWrite(from, message, wallMs, nowMs, effects);
        break;
      case "read":
        this.#onRead(from, message, effects);
        break;
      case "range":
        this.#onRange(from, message, effects);
        break;
      case "range-reply":
        this.#onRangeReply(from, message, wallMs, nowMs, effects);
        break;
      case "reconcile":
        this.#antiEntropy.onMessage(from, message, nowMs, wallMs, effects, (keyed) =>
          this.#gate.reconcile(
            keyed,
            effects,
            (news, admitted) => this.merge(news, wallMs, effects, admitted),
            (deletion) => this.#settling.tellOfDeletion(from.node, deletion, effects),
          ),
        );
        break;
      case "settle":
        if (this.#opened) this.#settling.onMessage(from, message, nowMs, wallMs, effects);
        break;
      case "hint":
        this.#handoff.note(message.key, message.targets, wallMs, effects);
        break;
      case "handoff":
        this.#onHandoff(from, message, wallMs, effects);
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

  #onWrite(
    from: Sender,
    message: WriteMessage,
    wallMs: number,
    nowMs: number,
    effects: LeaderlessEffects,
  ): void {
    const { keyed, kind } = message;
    const held = effects.get(keyed.key);
    // No answer: the coordinator counts nobody who has not said that he holds it.
    if (held === undefined && !this.hasRoom) return;
    const judged = kind === "first-hand" ? "news" : this.#gate.judge(message, held, wallMs);
    if (judged === "refused") return;
    const { verdict, stored } =
      judged === "held"
        ? ({ verdict: "equal", stored: keyed } as const)
        : this.#verdicts.of(message, held, wallMs, nowMs);
    if (verdict === "stored" && !this.hasRoomFor(stored.record, held)) return;
    if (verdict === "stored") this.store(stored, wallMs, effects);
    if (kind === "repair") return;
    effects.send(from.node, "coordinator", this.#context.shardIndex, {
      type: "write-ack",
      requestId: message.requestId,
      verdict,
      serving: this.holdsForGood,
      stamp: verdict === "newer" ? this.#gate.stampAbove(keyed.record, held) : undefined,
    });
  }

  #onRead(from: Sender, message: ReadMessage, effects: LeaderlessEffects): void {
    const held = effects.get(message.key) ?? this.#settling.absent;
    const { digestAbove, requestId, stampOnly } = message;
    const { serving } = this;
    const isDigest = digestAbove !== undefined && held !== undefined && held.length > digestAbove;
    const isShort = held !== undefined && (isDigest || stampOnly);
    const record = isShort ? this.#rules.summaryOf(held) : held;
    const reply = { type: "read-reply", requestId, serving, record } as const;
    const answer = isDigest ? { ...reply, fullBytes: held.length } : reply;
    effects.send(from.node, "coordinator", this.#context.shardIndex, answer);
  }

  #onRange(from: Sender, message: RangeMessage, effects: LeaderlessEffects): void {
    const { entries, more } = readRun(effects, message);
    const forCopy = message.purpose !== "scan";
    const reply: RangeReply = {
      type: "range-reply",
      requestId: message.requestId,
      purpose: message.purpose,
      serving: this.serving,
      entries,
      more,
      floor: this.#settling.floors.floor,
      reapable: this.#settling.floors.reapable,
    };
    const { shardIndex } = this.#context;
    if (!forCopy) effects.send(from.node, "coordinator", shardIndex, reply);
    else {
      const { map, vote } = this.#place.known;
      effects.send(from.node, "replica", shardIndex, atEpoch(map, reply, vote), "bulk");
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
      for (const keyed of reply.entries) this.merge(keyed, wallMs, effects);
      this.#place.catchUp.advance(nowMs, effects);
      return;
    }
    if (!this.#wholeness.takes(from, reply, nowMs)) return;
    for (const keyed of reply.entries) this.merge(keyed, wallMs, effects);
    this.#wholeness.advance(nowMs, effects);
  }

  #onHandoff(from: Sender, message: HandoffMessage, wallMs: number, fx: LeaderlessEffects): void {
    const { records, requestId } = message;
    const overwrites = this.#planted.hintsOverwriteNewer === true;
    const take = (keyed: KeyedRecord, admitted: Uint8Array): KeyedRecord =>
      overwrites ? this.store(keyed, wallMs, fx) : this.merge(keyed, wallMs, fx, admitted);
    const refused = this.#gate.takeHandedOver(records, wallMs, fx, this.#bound, take);
    if (refused === undefined) return;
    const ack = { type: "handoff-ack", requestId, ...(refused.length > 0 && { refused }) } as const;
    fx.send(from.node, "replica", this.#context.shardIndex, ack, "bulk");
  }

  /**
   * Streams, hints and anti-entropy: what is held and what comes become one, whatever the clock
   * says. `admitted` is what of the record is news. Answers what is held then: `keyed` itself if
   * that is all there is, or if nothing is held, as it is too large.
   */
  merge(
    keyed: KeyedRecord,
    wallMs: number,
    effects: LeaderlessEffects,
    admitted = keyed.record,
  ): KeyedRecord {
    const held = effects.get(keyed.key);
    const overwrites = this.#planted.rebuildOverwritesNewer === true;
    const merged = overwrites ? admitted : mergedOf(this.#rules, held, admitted, keyed.key);
    const cause = this.#planted.repairIsNotTold === true ? "not-told" : undefined;
    let result = merged === keyed.record ? keyed : keyRecord(keyed.key, merged);
    if (merged !== held && !this.#bound.takes(result.record)) {
      return held === undefined ? keyed : keyRecord(keyed.key, held);
    }
    if (merged === keyed.record) return this.store(keyed, wallMs, effects, cause);
    if (merged !== held) result = this.store(result, wallMs, effects, cause);
    // It may have been held since this node stood in, which does not look when a copy expires.
    else if (this.#place.known.isMember) {
      this.#expiries.note(keyed.key, merged, wallMs, effects);
    }
    // Equal bytes in another buffer are what came, too.
    return Buffer.compare(result.record, keyed.record) === 0 ? keyed : result;
  }

  /**
   * Keeps a record that includes what is held of its key, and answers what is kept: of what has
   * expired by now only that it was there.
   */
  store(
    given: KeyedRecord,
    wallMs: number,
    effects: LeaderlessEffects,
    cause?: "expire" | "not-told",
  ): KeyedRecord {
    const keyed = this.#expiries.admit(given, wallMs, this.#place.known.isMember, effects);
    // Within the guard only: a stored stamp never drags this node's clock along.
    const time = this.#rules.settling.timeOf(keyed.record);
    this.#context.clock.observeTime(time, wallMs);
    effects.append(keyed.payload);
    this.#antiEntropy.touch(keyed.key);
    if (this.#isReplica) this.#settling.noteStored(keyed.record, time, effects);
    if (!this.#place.known.isMember) {
      this.#handoff.noteCopy(keyed.key, keyed.record.length, wallMs, effects);
    }
    if (this.#planted.tombstoneForgotten === true && this.#rules.isTombstone(keyed.record)) {
      effects.delete(keyed.key);
    } else effects.put(keyed.key, keyed.record);
    const { changeOf } = this.#rules;
    if (changeOf !== undefined && effects.isWatched && cause !== "not-told") {
      const change = changeOf(keyed.key, keyed.record);
      const isGone = cause === "expire" && change.type === "delete";
      effects.change(isGone ? { ...change, type: cause } : change);
    }
    return keyed;
  }

  /** The log's own record: it is in the log already. */
  #replay(payload: Uint8Array, wallMs: number, effects: LeaderlessEffects): void {
    const { key, record } = splitPayload(payload, this.#rules.check);
    const held = effects.get(key);
    const merged = mergedOf(this.#rules, held, record);
    if (merged === held) return;
    this.#context.clock.observeTime(this.#rules.settling.timeOf(record), wallMs);
    if (this.#place.known.isMember) this.#expiries.note(key, merged, wallMs, effects);
    effects.put(key, merged);
    this.#settling.noteReplayed(merged, effects);
    this.#antiEntropy.touch(key);
    if (!this.#place.known.isMember) this.#handoff.noteCopy(key, merged.length, wallMs, effects);
  }
}
