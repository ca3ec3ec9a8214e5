import type { Effects, ReplicaContext, Sender } from "../../../core/contracts/machine.ts";
import type { NodeId } from "../../../core/model/ids.ts";
import { type HybridTime, hybridTimeOf } from "../../../core/model/stamp.ts";
import type { LeaderlessMessage } from "../messages.ts";
import { NO_PLANTED_REPLICA_BUGS, type PlantedReplicaBugs } from "../planted-bugs.ts";
import type { KeyedRecord } from "../record.ts";
import type { RecordRules } from "../record-rules.ts";
import type { RepairSettings } from "../repair-settings.ts";
import { RequestNumbers } from "../request-numbers.ts";
import type { KeySpan } from "./fingerprint.ts";
import { ScanBudget } from "./fingerprint-index.ts";
import { type IsUnderWay, PeerRounds } from "./peer-rounds.ts";
import { ReconcileDraft } from "./reconcile-draft.ts";
import type { ReconcileMessage } from "./reconcile-message.ts";
import { Reconciler } from "./reconciler.ts";

const ROUND_TIMER = "reconcile-round";
const WORK_TIMER = "reconcile-work";
/** Of one step: some tenths of a millisecond. */
const STEP_ENTRIES = 256;
const STEP_BYTES = 256 * 1024;
const STEP_SENT_BYTES = 64 * 1024;
/** Between two steps, so that what clients wait for goes first. */
const STEP_PAUSE_MS = 2;
/**
 * Where this node's timers are late by more than this, it has better things to do than to compare:
 * the pause is as much longer, up to a bound within which replicas still become equal.
 */
const FREE_LAG_MS = 5;
const LONGEST_YIELD_MS = 50;
/** After a peer was met or met again: what it says of itself, and its own rebuilding, come first. */
const FIRST_ROUND_MS = 20;
/**
 * What was written within that time may still be on its way: longer than a write takes where all is
 * well, also in a node that is late. No more than half of the interval.
 */
const ON_ITS_WAY_MS = 5_000;

type LeaderlessEffects = Effects<LeaderlessMessage>;

/**
 * Makes the replicas of a shard equal in the background, pair by pair: of two replicas the one whose
 * node's name comes first begins the rounds, soon after they meet, and then every interval.
 *
 * A round is not awaited: if a difference is found, messages go to and fro until it is gone, and the
 * next round, which comes sooner then, finds out whether it is; as long as messages come and go, it waits,
 * since it would find what they are about. Where all that differs is what is being written (`PeerRounds`),
 * there is no such hurry. Whatever is lost, a later round finds again.
 */
export class AntiEntropy {
  readonly #context: ReplicaContext;
  readonly #settings: RepairSettings;
  readonly #reconciler: Reconciler;
  readonly #peers = new Map<NodeId, PeerRounds>();
  readonly #planted: PlantedReplicaBugs;
  readonly #numbers: RequestNumbers;
  readonly #isBeingWritten: IsUnderWay;
  readonly #onItsWayMs: number;
  /** Not while the replica is being rebuilt: that is a stream of everything. */
  #isRunning = false;
  #isWorking = false;
  /** As of the last message or timer. */
  #wallMs = 0;
  #sentBytes = 0;
  #sentRecords = 0;
  #takenRecords = 0;

  constructor(
    context: ReplicaContext,
    settings: RepairSettings,
    rules: { readonly settling: Pick<RecordRules["settling"], "timeOf"> },
    planted: PlantedReplicaBugs = NO_PLANTED_REPLICA_BUGS,
  ) {
    const { timeOf } = rules.settling;
    this.#reconciler = new Reconciler(timeOf, planted);
    this.#onItsWayMs = Math.min(ON_ITS_WAY_MS, settings.intervalMs / 2);
    this.#isBeingWritten = (record, upTo) => timeOf(record) > (upTo || this.#settledBy());
    this.#planted = planted;
    this.#context = context;
    this.#numbers = new RequestNumbers(context);
    this.#settings = settings;
  }

  /** The replica serves: rounds begin. Others' rounds are answered even where none are begun here. */
  start(nowMs: number, effects: LeaderlessEffects): void {
    this.#isRunning = true;
    this.review(nowMs, effects);
  }

