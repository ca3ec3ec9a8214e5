import type { Effects, ReplicaContext, Sender } from "../../../core/contracts/machine.ts";
import type { NodeId } from "../../../core/model/ids.ts";
import type { HandoffAck } from "../handoff/handoff-messages.ts";
import type { LeaderlessMessage } from "../messages.ts";
import { Patience } from "../patience.ts";
import { type KeyedRecord, keyRecord } from "../record.ts";
import type { RepairSettings } from "../repair-settings.ts";
import { RequestNumbers, UPPER_HALF } from "../request-numbers.ts";

const TIMER = "place-leave";
const BATCH_BYTES = 64 * 1024;
const BATCH_ENTRIES = 1_024;
const FIRST_MS = 20;
const STEP_PAUSE_MS = 2;
/** Between two looks whether a batch is to be sent again to those who have not acknowledged it. */
const LOOK_MS = 2_000;
/** Until what a replica has refused is offered again: a write of a client's may have settled it. */
const AGAIN_MS = 60_000;

type Fx = Effects<LeaderlessMessage>;

interface Batch {
  readonly records: readonly KeyedRecord[];
  readonly bytes: number;
  readonly missing: Set<NodeId>;
  /** Places of those that some replica does not take. */
  readonly refused: Set<number>;
}

/**
 * What a node does with a shard that it holds no longer: hands every record to every replica, in
 * the order of keys, and drops it when all of them have it durably. By then the replicas have what
 * was promised already; what only this copy may have is what fewer have acknowledged: writes at
 * `one`, and those whose outcome is unknown.
 *
 * A record that a replica does not take, as it would be too large together with what is held there, stays,
 * and is offered again: the walk ends when there is none any more.
 *
 * Nothing of the walk is kept: what has been handed over is gone from here, and a start that finds
 * anything begins again.
 */
export class Leaving {
  readonly #context: ReplicaContext;
  readonly #settings: RepairSettings;
  readonly #replicas: () => readonly NodeId[];
  readonly #onLeft: (key: Uint8Array) => void;
  #isRunning = false;
  #isArmed = false;
  #from: Uint8Array | undefined;
  #batch: Batch | undefined;
  readonly #numbers: RequestNumbers;
  readonly #patience = new Map<NodeId, Patience>();
  #dropped = 0;
  /** In the walk under way, or the last one. */
  #refused = 0;

  /** `onLeft` is told of each record that is dropped. */
  constructor(options: {
    readonly context: ReplicaContext;
    readonly settings: RepairSettings;
    readonly replicas: () => readonly NodeId[];
    readonly onLeft: (key: Uint8Array) => void;
  }) {
    this.#context = options.context;
    this.#numbers = new RequestNumbers(options.context);
    this.#settings = options.settings;
    this.#replicas = options.replicas;
    this.#onLeft = options.onLeft;
  }

  /** From the first key on, whatever was under way. */
  start(effects: Fx): void {
    this.#isRunning = true;
    this.#from = undefined;
    this.#batch = undefined;
    // It may be armed for long.
    this.#isArmed = false;
    this.#arm(FIRST_MS, effects);
  }

  /** The node holds the shard again, or is to: what is left stays. */
  stop(effects: Fx): void {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    this.#batch = undefined;
    effects.cancelTimer(TIMER);
    this.#isArmed = false;
  }

