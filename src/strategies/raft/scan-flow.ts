import type { CoordinatorContext, Effects, ScanTask } from "../../core/contracts/machine.ts";
import { CapstanError } from "../../core/model/errors.ts";
import { compareBytes } from "../../core/model/keys.ts";
import type { ScanPage } from "../../core/model/operations.ts";
import type { ClientMessage, RaftMessage, RangeReply, ReplicaRefusal } from "./client-messages.ts";
import type { Errand, Errands, ErrandTask, ReplicaReply, Route } from "./errands.ts";
import { noMajority, quorumLost, unavailable } from "./faults.ts";
import { routeOf } from "./read-flow.ts";
import { achievedBy, wayOf } from "./read-results.ts";
import { readReceipt } from "./receipts.ts";
import { revisionOf, valueIn } from "./record.ts";
import { encodeRevision } from "./version.ts";

/** Keys are spread over the shards by hash, so each is asked for its share and a little more. */
const SHARE_SLACK = 1.25;
const SHARE_MINIMUM = 16;
/** For all shards of a page together. */
const PAGE_BYTES = 4 * 1024 * 1024;
const SHARD_MINIMUM_BYTES = 16 * 1024;

type Fx = Effects<RaftMessage>;

interface PendingScan {
  readonly task: ScanTask;
  readonly tasks: ShardScan[];
  readonly replies: (RangeReply | undefined)[];
  missing: number;
}

class ShardScan implements ErrandTask {
  readonly shardIndex: number;
  readonly route: Route;
  readonly pending: PendingScan;
  readonly #flow: ScanFlow;
  readonly #shardCount: number;
  errand: Errand | undefined = undefined;

  constructor(flow: ScanFlow, pending: PendingScan, shardIndex: number, shardCount: number) {
    this.#flow = flow;
    this.pending = pending;
    this.shardIndex = shardIndex;
    this.#shardCount = shardCount;
    this.route = routeOf(pending.task.request.level);
  }

  message(requestId: number): ClientMessage {
    const { range, limit, level } = this.pending.task.request;
    const count = this.#shardCount;
    const share = Math.ceil((limit / count) * SHARE_SLACK) + SHARE_MINIMUM;
    return {
      type: "range",
      requestId,
      way: wayOf(level),
      from: range.from,
      to: range.to,
      limitBytes: Math.max(SHARD_MINIMUM_BYTES, Math.floor(PAGE_BYTES / count)),
      limitEntries: Math.min(limit, share),
    };
  }

  answered(_errand: Errand, reply: ReplicaReply, nowMs: number, effects: Fx): void {
    if (reply.type === "range-reply") this.#flow.onReply(this, reply, nowMs, effects);
  }

  refused(_errand: Errand, reason: ReplicaRefusal, _nowMs: number, effects: Fx): boolean {
    if (reason !== "quorum-lost") return true;
    this.#flow.onQuorumLost(this, effects);
    return false;
  }
}

/**
 * One page of a scan over all shards: each shard answers a run of its keys from the same place on,
 * and the runs are merged in key-byte order. A page ends at the first key up to which every shard
 * is known. Each shard's run is one moment of it; the page as a whole is not.
 */
export class ScanFlow {
  readonly #context: CoordinatorContext;
  readonly #errands: Errands;
  readonly #pending = new Map<ScanTask, PendingScan>();

  constructor(context: CoordinatorContext, errands: Errands) {
    this.#context = context;
    this.#errands = errands;
  }

  get size(): number {
    return this.#pending.size;
  }