  /** Other nodes hold the shard than did when rounds began; perhaps this one does no more. */
  review(nowMs: number, effects: LeaderlessEffects): void {
    if (!this.#isRunning) return;
    const { replicas } = this.#context.placement(this.#context.shardIndex);
    const own = this.#context.self.node;
    const wanted = replicas.includes(own) ? replicas.filter((node) => node !== own) : [];
    for (const node of [...this.#peers.keys()]) {
      if (wanted.includes(node)) continue;
      this.#peers.delete(node);
      this.#reconciler.forget(node);
    }
    for (const node of wanted) {
      if (this.#peers.has(node)) continue;
      const isReachable = this.#context.isReachable(node);
      const nextAtMs = nowMs + (isReachable ? FIRST_ROUND_MS : this.#pauseMs());
      this.#peers.set(node, new PeerRounds(node, nextAtMs, this.#isBeingWritten));
    }
    this.#armRounds(nowMs, effects);
  }

  /** The replica is to be rebuilt: nothing is compared, and nobody is answered, before it is. */
  stop(): void {
    this.#isRunning = false;
    for (const peer of this.#peers.keys()) this.#reconciler.forget(peer);
  }

  /** Makes both sides equal in a span, now. */
  mend(peer: NodeId, span: KeySpan, effects: LeaderlessEffects): void {
    if (!this.#isRunning) return;
    this.#reconciler.beginSpan(peer, span);
    this.#armWork(0, effects);
  }

  /** The key's record has changed. */
  touch(key: Uint8Array): void {
    if (this.#planted.treeNotKeptInStep === true) return;
    this.#reconciler.index.touch(key);
  }

  /** False: the timer is not one of these. */
  onTimer(timer: string, nowMs: number, wallMs: number, effects: LeaderlessEffects): boolean {
    this.#wallMs = wallMs;
    if (timer === ROUND_TIMER) this.#beginRounds(nowMs, effects);
    else if (timer === WORK_TIMER) this.#work(nowMs, effects);
    else return false;
    return true;
  }

  /** The first round comes right after a partition has healed. */
  onReachability(
    peer: NodeId,
    reachable: boolean,
    nowMs: number,
    effects: LeaderlessEffects,
  ): void {
    const rounds = this.#peers.get(peer);
    if (rounds === undefined) return;
    if (!reachable) this.#reconciler.forget(peer);
    else this.#hurry(rounds, nowMs, effects);
  }

  onIdentity({ node }: Sender, nowMs: number, effects: LeaderlessEffects): void {
    const rounds = this.#peers.get(node);
    if (rounds === undefined) return;
    rounds.settledAtMs = undefined;
    this.#reconciler.forget(node);
    this.#hurry(rounds, nowMs, effects);
  }

  /**
   * `merge` takes a record that came, and answers what is held of its key then.
   */
  onMessage(
    from: Sender,
    message: ReconcileMessage,
    nowMs: number,
    wallMs: number,
    effects: LeaderlessEffects,
    merge: (keyed: KeyedRecord) => KeyedRecord,
  ): void {
    this.#wallMs = wallMs;
    const rounds = this.#peers.get(from.node);
    if (!this.#isRunning || rounds === undefined) return;
    const { records, isAnswer, settledRound } = message;
    rounds.noteAnswer();
    if (records.length > 0) {
      this.#takenRecords += records.length;
      const merged = records.map(merge);
      rounds.noteTaken(merged);
      const back = isAnswer ? [] : merged.filter((keyed, at) => keyed !== records[at]);
      if (back.length > 0) this.#sendBack(from.node, back, effects);
    }
    if (settledRound !== 0 && settledRound === rounds.round) this.#settle(rounds, nowMs, effects);
    else rounds.putOff(nowMs);
    this.#reconciler.take(from.node, message);
    this.#armWork(0, effects);
  }

  describe(): Readonly<Record<string, unknown>> {
    const { whole } = this.#reconciler.index;
    return {
      ...(whole && { fingerprint: whole.describe() }),
      sentRecords: this.#sentRecords,
      sentBytes: this.#sentBytes,
      takenRecords: this.#takenRecords,
      dropped: this.#reconciler.dropped,
      rounds: [...this.#peers.values()].map(({ node, round, settledAtMs }) => ({
        node,
        round,
        settledAtMs,
      })),
    };
  }

  #sendBack(peer: NodeId, records: readonly KeyedRecord[], effects: LeaderlessEffects): void {
    const draft = new ReconcileDraft(peer);
    for (const keyed of records) draft.addRecord(keyed);
    this.#count(draft);
    const rounds = this.#peers.get(peer);
    if (rounds !== undefined) rounds.exchanged += records.length;
    const message = { ...draft.finish(), isAnswer: true };
    effects.send(peer, "replica", this.#context.shardIndex, message, "bulk");
  }

  #settle(rounds: PeerRounds, nowMs: number, effects: LeaderlessEffects): void {
    const isWhole = rounds.settle(nowMs, this.#pauseMs());
    if (isWhole && rounds.exchanged > 0) {
      const { exchanged: records, node: peer } = rounds;
      effects.emit({ type: "replicas-equal", shard: this.#context.shardIndex, peer, records });
      rounds.exchanged = 0;
    }
    this.#armRounds(nowMs, effects);
  }

  #hurry(rounds: PeerRounds, nowMs: number, effects: LeaderlessEffects): void {
    rounds.meet(nowMs + FIRST_ROUND_MS);
    this.#armRounds(nowMs, effects);
  }

  #beginRounds(nowMs: number, effects: LeaderlessEffects): void {
    for (const rounds of this.#own()) {
      if (rounds.nextAtMs > nowMs) continue;
      const pauseMs = this.#pauseMs();
      if (!this.#context.isReachable(rounds.node)) rounds.nextAtMs = nowMs + pauseMs;
      else if (!rounds.maybeEndBusy(nowMs, pauseMs)) {
        rounds.begin(this.#numbers.next(), nowMs, pauseMs, this.#settledBy());
        this.#reconciler.begin(rounds.node, rounds.round, rounds.upTo);
      }
    }
    this.#armWork(0, effects);
    this.#armRounds(nowMs, effects);
  }

  #work(nowMs: number, effects: LeaderlessEffects): void {
    this.#isWorking = false;
    const budget = new ScanBudget(STEP_ENTRIES, STEP_BYTES);
    let sent = 0;
    while (sent < STEP_SENT_BYTES) {
      const { next } = this.#reconciler;
      if (next === undefined) break;
      const { peer, upTo } = next;
      const draft = new ReconcileDraft(peer, upTo);
      this.#reconciler.work(effects, budget, draft, STEP_SENT_BYTES - sent);
      if (draft.isEmpty && budget.isSpent) break;
      if (draft.isEmpty) continue;
      sent += draft.bytes;
      this.#count(draft);
      const message = draft.finish();
      const rounds = this.#peers.get(peer);
      rounds?.putOff(nowMs);
      rounds?.noteSent(message.records);
      effects.send(peer, "replica", this.#context.shardIndex, message, "bulk");
    }
    this.#armWork((sent * 1_000) / this.#settings.bytesPerSecond, effects);
  }

  /** What was written by then has arrived where all is well. */
  #settledBy(): HybridTime {
    return hybridTimeOf(this.#wallMs - this.#onItsWayMs);
  }

  #count(draft: ReconcileDraft): void {
    this.#sentBytes += draft.bytes;
    this.#sentRecords += draft.records;
  }

  #armWork(afterMs: number, effects: LeaderlessEffects): void {
    if (this.#isWorking || this.#reconciler.isIdle) return;
    this.#isWorking = true;
    effects.setTimer(WORK_TIMER, Math.max(STEP_PAUSE_MS, afterMs, this.#yieldMs()));
  }

  #yieldMs(): number {
    return Math.min(LONGEST_YIELD_MS, this.#context.health.eventLoopLagMs() - FREE_LAG_MS);
  }

  #armRounds(nowMs: number, effects: LeaderlessEffects): void {
    if (!this.#isRunning) return;
    let nextAtMs = Number.POSITIVE_INFINITY;
    for (const rounds of this.#own()) nextAtMs = Math.min(nextAtMs, rounds.nextAtMs);
    if (nextAtMs === Number.POSITIVE_INFINITY) return;
    effects.setTimer(ROUND_TIMER, Math.max(0, nextAtMs - nowMs));
  }

  /** Those whose rounds this replica begins. */
  #own(): readonly PeerRounds[] {
    if (this.#settings.intervalMs === Number.POSITIVE_INFINITY) return [];
    const own = this.#context.self.node;
    return [...this.#peers.values()].filter(({ node }) => own < node);
  }

  /** The interval, a quarter more or less: a node's shards do not all wake at once. */
  #pauseMs(): number {
    const spread = 0.75 + (this.#context.randomUint32() / 2 ** 32) * 0.5;
    return this.#settings.intervalMs * spread;
  }
}
