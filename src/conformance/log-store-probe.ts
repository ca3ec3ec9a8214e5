import type { LogReadResult, LogStore, Storage } from "../core/contracts/storage.ts";
import type { Durability } from "../core/model/durability.ts";
import type { LogPosition, LogSequence, ShardId } from "../core/model/ids.ts";
import { textOf, utf8 } from "./storage-harness.ts";
import { check, type SuiteClock, until } from "./suite.ts";

/** One `onDurable`, as the handler met it. */
export interface Announcement {
  readonly position: LogPosition;
  /** `durablePosition` at that moment. */
  readonly durable: LogPosition;
  /** The call into the log that was under way. */
  readonly during: string | undefined;
}

const PLENTY_OF_BYTES = 1 << 30;

/** A started log, and everything that its handlers were told. */
export class LogProbe {
  readonly log: LogStore;
  readonly announcements: Announcement[] = [];
  readonly failures: Error[] = [];
  /** For cases that act inside the handler. */
  onDurable: (position: LogPosition) => void = () => undefined;
  readonly #clock: SuiteClock;
  #during: string | undefined;

  constructor(storage: Storage, clock: SuiteClock) {
    this.log = storage.log;
    this.#clock = clock;
    this.log.start({
      onDurable: (position) => {
        const durable = this.log.durablePosition;
        this.announcements.push({ position, durable, during: this.#during });
        this.onDurable(position);
      },
      onFailed: (error) => {
        this.failures.push(error);
      },
    });
  }

  append(shard: ShardId, text: string, durability: Durability = "fsync"): LogPosition {
    const sequence = (this.log.lastSequence(shard) + 1) as LogSequence;
    return this.appendBytes(shard, sequence, utf8(text), durability);
  }

  appendBytes(
    shard: ShardId,
    sequence: number,
    payload: Uint8Array,
    durability: Durability = "fsync",
  ): LogPosition {
    const record = { shard, sequence: sequence as LogSequence, payload };
    return this.#calling("append", () => this.log.append(record, durability));
  }

  flush(): void {
    this.#calling("flush", () => this.log.flush());
  }

  truncateSuffix(shard: ShardId, sequence: number): LogPosition {
    return this.#calling("truncateSuffix", () =>
      this.log.truncateSuffix(shard, sequence as LogSequence),
    );
  }

  reset(shard: ShardId, next: number): LogPosition {
    return this.#calling("reset", () => this.log.reset(shard, next as LogSequence));
  }

  release(shard: ShardId, sequence: number): void {
    this.#calling("release", () => this.log.release(shard, sequence as LogSequence));
  }

  /** Flushes, and waits until all that was appended is durable. */
  async makeDurable(): Promise<void> {
    this.flush();
    await this.durable(this.log.lastPosition);
  }

  durable(position: LogPosition): Promise<void> {
    return until(
      this.#clock,
      () => (this.announcements.at(-1)?.position ?? 0) >= position || this.failures.length > 0,
      () => `onDurable(${position}); last announced: ${this.announcements.at(-1)?.position}`,
    );
  }

  async read(shard: ShardId, from = 1, maxBytes = PLENTY_OF_BYTES): Promise<LogReadResult> {
    const results: LogReadResult[] = [];
    let isCalling = true;
    let wasInside = false;
    this.#calling("read", () =>
      this.log.read(shard, from as LogSequence, maxBytes, (result) => {
        wasInside ||= isCalling;
        results.push(result);
      }),
    );
    isCalling = false;
    await until(this.#clock, () => results.length > 0, "the answer of a read");
    check(!wasInside, "the callback of a read ran inside the call");
    check(results.length === 1, "a read was answered twice");
    return results[0] as LogReadResult;
  }

  /** The payloads from `from` to the end, as `sequence:text`. Fails where they cannot be read. */
  async texts(shard: ShardId, from = 1): Promise<string[]> {
    const result = await this.read(shard, from);
    check(result.type === "records", () => `reading from ${from} answered ${result.type}`);
    check(result.end, "a read with room for all did not reach the end");
    return result.records.map(({ sequence, payload }) => `${sequence}:${textOf(payload)}`);
  }

  #calling<T>(name: string, call: () => T): T {
    const outer = this.#during;
    this.#during = name;
    try {
      return call();
    } finally {
      this.#during = outer;
    }
  }
}