  start(task: ScanTask, nowMs: number, effects: Fx): void {
    const { shardCount } = this.#context;
    const { level } = task.request;
    for (let shardIndex = 0; shardIndex < shardCount && wayOf(level) !== "local"; shardIndex++) {
      if (this.#errands.hasMajority(shardIndex)) continue;
      const replicas = this.#errands.replicasOf(shardIndex);
      const reachable = this.#errands.reachableReplicas(shardIndex);
      effects.refuse(task, noMajority(level, replicas, reachable));
      return;
    }
    const replies: (RangeReply | undefined)[] = new Array(shardCount).fill(undefined);
    const pending: PendingScan = { task, tasks: [], replies, missing: shardCount };
    this.#pending.set(task, pending);
    for (let shardIndex = 0; shardIndex < shardCount; shardIndex++) {
      const scan = new ShardScan(this, pending, shardIndex, shardCount);
      pending.tasks.push(scan);
      scan.errand = this.#errands.start(scan, nowMs, effects);
    }
  }

  onReply({ pending, shardIndex }: ShardScan, reply: RangeReply, nowMs: number, effects: Fx): void {
    if (pending.replies[shardIndex] !== undefined) return;
    pending.replies[shardIndex] = reply;
    pending.missing--;
    if (pending.missing > 0) return;
    this.#pending.delete(pending.task);
    effects.replyScan(pending.task, this.#pageOf(pending, nowMs));
  }

  onQuorumLost({ pending, shardIndex }: ShardScan, effects: Fx): void {
    this.#end(pending.task);
    effects.refuse(pending.task, quorumLost(shardIndex));
  }

  onDeadline(task: ScanTask, effects: Fx): void {
    const pending = this.#end(task);
    const missing = pending?.replies.indexOf(undefined) ?? 0;
    const replicas = this.#errands.replicasOf(missing);
    const reachable = this.#errands.reachableReplicas(missing);
    const what = `shard ${missing} has not answered at the level ${task.request.level} in time`;
    effects.refuse(task, unavailable(what, replicas, reachable));
  }

  onAborted(task: ScanTask, effects: Fx): void {
    this.#end(task);
    effects.refuse(task, new CapstanError("ABORTED", "the scan was aborted"));
  }

  #end(task: ScanTask): PendingScan | undefined {
    const pending = this.#pending.get(task);
    this.#pending.delete(task);
    for (const { errand } of pending?.tasks ?? []) {
      if (errand !== undefined) this.#errands.end(errand);
    }
    return pending;
  }

  #pageOf({ task, replies }: PendingScan, nowMs: number): ScanPage {
    const all = replies as readonly RangeReply[];
    const known = knownUpTo(all);
    const { keyspaceHash } = this.#context;
    const entries = all
      .flatMap((reply) => reply.entries.map((entry) => ({ ...entry, lifeMark: reply.lifeMark })))
      .filter(({ key }) => known === undefined || compareBytes(key, known) <= 0)
      .sort((a, b) => compareBytes(a.key, b.key));
    const { limit, level } = task.request;
    const taken = entries.slice(0, limit);
    const isCut = taken.length < entries.length;
    const first = all[0] as RangeReply;
    return {
      entries: taken.map(({ key, record, lifeMark }) => ({
        key,
        value: valueIn(record),
        siblings: undefined,
        version: encodeRevision(keyspaceHash, lifeMark, revisionOf(record)),
      })),
      continueAfter: isCut ? taken.at(-1)?.key : known,
      receipt: readReceipt({
        asked: level,
        achieved: achievedBy(level, weakestWay(all)),
        voters: first.voters,
        epoch: this.#context.placement(0).epoch,
        durationMs: nowMs - task.startedAtMs,
      }),
    };
  }
}

/** The least key behind which some shard has more; undefined if all are known to their end. */
function knownUpTo(replies: readonly RangeReply[]): Uint8Array | undefined {
  let known: Uint8Array | undefined;
  for (const { continueAfter } of replies) {
    if (continueAfter === undefined) continue;
    if (known === undefined || compareBytes(continueAfter, known) < 0) known = continueAfter;
  }
  return known;
}

function weakestWay(replies: readonly RangeReply[]) {
  const ways = replies.map(({ way }) => way);
  return ways.find((way) => way === "local") ?? ways.find((way) => way === "lease") ?? "strong";
}
