import type { Effects, ReplicaContext, Sender } from "../../../core/contracts/machine.ts";
import type { NodeId } from "../../../core/model/ids.ts";
import type { LeaderlessMessage } from "../messages.ts";
import { Patience } from "../patience.ts";
import { NO_PLANTED_REPLICA_BUGS, type PlantedReplicaBugs } from "../planted-bugs.ts";
import { type KeyedRecord, keyRecord } from "../record.ts";
import type { RepairSettings } from "../repair-settings.ts";
import { RequestNumbers } from "../request-numbers.ts";
import type { HandoffAck } from "./handoff-messages.ts";
import { type Hint, HintTable } from "./hint-table.ts";
import { Refusals } from "./refusals.ts";

const TIMER = "handoff";
const BATCH_BYTES = 64 * 1024;
/** Of rows, which are read before the records that they name. */
const ROWS_BYTES = 8 * 1024;
const FIRST_MS = 20;
const STEP_PAUSE_MS = 2;
/** Between two looks whether a batch is to be sent again. */
const LOOK_MS = 2_000;
/** Between two looks whether something that was refused is to be offered again. */
const REST_MS = 10_000;

type LeaderlessEffects = Effects<LeaderlessMessage>;

/** What a target does not take, and how far its rows were gone through for what it may. */
interface Reluctance {
  readonly refusals: Refusals;
  behind: Uint8Array | undefined;
  /** All that is left was refused: there is nothing to be sent before that. */
  restsUntilMs: number;
}

/** Sent again it is the same: any acknowledgement of it is one of all that is in it. */
interface Batch {
  readonly sent: readonly { readonly hint: Hint; readonly record: Uint8Array }[];
  readonly records: readonly KeyedRecord[];
  readonly bytes: number;
}

/**
 * Hinted handoff (DeCandia et al., "Dynamo", SOSP 2007, §4.6): whoever holds a version that another
 * replica has missed remembers so, and hands it over when that one can be reached again.
 *
 * On a replica the hints are bounded in number and age, and losing them costs time alone: what they
 * would have brought, anti-entropy brings later. On a node that stands in, they are what its copies
 * are there for: a copy goes when every replica of the shard has acknowledged it, and not before; new
 * ones are not taken beyond a number, and beyond their bytes.
 */
export class Handoff {
  readonly #context: ReplicaContext;
  readonly #settings: RepairSettings;
  readonly #table = new HintTable();
  readonly #batches = new Map<NodeId, Batch>();
  readonly #patience = new Map<NodeId, Patience>();
  readonly #reluctant = new Map<NodeId, Reluctance>();
  readonly #onLeft: (key: Uint8Array) => void;
  readonly #planted: PlantedReplicaBugs;
  readonly #numbers: RequestNumbers;
  #isArmed = false;
  /** The whole rows' walk starts behind the last target, so that none of them starves the others. */
  #lastTarget: NodeId | undefined;
  #delivered = 0;
  #expired = 0;
  #dropped = 0;
  #refused = 0;

  /** `onLeft` is told of each copy that a stand-in gives up. */
  constructor(
    context: ReplicaContext,
    settings: RepairSettings,
    onLeft: (key: Uint8Array) => void = () => undefined,
    planted: PlantedReplicaBugs = NO_PLANTED_REPLICA_BUGS,
  ) {
    this.#planted = planted;
    this.#context = context;
    this.#numbers = new RequestNumbers(context);
    this.#settings = settings;
    this.#onLeft = onLeft;
  }

  /** Before any write of the step. */
  open(effects: LeaderlessEffects): void {
    this.#table.load(effects);
    this.#arm(FIRST_MS, effects);
  }

  /** Other nodes hold the shard now. */
  review(effects: LeaderlessEffects): void {
    this.#arm(FIRST_MS, effects);
  }

