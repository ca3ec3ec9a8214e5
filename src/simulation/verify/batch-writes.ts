import type { BatchKind, BatchWrite, EmbeddedKeyspace, Written } from "../../core/store/api.ts";
import type {
  HistoryRecorder,
  KeyValueInput,
  KeyValueOutput,
  KeyValueWrite,
  OpenCall,
} from "../../verification/index.ts";
import type { ClientCalls } from "../scenario/client-calls.ts";
import { type Asking, type ClientWrites, endOf, MAX_TRIES } from "./client-writes.ts";
import type { LevelPair } from "./promised-checks.ts";

const RETRY_SHARE = 0.5;
const DELETE_SHARE = 0.06;

export interface BatchWritesOptions {
  /** Of the keyspace. */
  readonly kind: BatchKind;
  readonly name: string;
  /** Whether keys may be deleted by somebody who has not read them. */
  readonly deletes: boolean;
  readonly writes: ClientWrites;
  readonly calls: ClientCalls;
  readonly recorder: HistoryRecorder<KeyValueInput, KeyValueOutput>;
}

interface Member {
  readonly write: BatchWrite;
  readonly key: string;
  readonly call: OpenCall<KeyValueOutput>;
  isUnknown: boolean;
}

/** What was answered does not fit the batch: each time a sentence, and a key of the batch. */
export interface OddAnswer {
  readonly key: string;
  readonly sentence: string;
}

/** Batches of clients, as the keyspace has them. */
export class BatchWrites {
  readonly oddAnswers: OddAnswer[] = [];
  readonly #options: BatchWritesOptions;

  constructor(options: BatchWritesOptions) {
    this.#options = options;
  }

  /** The same value to several keys, so that whoever sees it in some of them has seen a half. */
  async write(
    asking: Asking,
    keys: readonly string[],
    value: unknown,
    { write: level }: LevelPair,
  ): Promise<void> {
    const { kind, deletes } = this.#options;
    const { draw } = asking;
    const some = draw.shuffled(keys).slice(0, draw.whole(Math.min(2, keys.length), keys.length));
    const written = some.map((key): KeyValueWrite => {
      return { key, value: deletes && draw.chance(DELETE_SHARE) ? undefined : value };
    });
    const writes = written.map(batchWriteOf);
    const [first] = some as [string, ...string[]];
    if (kind === "per-key") return this.#perKey(asking, written, level);
    await this.#options.writes.write(asking, {
      ...{ key: first, level, input: { type: "batch", writes: written } },
      send: (keyspace, options) => this.#sendWhole(keyspace, writes, options),
    });
  }

  async #sendWhole(
    keyspace: EmbeddedKeyspace,
    writes: readonly BatchWrite[],
    options: object,
  ): Promise<Written> {
    const results = await keyspace.batch(writes, options);
    const done = results.flatMap((each) => (each.ok ? [each.result] : []));
    const [first] = done as [Written, ...Written[]];
    const isWhole =
      done.length === writes.length && done.every(({ version }) => version === first.version);
    if (!isWhole) this.#answeredOddly(keyOf(writes[0] as BatchWrite), results);
    return first;
  }

  /** Each has an outcome of its own. Those that are unknown may be sent again, under their ids. */
  async #perKey(
    { client, draw, node }: Asking,
    written: readonly KeyValueWrite[],
    level: LevelPair["write"],
  ): Promise<void> {
    const { calls, recorder, name } = this.#options;
    let open = written.map((each): Member => {
      const { key, value } = each;
      const input: KeyValueInput =
        value === undefined ? { type: "delete", key } : { type: "put", key, value };
      const call = recorder.call({ client, node: node.id, level, input });
      return { write: batchWriteOf(each), key, call, isUnknown: false };
    });
    for (let tries = 1; open.length > 0; tries += 1) {
      const mayRetry = tries < MAX_TRIES && draw.chance(RETRY_SHARE);
      try {
        const keyspace = calls.keyspaceOf(node, name);
        const asked = open.map(({ write }) => write);
        const results = await calls.alive(node, keyspace.batch(asked, { consistency: level }));
        const isFitting =
          results.length === open.length && results.every(({ key }, at) => key === open[at]?.key);
        if (!isFitting) this.#answeredOddly(open[0]?.key ?? "", results);
        open = open.flatMap((member, at) => {
          const result = results[at];
          if (result === undefined) return [];
          if (!result.ok) return this.#failed(client, member, result.error, mayRetry);
          this.#options.writes.done(client, member.key, member.call, result.result);
          return [];
        });
      } catch (error) {
        for (const member of open) this.#failed(client, member, error, false);
        return;
      }
    }
  }

  /** What is to be sent again. */
  #failed(client: string, member: Member, error: unknown, mayRetry: boolean): readonly Member[] {
    const { outcome, operationId } = this.#options.calls.noteFault(client, member.key, error);
    const isUnknown = member.isUnknown || outcome === "unknown";
    if (outcome === "unknown" && operationId !== undefined && mayRetry) {
      return [{ ...member, write: { ...member.write, operationId }, isUnknown }];
    }
    endOf(member.call, outcome === "applied", isUnknown);
    return [];
  }

  #answeredOddly(key: string, results: readonly unknown[]): void {
    const sentence = `a batch with ${JSON.stringify(key)} was answered with ${JSON.stringify(results)}.`;
    this.oddAnswers.push({ key, sentence });
  }
}

function batchWriteOf({ key, value }: KeyValueWrite): BatchWrite {
  return value === undefined ? { delete: key } : { put: key, value };
}

function keyOf(write: BatchWrite): string {
  return "put" in write ? write.put : write.delete;
}
