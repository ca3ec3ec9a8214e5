import type { Effects, ReplicaContext, Sender } from "../../../core/contracts/machine.ts";
import type { NodeId } from "../../../core/model/ids.ts";
import type { LeaderlessMessage } from "../messages.ts";
import { type KeyedRecord, keyRecord } from "../record.ts";
import type { RepairSettings } from "../repair-settings.ts";
import { RequestNumbers, UPPER_HALF } from "../request-numbers.ts";

const TIMER = "place-leave";
const BATCH_BYTES = 64 * 1024;
const BATCH_ENTRIES = 1_024;
const FIRST_MS = 20;
const STEP_PAUSE_MS = 2;
/** A batch that is not acknowledged by all by then is sent again to those who have not. */
const ACK_TIMEOUT_MS = 2_000;

type Fx = Effects<LeaderlessMessage>;

interface Batch {
  readonly requestId: number;
  readonly records: readonly KeyedRecord[];
  readonly bytes: number;
  readonly missing: Set<NodeId>;
  sentAtMs: number;
}

/**
 * What a node does with a shard that it holds no longer: hands every record to every replica, in
 * the order of keys, and drops it when all of them have it durably. By then the replicas have what
 * was promised already; what only this copy may have is what fewer have acknowledged: writes at
 * `one`, and those whose outcome is unknown.
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
  #dropped = 0;

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
  onAck(from: Sender, requestId: number, effects: Fx): boolean {
    if (requestId < UPPER_HALF) return false;
    const batch = this.#batch;
    if (batch === undefined || batch.requestId !== requestId) return true;
    batch.missing.delete(from.node);
    if (batch.missing.size > 0) return true;
    this.#batch = undefined;
    for (const { key, record } of batch.records) {
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
    return { leaving: this.#isRunning, dropped: this.#dropped };
  }

  #next(nowMs: number, effects: Fx): void {
    const { entries } = effects.range(this.#from, undefined, BATCH_BYTES, BATCH_ENTRIES);
    const last = entries.at(-1);
    if (last === undefined) {
      this.#isRunning = false;
      const { shardIndex: shard } = this.#context;
      if (this.#dropped > 0) effects.emit({ type: "shard-left", shard, entries: this.#dropped });
      return;
    }
    this.#from = Buffer.concat([last.key, Buffer.of(0)]);
    const records = entries.map(({ key, value }) => keyRecord(key, value));
    this.#batch = {
      // Above all that hints use for the same messages.
      requestId: UPPER_HALF + this.#numbers.next(),
      records,
      bytes: records.reduce((sum, { payload }) => sum + payload.length, 0),
      missing: new Set(this.#replicas()),
      sentAtMs: nowMs,
    };
    this.#send(this.#batch, nowMs, effects);
  }

  #send(batch: Batch, nowMs: number, effects: Fx): void {
    batch.sentAtMs = nowMs;
    const { requestId, records } = batch;
    for (const node of batch.missing) {
      if (!this.#context.isReachable(node)) continue;
      const message = { type: "handoff", requestId, records } as const;
      effects.send(node, "replica", this.#context.shardIndex, message, "bulk");
    }
    this.#arm(ACK_TIMEOUT_MS, effects);
  }

  #arm(afterMs: number, effects: Fx): void {
    if (this.#isArmed) return;
    this.#isArmed = true;
    effects.setTimer(TIMER, afterMs);
  }
}