  /** A coordinator says that these have missed what is held here. */
  note(
    key: Uint8Array,
    targets: readonly NodeId[],
    wallMs: number,
    effects: LeaderlessEffects,
  ): void {
    if (effects.get(key) === undefined) return;
    for (const target of targets) {
      if (target === this.#context.self.node || !this.#targets().includes(target)) continue;
      if (this.#table.size >= this.#settings.maxHints) this.#drop("full");
      else this.#table.add(target, key, wallMs, effects);
      this.#changed(target, key);
    }
    this.#arm(FIRST_MS, effects);
  }

  /** A stand-in has stored a copy of so many bytes: every replica is to have it. */
  noteCopy(key: Uint8Array, bytes: number, wallMs: number, effects: LeaderlessEffects): void {
    for (const target of this.#targets()) {
      this.#table.add(target, key, wallMs, effects, bytes);
      this.#changed(target, key);
    }
    this.#arm(FIRST_MS, effects);
  }

  /** How many hints there are: on a stand-in, those of the copies that it has not handed over. */
  get held(): number {
    return this.#table.size;
  }

  /**
   * Whether a stand-in has as many copies as it may have, or as many bytes of them: for one of the
   * replicas, since most often it is one that lacks them all.
   */
  get isFull(): boolean {
    const { maxHints, maxHintBytes } = this.#settings;
    return this.#targets().some(
      (target) =>
        this.#table.count(target) >= maxHints || this.#table.copyBytesFor(target) >= maxHintBytes,
    );
  }

  /** False: the timer is another's. */
  onTimer(timer: string, nowMs: number, wallMs: number, effects: LeaderlessEffects): boolean {
    if (timer !== TIMER) return false;
    this.#isArmed = false;
    if (this.#forgetWhoLeft(effects)) return true;
    let bytes = this.#sendAgain(nowMs, wallMs, effects);
    const target = this.#nextTarget(nowMs);
    if (target !== undefined) bytes += this.#sendNext(target, nowMs, wallMs, effects);
    if (this.#nextTarget(nowMs) !== undefined) {
      const pauseMs = (bytes * 1_000) / this.#settings.bytesPerSecond;
      this.#arm(Math.max(STEP_PAUSE_MS, pauseMs), effects);
    } else if (this.#batches.size > 0 || this.#reluctant.size > 0) this.#arm(LOOK_MS, effects);
    return true;
  }

  onReachability(peer: NodeId, reachable: boolean, effects: LeaderlessEffects): void {
    this.#batches.delete(peer);
    this.#reluctant.delete(peer);
    if (reachable && this.#table.count(peer) > 0) this.#hurry(FIRST_MS, effects);
  }

  /** Whoever acknowledged may have been somebody else. */
  onIdentity({ node }: Sender, effects: LeaderlessEffects): void {
    this.#batches.delete(node);
    this.#reluctant.delete(node);
    if (this.#table.count(node) > 0) this.#hurry(FIRST_MS, effects);
  }

  onAck(
    from: Sender,
    { requestId, refused = [] }: Omit<HandoffAck, "type">,
    nowMs: number,
    effects: LeaderlessEffects,
  ): void {
    const batch = this.#batches.get(from.node);
    const patience = this.#patienceWith(from.node);
    if (batch === undefined || !patience.awaits(requestId)) return;
    this.#batches.delete(from.node);
    patience.answered(requestId, nowMs);
    this.#noteRefused(from.node, batch, refused, nowMs, effects);
    const places = new Set(refused);
    for (const [place, { hint, record }] of batch.sent.entries()) {
      if (places.has(place)) continue;
      const held = effects.get(hint.key);
      // What came in between is still to be handed over.
      if (held !== undefined && Buffer.compare(held, record) !== 0) continue;
      this.#reluctant.get(from.node)?.refusals.delete(hint.key);
      if (this.#planted.hintsNeverDeleted !== true) this.#table.remove(from.node, hint, effects);
      this.#delivered++;
      this.#context.count?.("hints_delivered", 1);
      // What a replica has held goes by the walk of those that leave, which asks every new one.
      if (!this.#isReplica && held !== undefined && hint.isCopy) {
        this.#giveUpCopy(hint.key, effects);
      }
    }
    if (this.#table.count(from.node) === 0) {
      this.#reluctant.delete(from.node);
      const { shardIndex: shard } = this.#context;
      effects.emit({ type: "hints-delivered", shard, peer: from.node });
    }
    if (this.#table.size > 0) this.#hurry(STEP_PAUSE_MS, effects);
  }

  describe(): Readonly<Record<string, unknown>> {
    return {
      held: this.#table.size,
      ...(this.#isReplica ? {} : { copyBytes: this.#table.copyBytes }),
      delivered: this.#delivered,
      expired: this.#expired,
      dropped: this.#dropped,
      refused: this.#refused,
    };
  }

  /** What was refused stays, and is offered again. */
  #noteRefused(
    target: NodeId,
    { sent }: Batch,
    refused: readonly number[],
    nowMs: number,
    effects: LeaderlessEffects,
  ): void {
    const hints = refused.flatMap((place) => sent[place]?.hint ?? []);
    if (hints.length === 0) return;
    const { refusals } = this.#reluctanceOf(target);
    this.#refused += hints.length;
    this.#context.count?.("hints_refused", hints.length);
    let records = 0;
    for (const { key } of hints) if (refusals.add(key, nowMs)) records++;
    const { shardIndex: shard } = this.#context;
    if (records > 0) effects.emit({ type: "hints-refused", shard, peer: target, records });
  }

  #reluctanceOf(target: NodeId): Reluctance {
    const known = this.#reluctant.get(target) ?? {
      refusals: new Refusals(),
      behind: undefined,
      restsUntilMs: Number.NEGATIVE_INFINITY,
    };
    this.#reluctant.set(target, known);
    return known;
  }

  /** There is another record of the key for a target that has refused something. */
  #changed(target: NodeId, key: Uint8Array): void {
    const reluctance = this.#reluctant.get(target);
    if (reluctance === undefined) return;
    reluctance.refusals.delete(key);
    reluctance.behind = undefined;
    reluctance.restsUntilMs = Number.NEGATIVE_INFINITY;
  }

  #drop(reason: "full" | "target-left"): void {
    this.#dropped++;
    this.#context.count?.("hints_dropped", 1, { reason });
  }

  #expire(): void {
    this.#expired++;
    this.#context.count?.("hints_expired", 1);
  }

  /** Every replica has acknowledged what is held now. */
  #giveUpCopy(key: Uint8Array, effects: LeaderlessEffects): void {
    const isWanted = this.#targets().some((target) => this.#table.has(target, key, effects));
    if (isWanted) return;
    effects.delete(key);
    this.#onLeft(key);
  }

  /**
   * Hints for a node that holds the shard no more: it is to get nothing, and what a stand-in has is
   * handed to the new replicas by the walk of those that hold it no longer. False: there are none.
   */
  #forgetWhoLeft(effects: LeaderlessEffects): boolean {
    const targets = this.#targets();
    const left = this.#table.targets.find((target) => !targets.includes(target));
    if (left === undefined) return false;
    this.#batches.delete(left);
    this.#reluctant.delete(left);
    for (const hint of this.#table.first(left, ROWS_BYTES, effects)) {
      this.#table.remove(left, hint, effects);
      this.#drop("target-left");
    }
    this.#arm(STEP_PAUSE_MS, effects);
    return true;
  }

