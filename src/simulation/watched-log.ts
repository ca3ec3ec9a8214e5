import type {
  LogHandlers,
  LogReadResult,
  LogRecord,
  LogStore,
  LogStoreHealth,
} from "../core/contracts/storage.ts";
import type { Durability } from "../core/model/durability.ts";
import type { LogPosition, LogSequence, ShardId, StoreId } from "../core/model/ids.ts";
import type { LateAnswers } from "./late-answers.ts";

/** What happens to a node's log, in the order of its positions. */
export type LogNews =
  /**
   * With a start of the node: of this store what had positions above `last` is gone. So may be what had
   * some below it, where the newest records were not synced and the state came to the disk before them:
   * `lastSequence` is what a shard's log has.
   */
  | {
      readonly type: "opened";
      readonly storeId: StoreId;
      readonly last: LogPosition;
      readonly lastSequence: (shard: ShardId) => LogSequence;
    }
  | { readonly type: "appended"; readonly record: LogRecord; readonly position: LogPosition }
  /** Records above `last` are dropped; at `reset` those below it, too. */
  | {
      readonly type: "truncated" | "reset";
      readonly shard: ShardId;
      readonly last: LogSequence;
      readonly position: LogPosition;
    };

/** A log that somebody looks at from outside, and of which some answers may be held back. */
export class WatchedLog implements LogStore {
  readonly capabilities: LogStore["capabilities"];
  readonly #log: LogStore;
  readonly #onNews: (news: LogNews) => void;
  readonly #late: LateAnswers | undefined;

  constructor(
    log: LogStore,
    storeId: StoreId,
    onNews: (news: LogNews) => void,
    late: LateAnswers | undefined,
  ) {
    this.#log = log;
    this.#onNews = onNews;
    this.#late = late;
    this.capabilities = log.capabilities;
    const lastSequence = (shard: ShardId) => log.lastSequence(shard);
    onNews({ type: "opened", storeId, last: log.lastPosition, lastSequence });
  }

  get lastPosition(): LogPosition {
    return this.#log.lastPosition;
  }

  get durablePosition(): LogPosition {
    return this.#log.durablePosition;
  }

  get syncedPosition(): LogPosition {
    return this.#log.syncedPosition;
  }

  get queuedBytes(): number {
    return this.#log.queuedBytes;
  }

  start(handlers: LogHandlers): void {
    this.#log.start(handlers);
  }

  append(record: LogRecord, durability: Durability): LogPosition {
    const position = this.#log.append(record, durability);
    this.#onNews({ type: "appended", record, position });
    return position;
  }

  flush(): void {
    this.#log.flush();
  }

  lastSequence(shard: ShardId): LogSequence {
    return this.#log.lastSequence(shard);
  }

  read(
    shard: ShardId,
    from: LogSequence,
    maxBytes: number,
    done: (result: LogReadResult) => void,
  ): void {
    const late = this.#late;
    if (late === undefined) return this.#log.read(shard, from, maxBytes, done);
    this.#log.read(shard, from, maxBytes, (result) => late.give(() => done(result)));
  }

  truncateSuffix(shard: ShardId, sequence: LogSequence): LogPosition {
    const position = this.#log.truncateSuffix(shard, sequence);
    this.#onNews({ type: "truncated", shard, last: sequence, position });
    return position;
  }

  reset(shard: ShardId, next: LogSequence): LogPosition {
    const position = this.#log.reset(shard, next);
    this.#onNews({ type: "reset", shard, last: (next - 1) as LogSequence, position });
    return position;
  }

  release(shard: ShardId, sequence: LogSequence): void {
    this.#log.release(shard, sequence);
  }

  health(): LogStoreHealth {
    return this.#log.health();
  }

  close(): Promise<void> {
    if (this.#late === undefined) return this.#log.close();
    return this.#late.settled().then(() => this.#log.close());
  }
}
