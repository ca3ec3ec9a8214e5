import type {
  CoordinatorContext,
  Effects,
  ScanTask,
  Sender,
} from "../../../core/contracts/machine.ts";
import type { PartitionPolicy } from "../../../core/model/configuration-types.ts";
import { CapstanError } from "../../../core/model/errors.ts";
import type { Level } from "../../../core/model/levels.ts";
import type { ScanEntry, ScanPage } from "../../../core/model/operations.ts";
import { ableReplicas } from "../able-replicas.ts";
import { type Demand, type Demands, isMetBy, mayLower, membersOf } from "../demand.ts";
import type { ExpiryView } from "../expiry-view.ts";
import { levelTooHigh, tooFewReachable, unansweredRead } from "../faults.ts";
import type { CopyMessage, LeaderlessMessage, RangeReply } from "../messages.ts";
import { atEpoch } from "../place/place-messages.ts";
import { receiptOf } from "../receipts.ts";
import { type KeyedRecord, keyRecord } from "../record.ts";
import { mergedOf, type RecordRules } from "../record-rules.ts";
import { countOf, ReplicaAnswers, type ReplicaMask } from "../replica-answers.ts";

/** Keys are spread over the shards by hash, so each is asked for its share and a little more. */
const SHARE_SLACK = 1.25;
const SHARE_MINIMUM = 16;
/** For all shards of a page together. */
const PAGE_BYTES = 4 * 1024 * 1024;
const SHARD_MINIMUM_BYTES = 16 * 1024;
const WIDEN_AFTER_PART = 0.5;

interface ShardGather {
  readonly answers: ReplicaAnswers;
  readonly demand: Demand;
  readonly replies: (RangeReply | undefined)[];
}

interface PendingScan {
  readonly task: ScanTask;
  readonly roundId: number;
  readonly shards: readonly ShardGather[];
  readonly widenAtMs: number;
  readonly deadlineMs: number;
  widened: boolean;
  /** Shards that have not met their count. */
  missing: number;
}

/** What a scan has to know of its strategy. */
export interface ScanKind {
  readonly partitionPolicy: PartitionPolicy;
  readonly levels: readonly Level[];
  readonly rules: RecordRules;
  /** What the client gets of a record that is alive. */
  readonly entryOf: (keyed: KeyedRecord) => ScanEntry;
  /** By which clock something has expired. Left out: nothing does. */
  readonly expiries?: Pick<ExpiryView, "at">;
}

type Fx = Effects<LeaderlessMessage>;

/**
 * One page of a scan over all shards: each shard answers a run of its keys from the same place on,
 * from as many replicas as the level needs; the runs are merged in key-byte order. A page ends at
 * the first key up to which *every* shard is known.
 */
export class ScanFlow {
  readonly #context: CoordinatorContext;
  readonly #kind: ScanKind;
  readonly #nextRoundId: () => number;
  readonly #demands: Demands;
  readonly #pending = new Map<number, PendingScan>();
  readonly #byTask = new Map<ScanTask, PendingScan>();
  #sweepAtMs = Number.POSITIVE_INFINITY;