  /** False: the timer is another's. */
  onTimer(timer: string, nowMs: number, effects: Fx): boolean {
    if (timer !== TIMER) return false;
    this.#isArmed = false;
    if (!this.#isRunning) return true;
    if (this.#batch === undefined) this.#next(nowMs, effects);
    else this.#send(this.#batch, nowMs, effects);
    return true;
  }

  /** False: the acknowledgement is of something else. */
  onAck(
    from: Sender,
    { requestId, refused = [] }: Omit<HandoffAck, "type">,
    nowMs: number,
    effects: Fx,
  ): boolean {
    if (requestId < UPPER_HALF) return false;
    const batch = this.#batch;
    const patience = this.#patienceWith(from.node);
    if (batch === undefined || !patience.awaits(requestId)) return true;
    patience.answered(requestId, nowMs);
    batch.missing.delete(from.node);
    this.#noteRefused(from.node, batch, refused, effects);
    if (batch.missing.size > 0) return true;
    this.#batch = undefined;
    this.#refused += batch.refused.size;
    for (const [place, { key, record }] of batch.records.entries()) {
      if (batch.refused.has(place)) continue;
      const held = effects.get(key);
      // What came in between goes with the next walk, or its hints.
      if (held === undefined || Buffer.compare(held, record) !== 0) continue;
      effects.delete(key);
      this.#dropped++;
      this.#onLeft(key);
    }
    this.#isArmed = false;
    const pauseMs = (batch.bytes * 1_000) / this.#settings.bytesPerSecond;
    this.#arm(Math.max(STEP_PAUSE_MS, pauseMs), effects);
    return true;
  }

  describe(): Readonly<Record<string, unknown>> {
    return { leaving: this.#isRunning, dropped: this.#dropped, refused: this.#refused };
  }

  /** What only this copy may have stays here. */
  #noteRefused(peer: NodeId, batch: Batch, refused: readonly number[], effects: Fx): void {
    const records = refused.filter((place) => place < batch.records.length);
    if (records.length === 0) return;
    for (const place of records) batch.refused.add(place);
    this.#context.count?.("hints_refused", records.length);
    const { shardIndex: shard } = this.#context;
    effects.emit({ type: "hints-refused", shard, peer, records: records.length });
  }

  #next(nowMs: number, effects: Fx): void {
    if (this.#from === undefined) this.#refused = 0;
    const { entries } = effects.range(this.#from, undefined, BATCH_BYTES, BATCH_ENTRIES);
    const last = entries.at(-1);
    if (last === undefined) {
      if (this.#refused > 0) {
        this.#from = undefined;
        this.#arm(AGAIN_MS, effects);
        return;
      }
      this.#isRunning = false;
      const { shardIndex: shard } = this.#context;
      if (this.#dropped > 0) effects.emit({ type: "shard-left", shard, entries: this.#dropped });
      return;
    }
    this.#from = Buffer.concat([last.key, Buffer.of(0)]);
    const records = entries.map(({ key, value }) => keyRecord(key, value));
    this.#batch = {
      records,
      bytes: records.reduce((sum, { payload }) => sum + payload.length, 0),
      missing: new Set(this.#replicas()),
      refused: new Set(),
    };
    for (const patience of this.#patience.values()) patience.forget();
    this.#send(this.#batch, nowMs, effects);
  }

  /** To those who have not acknowledged it, and are not waited for any longer. */
  #send({ missing, records }: Batch, nowMs: number, effects: Fx): void {
    for (const node of missing) {
      const patience = this.#patienceWith(node);
      // Nothing that was sent to it arrives any more: it is sent it at once when it is back.
      if (!this.#context.isReachable(node)) patience.forget();
      else if (patience.isDue(nowMs)) this.#sendTo(node, patience, records, nowMs, effects);
    }
    this.#arm(LOOK_MS, effects);
  }

  #sendTo(
    node: NodeId,
    patience: Patience,
    records: readonly KeyedRecord[],
    nowMs: number,
    effects: Fx,
  ): void {
    // Above all that hints use for the same messages.
    const requestId = UPPER_HALF + this.#numbers.next();
    patience.asked(requestId, nowMs);
    const message = { type: "handoff", requestId, records } as const;
    effects.send(node, "replica", this.#context.shardIndex, message, "bulk");
  }

  #patienceWith(node: NodeId): Patience {
    const known = this.#patience.get(node) ?? new Patience();
    this.#patience.set(node, known);
    return known;
  }

  #arm(afterMs: number, effects: Fx): void {
    if (this.#isArmed) return;
    this.#isArmed = true;
    effects.setTimer(TIMER, afterMs);
  }
}