  /** Batches that are not acknowledged for too long. What is in bytes on its way then. */
  #sendAgain(nowMs: number, wallMs: number, effects: LeaderlessEffects): number {
    let bytes = 0;
    for (const [target, batch] of this.#batches) {
      if (!this.#patienceWith(target).isDue(nowMs)) continue;
      if (this.#isOutdated(batch, wallMs, effects)) {
        this.#batches.delete(target);
        continue;
      }
      this.#send(target, batch, nowMs, effects);
      bytes += batch.bytes;
    }
    return bytes;
  }

  /** Something in it is no longer to be handed over, or not as it was then. */
  #isOutdated({ sent }: Batch, wallMs: number, effects: LeaderlessEffects): boolean {
    return sent.some(({ hint, record }) => {
      const held = effects.get(hint.key);
      const isSame = held !== undefined && Buffer.compare(held, record) === 0;
      return !isSame || this.#isOld(hint, wallMs);
    });
  }

  #isOld({ sinceMs }: Hint, wallMs: number): boolean {
    return this.#isReplica && wallMs - sinceMs > this.#settings.hintMaxAgeMs;
  }

  #patienceWith(target: NodeId): Patience {
    const known = this.#patience.get(target) ?? new Patience();
    this.#patience.set(target, known);
    return known;
  }

  #send(target: NodeId, { records }: Batch, nowMs: number, effects: LeaderlessEffects): void {
    const requestId = this.#numbers.next();
    this.#patienceWith(target).asked(requestId, nowMs);
    const message = { type: "handoff", requestId, records } as const;
    effects.send(target, "replica", this.#context.shardIndex, message, "bulk");
  }

  /** What is in bytes on its way then. */
  #sendNext(target: NodeId, nowMs: number, wallMs: number, effects: LeaderlessEffects): number {
    this.#lastTarget = target;
    const sent: { hint: Hint; record: Uint8Array }[] = [];
    const records: KeyedRecord[] = [];
    let bytes = 0;
    for (const hint of this.#rowsFor(target, nowMs, effects)) {
      const record = effects.get(hint.key);
      const isOld = this.#isOld(hint, wallMs);
      if (record === undefined || isOld) {
        this.#table.remove(target, hint, effects);
        if (isOld) this.#expire();
        continue;
      }
      if (bytes > 0 && bytes + record.length > BATCH_BYTES) break;
      const keyed = keyRecord(hint.key, record);
      bytes += keyed.payload.length;
      sent.push({ hint, record });
      records.push(keyed);
    }
    if (records.length === 0) return 0;
    const batch = { sent, records, bytes };
    this.#batches.set(target, batch);
    this.#patienceWith(target).forget();
    this.#send(target, batch, nowMs, effects);
    return bytes;
  }

  /** The next rows of what the target has not refused lately. */
  #rowsFor(target: NodeId, nowMs: number, effects: LeaderlessEffects): readonly Hint[] {
    const reluctance = this.#reluctant.get(target);
    const rows = this.#table.first(target, ROWS_BYTES, effects, reluctance?.behind);
    if (reluctance === undefined) return rows;
    const open = rows.filter(({ key }) => !reluctance.refusals.has(key, nowMs));
    if (open.length > 0) return open;
    // Through with all of them: there is nothing but what it has refused.
    if (rows.length === 0) reluctance.restsUntilMs = nowMs + REST_MS;
    reluctance.behind = rows.at(-1)?.row;
    return open;
  }

  /** Whom something is to be sent to now. */
  #nextTarget(nowMs: number): NodeId | undefined {
    const targets = this.#targets();
    const first = this.#lastTarget === undefined ? 0 : targets.indexOf(this.#lastTarget) + 1;
    const inTurn = [...targets.slice(first), ...targets.slice(0, first)];
    return inTurn.find(
      (target) =>
        this.#table.count(target) > 0 &&
        !this.#batches.has(target) &&
        nowMs >= (this.#reluctant.get(target)?.restsUntilMs ?? nowMs) &&
        this.#context.isReachable(target),
    );
  }

  #arm(afterMs: number, effects: LeaderlessEffects): void {
    if (this.#isArmed || (this.#table.size === 0 && this.#batches.size === 0)) return;
    this.#isArmed = true;
    effects.setTimer(TIMER, afterMs);
  }

  /** Sooner than it was armed for. */
  #hurry(afterMs: number, effects: LeaderlessEffects): void {
    this.#isArmed = false;
    this.#arm(afterMs, effects);
  }

  get #isReplica(): boolean {
    return this.#replicas.includes(this.#context.self.node);
  }

  #targets(): readonly NodeId[] {
    return this.#replicas.filter((node) => node !== this.#context.self.node);
  }

  get #replicas(): readonly NodeId[] {
    return this.#context.placement(this.#context.shardIndex).replicas;
  }
}