  constructor(
    context: CoordinatorContext,
    kind: ScanKind,
    nextRoundId: () => number,
    demands: Demands,
  ) {
    this.#context = context;
    this.#demands = demands;
    this.#kind = kind;
    this.#nextRoundId = nextRoundId;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** See `Swept`. */
  get sweepAtMs(): number {
    return this.#sweepAtMs;
  }

  start(task: ScanTask, nowMs: number, deadlineMs: number, effects: Fx): void {
    const shards: ShardGather[] = [];
    for (let shardIndex = 0; shardIndex < this.#context.shardCount; shardIndex++) {
      const gather = this.#openShard(task, shardIndex);
      if (gather instanceof CapstanError) {
        effects.refuse(task, gather);
        return;
      }
      shards.push(gather);
    }
    const pending: PendingScan = {
      task,
      roundId: this.#nextRoundId(),
      shards,
      widenAtMs: nowMs + (deadlineMs - nowMs) * WIDEN_AFTER_PART,
      deadlineMs,
      widened: false,
      missing: shards.length,
    };
    this.#pending.set(pending.roundId, pending);
    this.#byTask.set(task, pending);
    this.#sweepAtMs = Math.min(this.#sweepAtMs, pending.widenAtMs);
    for (const [shardIndex, shard] of shards.entries()) {
      this.#ask(pending, shardIndex, this.#firstAsked(shard, shardIndex), effects);
    }
  }

  onReply(
    from: Sender,
    shardIndex: number,
    reply: RangeReply,
    nowMs: number,
    effects: Fx,
  ): boolean {
    const pending = this.#pending.get(reply.requestId);
    const shard = pending?.shards[shardIndex];
    if (pending === undefined || shard === undefined) return false;
    const metBefore = isMetBy(shard.demand, shard.answers.counted);
    if (shard.answers.take(from.node, reply.serving) === 0) return true;
    shard.replies[shard.answers.placement.replicas.indexOf(from.node)] = reply;
    const met = isMetBy(shard.demand, shard.answers.counted);
    if (met && !metBefore) pending.missing--;
    if (pending.missing === 0) this.#answer(pending, nowMs, true, effects);
    else if (!met && shard.answers.complete) this.#askOthers(pending, shardIndex, nowMs, effects);
    return true;
  }

  /** Others hold one of the shards now: all of them are asked again. */
  onMap(_shardIndex: number, nowMs: number, effects: Fx): void {
    for (const pending of [...this.#pending.values()]) {
      this.#forget(pending);
      this.start(pending.task, nowMs, pending.deadlineMs, effects);
    }
  }

  onDeadline(task: ScanTask, nowMs: number, effects: Fx): boolean {
    const pending = this.#byTask.get(task);
    if (pending === undefined) return false;
    this.#conclude(pending, nowMs, effects);
    return true;
  }

  onAborted(task: ScanTask, effects: Fx): boolean {
    const pending = this.#byTask.get(task);
    if (pending === undefined) return false;
    this.#forget(pending);
    effects.refuse(task, new CapstanError("ABORTED", "the scan was aborted"));
    return true;
  }

  sweep(nowMs: number, effects: Fx): void {
    this.#sweepAtMs = Number.POSITIVE_INFINITY;
    for (const pending of [...this.#pending.values()]) {
      if (pending.widened) continue;
      if (nowMs < pending.widenAtMs) {
        this.#sweepAtMs = Math.min(this.#sweepAtMs, pending.widenAtMs);
        continue;
      }
      pending.widened = true;
      for (const [shardIndex, shard] of pending.shards.entries()) {
        if (!isMetBy(shard.demand, shard.answers.counted)) {
          this.#ask(pending, shardIndex, this.#notAsked(shard), effects);
        }
      }
    }
  }

  #openShard(task: ScanTask, shardIndex: number): ShardGather | CapstanError {
    const { level } = task.request;
    const placement = this.#context.placement(shardIndex);
    const answers = new ReplicaAnswers(placement);
    const demand = this.#demands.of(level, shardIndex);
    if (demand === undefined) {
      return levelTooHigh(level, shardIndex, this.#demands, this.#kind.levels);
    }
    const able = ableReplicas(this.#context, answers, shardIndex);
    if (!isMetBy(demand, able) && !(this.#mayLower(level) && able !== 0)) {
      return tooFewReachable(demand, placement.replicas, answers.nodesOf(able));
    }
    return { answers, demand, replies: new Array(answers.total).fill(undefined) };
  }

  #firstAsked(shard: ShardGather, shardIndex: number): ReplicaMask {
    const { answers, demand } = shard;
    const able = ableReplicas(this.#context, answers, shardIndex) & membersOf(demand);
    let asked = answers.bitOf(this.#context.self.node) & able;
    for (const { members, count } of demand.groups) {
      for (let i = 0; i < answers.total && countOf(asked & members) < count; i++) {
        asked |= able & members & (1 << i);
      }
    }
    return asked;
  }

  #notAsked(shard: ShardGather): ReplicaMask {
    return shard.answers.reachable(this.#context.isReachable) & ~shard.answers.asked;
  }

  #askOthers(pending: PendingScan, shardIndex: number, nowMs: number, effects: Fx): void {
    const shard = pending.shards[shardIndex] as ShardGather;
    const more = this.#notAsked(shard);
    if (more !== 0) this.#ask(pending, shardIndex, more, effects);
    else if (pending.shards.every((each) => each.answers.complete)) {
      this.#conclude(pending, nowMs, effects);
    }
  }

  #ask(pending: PendingScan, shardIndex: number, mask: ReplicaMask, effects: Fx): void {
    const { answers } = pending.shards[shardIndex] as ShardGather;
    const { range, limit } = pending.task.request;
    const shardCount = this.#context.shardCount;
    answers.asked |= mask;
    const message = atEpoch<CopyMessage>(answers.placement, {
      type: "range",
      requestId: pending.roundId,
      purpose: "scan",
      from: range.from,
      to: range.to,
      limitBytes: Math.max(SHARD_MINIMUM_BYTES, Math.floor(PAGE_BYTES / shardCount)),
      limitEntries: Math.ceil((limit / shardCount) * SHARE_SLACK) + SHARE_MINIMUM,
    });
    for (const node of answers.nodesOf(mask)) effects.send(node, "replica", shardIndex, message);
  }

  #conclude(pending: PendingScan, nowMs: number, effects: Fx): void {
    if (
      this.#mayLower(pending.task.request.level) &&
      pending.shards.every(({ answers }) => answers.counted !== 0)
    ) {
      this.#answer(pending, nowMs, false, effects);
      return;
    }
    const short = pending.shards.find(({ answers, demand }) => !isMetBy(demand, answers.counted));
    const { answers, demand } = short as ShardGather;
    this.#forget(pending);
    effects.refuse(pending.task, unansweredRead(demand, answers));
  }

  #answer(pending: PendingScan, nowMs: number, met: boolean, effects: Fx): void {
    this.#forget(pending);
    const { task, shards } = pending;
    const counted = Math.min(...shards.map(({ answers }) => countOf(answers.counted)));
    const { answers } = shards[0] as ShardGather;
    const receipt = receiptOf({
      asked: task.request.level,
      counted,
      durable: counted,
      total: answers.total,
      met,
      pendingSync: false,
      repaired: 0,
      epoch: answers.placement.epoch,
      durationMs: nowMs - task.startedAtMs,
      side: "Read",
    });
    try {
      effects.replyScan(task, { ...mergePage(shards, task.request.limit, this.#kind), receipt });
    } catch (error) {
      // A resolver may have no value for what is stored under a key.
      if (!(error instanceof CapstanError)) throw error;
      effects.refuse(task, error);
    }
  }

  #forget(pending: PendingScan): void {
    this.#pending.delete(pending.roundId);
    this.#byTask.delete(pending.task);
  }

  #mayLower(level: Level): boolean {
    return mayLower(this.#kind.partitionPolicy, level);
  }
}

/** Merges the shards' runs; exported for its unit test. */
function mergePage(
  shards: readonly Pick<ShardGather, "answers" | "replies">[],
  limit: number,
  { rules, entryOf, expiries }: Pick<ScanKind, "rules" | "entryOf" | "expiries">,
): Pick<ScanPage, "entries" | "continueAfter"> {
  const merged = new Map<string, KeyedRecord>();
  let horizon: Uint8Array | undefined;
  for (const { answers, replies } of shards) {
    for (const [index, reply] of replies.entries()) {
      if (reply === undefined || (answers.counted & (1 << index)) === 0) continue;
      for (const keyed of reply.entries) keepMerged(rules, merged, keyed);
      const last = reply.entries.at(-1)?.key;
      // Above its last key this replica may hold keys that it has not sent.
      if (reply.more && last !== undefined && (horizon === undefined || below(last, horizon))) {
        horizon = last;
      }
    }
  }
  const known = [...merged.values()]
    .filter(({ key }) => horizon === undefined || !below(horizon, key))
    .sort((a, b) => Buffer.compare(a.key, b.key));
  const live = known.flatMap((keyed): readonly KeyedRecord[] => {
    const record = expiries === undefined ? keyed.record : expiries.at(keyed.record);
    if (rules.isTombstone(record)) return [];
    return [record === keyed.record ? keyed : keyRecord(keyed.key, record)];
  });
  const page = live.slice(0, limit);
  const continueAfter = live.length > limit ? page.at(-1)?.key : horizon;
  return { entries: page.map(entryOf), continueAfter };
}

function keepMerged(
  rules: RecordRules,
  merged: Map<string, KeyedRecord>,
  keyed: KeyedRecord,
): void {
  const { key } = keyed;
  const text = Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
  const held = merged.get(text);
  const record = mergedOf(rules, held?.record, keyed.record);
  if (record === held?.record) return;
  merged.set(text, record === keyed.record ? keyed : keyRecord(key, record));
}

function below(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) < 0;
}
