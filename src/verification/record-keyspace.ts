import { CapstanError, isCapstanError } from "../core/model/errors.ts";
import { decodeValue, encodeValue } from "../core/model/values.ts";
import type {
  BatchKind,
  BatchWrite,
  CallOptions,
  ConditionalWriteOptions,
  ConditionalWritten,
  GetResult,
  Keyspace,
  ManyResult,
  ReadOptions,
  ScanEntryResult,
  ScanOptions,
  SessionKeyspace,
  WatchEvent,
  WatchOptions,
  WriteOptions,
  Written,
} from "../core/store/api.ts";
import type { AnswerNotes, HistoryRecorder, OpenCall } from "./history-recorder.ts";
import { type KeyValueInput, type KeyValueOutput, SUPERSEDED } from "./operation.ts";

export interface RecordKeyspaceOptions {
  /** Whose calls these are. One keyspace for each client, so that each has a name of its own. */
  readonly client: string;
  /** The node that the keyspace talks to, for people. */
  readonly node?: string;
}

/**
 * The same keyspace, embedded or of `capstan/client`, which writes down what its callers did and
 * were told.
 *
 * - A fault of a write counts with its outcome; one that is not Capstan's own is unknown. A retry
 *   with the operation id of an unknown write is that very write, and settles it.
 * - A read that failed says nothing and does nothing: it is recorded as not applied.
 * - A conditional write counts as a plain one if it was done, and as not applied if it was not:
 *   what it met is not judged.
 * - Values have to come back as they went in: none of a schema that changes them, nor of a resolver
 *   that merges.
 * - A batch is one operation where its writes take effect together, else one for each of them.
 * - `has`, `scan` and `watch` pass through, unrecorded.
 * - What a register cannot explain is refused with `NOT_SUPPORTED` before anything is sent:
 *   `update`, `modify`, and `ttlMs`, which changes a key without a call.
 */
export function recordKeyspace<V>(
  keyspace: Keyspace<V>,
  recorder: HistoryRecorder<KeyValueInput, KeyValueOutput>,
  options: RecordKeyspaceOptions,
): Keyspace<V>;
export function recordKeyspace<T extends RecordableKeyspace>(
  keyspace: T,
  recorder: HistoryRecorder<KeyValueInput, KeyValueOutput>,
  options: RecordKeyspaceOptions,
): RecordedTypes<T>;
export function recordKeyspace<V>(
  keyspace: Keyspace<V>,
  recorder: HistoryRecorder<KeyValueInput, KeyValueOutput>,
  options: RecordKeyspaceOptions,
): Keyspace<V> {
  return new RecordedKeyspace(keyspace, recorder, options);
}

/** A keyspace that has the methods of its strategy alone, as those of `openStore` have. */
export interface RecordableKeyspace {
  readonly name: string;
  get(key: string): Promise<object>;
  put(key: string, value: never): Promise<object>;
  operationId(): Promise<string>;
}

/** Its methods but for those that are refused, and those that only an embedded one has. */
export type RecordedTypes<T> = Omit<
  T,
  "update" | "modify" | "getNow" | "changes$" | "describe" | "guarantees" | "withSession"
> &
  (T extends { withSession(token?: string): object }
    ? { withSession(token?: string): RecordedTypes<T> & { readonly token: string } }
    : unknown);

type Opened = OpenCall<KeyValueOutput>;

class RecordedKeyspace<V> implements Keyspace<V> {
  readonly name: string;
  readonly #keyspace: Keyspace<V>;
  readonly #recorder: HistoryRecorder<KeyValueInput, KeyValueOutput>;
  readonly #caller: RecordKeyspaceOptions;
  /** Writes whose outcome is unknown, by operation id. */
  readonly #unsettled = new Map<string, Opened>();

  constructor(
    keyspace: Keyspace<V>,
    recorder: HistoryRecorder<KeyValueInput, KeyValueOutput>,
    caller: RecordKeyspaceOptions,
  ) {
    this.name = keyspace.name;
    this.#keyspace = keyspace;
    this.#recorder = recorder;
    this.#caller = caller;
  }

  async get(key: string, options: ReadOptions = {}): Promise<GetResult<V>> {
    const call = this.#open({ type: "get", key }, options);
    try {
      const result = await this.#keyspace.get(key, options);
      call.applied(outputOf(result), notesOf(result));
      return result;
    } catch (error) {
      call.notApplied();
      throw error;
    }
  }

  async getMany(
    keys: readonly string[],
    options: ReadOptions = {},
  ): Promise<readonly ManyResult<GetResult<V>>[]> {
    const calls = keys.map((key) => this.#open({ type: "get", key }, options));
    try {
      const results = await this.#keyspace.getMany(keys, options);
      for (const [index, each] of results.entries()) {
        if (each.ok) calls[index]?.applied(outputOf(each.result), notesOf(each.result));
        else calls[index]?.notApplied();
      }
      return results;
    } catch (error) {
      for (const call of calls) call.notApplied();
      throw error;
    }
  }

  put(key: string, value: V, options?: WriteOptions): Promise<Written>;
  put(
    key: string,
    value: V,
    options: ConditionalWriteOptions,
  ): Promise<Written | ConditionalWritten<V>>;
  async put(
    key: string,
    value: V,
    options: ConditionalWriteOptions = {},
  ): Promise<Written | ConditionalWritten<V>> {
    const input = { type: "put", key, value: copyOf(value) } as const;
    return await this.#write(input, options, () => this.#keyspace.put(key, value, options));
  }

  async putMany(
    entries: readonly (readonly [key: string, value: V])[],
    options: Omit<WriteOptions, "operationId"> = {},
  ): Promise<readonly ManyResult<Written>[]> {
    refuseTtl(options);
    const inputs = entries.map(
      ([key, value]) => ({ type: "put", key, value: copyOf(value) }) as const,
    );
    const calls = inputs.map((input) => this.#open(input, options));
    try {
      const results = await this.#keyspace.putMany(entries, options);
      for (const [index, each] of results.entries()) {
        const call = calls[index] as Opened;
        if (each.ok) call.applied({ version: each.result.version }, notesOf(each.result));
        else this.#failed(call, each.error, undefined);
      }
      return results;
    } catch (error) {
      for (const call of calls) this.#failed(call, error, undefined);
      throw error;
    }
  }

  delete(key: string, options?: WriteOptions): Promise<Written>;
  delete(key: string, options: ConditionalWriteOptions): Promise<Written | ConditionalWritten<V>>;
  async delete(
    key: string,
    options: ConditionalWriteOptions = {},
  ): Promise<Written | ConditionalWritten<V>> {
    return await this.#write({ type: "delete", key }, options, () =>
      this.#keyspace.delete(key, options),
    );
  }

  async batch(
    writes: readonly BatchWrite<V>[],
    options: WriteOptions = {},
  ): Promise<readonly ManyResult<Written>[]> {
    refuseTtl(options);
    // Before anything is waited for: the caller may change its objects meanwhile.
    const copies = writes.map((each) =>
      "put" in each ? { ...each, value: copyOf(each.value) as V } : { ...each },
    );
    const kind = await this.#keyspace.batchKind(callOptionsOf(options));
    return kind === "per-key"
      ? this.#batchPerKey(copies, options)
      : this.#batchTogether(copies, options);
  }

  batchKind(options?: CallOptions): Promise<BatchKind> {
    return this.#keyspace.batchKind(options);
  }

  async #batchTogether(
    writes: readonly BatchWrite<V>[],
    options: WriteOptions,
  ): Promise<readonly ManyResult<Written>[]> {
    const written = writes.map((each) =>
      "put" in each ? { key: each.put, value: each.value } : { key: each.delete, value: undefined },
    );
    const call = this.#openWrite({ type: "batch", writes: written }, options);
    try {
      const results = await this.#keyspace.batch(writes, options);
      if (options.operationId !== undefined) this.#unsettled.delete(options.operationId);
      call.applied();
      return results;
    } catch (error) {
      this.#failed(call, error, options.operationId);
      throw error;
    }
  }

  /** One operation for each write: between two of them a read may see the one without the other. */
  async #batchPerKey(
    writes: readonly BatchWrite<V>[],
    options: WriteOptions,
  ): Promise<readonly ManyResult<Written>[]> {
    const inputs = writes.map(
      (each): KeyValueInput =>
        "put" in each
          ? { type: "put", key: each.put, value: copyOf(each.value) }
          : { type: "delete", key: each.delete },
    );
    const calls = writes.map(({ operationId }, index) =>
      this.#openWrite(inputs[index] as KeyValueInput, {
        ...options,
        ...(operationId === undefined ? {} : { operationId }),
      }),
    );
    const failed = (index: number, error: unknown) =>
      this.#failed(calls[index] as Opened, error, writes[index]?.operationId);
    let results: readonly ManyResult<Written>[];
    try {
      results = await this.#keyspace.batch(writes, options);
    } catch (error) {
      for (const index of writes.keys()) failed(index, error);
      throw error;
    }
    for (const [index, each] of results.entries()) {
      if (!each.ok) {
        failed(index, each.error);
        continue;
      }
      const operationId = writes[index]?.operationId;
      if (operationId !== undefined) this.#unsettled.delete(operationId);
      calls[index]?.applied({ version: each.result.version }, notesOf(each.result));
    }
    return results;
  }

  update(): Promise<Written> {
    return Promise.reject(notRecorded("update", "its outcome depends on the resolver"));
  }

  modify(): Promise<Written> {
    return Promise.reject(notRecorded("modify", "read, then put with ifVersion instead"));
  }

  has(key: string, options?: ReadOptions): Promise<boolean> {
    return this.#keyspace.has(key, options);
  }

  scan(options?: ScanOptions): AsyncIterable<ScanEntryResult<V>> {
    return this.#keyspace.scan(options);
  }

  watch(options?: WatchOptions): AsyncIterable<WatchEvent<V>> {
    return this.#keyspace.watch(options);
  }

  operationId(): Promise<string> {
    return this.#keyspace.operationId();
  }

  async #write(
    input: KeyValueInput,
    options: ConditionalWriteOptions,
    write: () => Promise<Written | ConditionalWritten<V>>,
  ): Promise<Written | ConditionalWritten<V>> {
    refuseTtl(options);
    const call = this.#openWrite(input, options);
    const { operationId } = options;
    try {
      const result = await write();
      if (operationId !== undefined) this.#unsettled.delete(operationId);
      if ("ok" in result && !result.ok) call.notApplied();
      else call.applied({ version: result.version }, notesOf(result));
      return result;
    } catch (error) {
      this.#failed(call, error, operationId);
      throw error;
    }
  }

  withSession(token?: string): SessionKeyspace<V> {
    return new RecordedSession(this.#keyspace.withSession(token), this.#recorder, this.#caller);
  }

  #open(input: KeyValueInput, options: { readonly consistency?: string | number }): Opened {
    const level = options.consistency === undefined ? undefined : String(options.consistency);
    return this.#recorder.call({
      ...this.#caller,
      input,
      ...(level === undefined ? {} : { level }),
    });
  }

  #openWrite(input: KeyValueInput, options: WriteOptions): Opened {
    const { operationId } = options;
    const earlier = operationId === undefined ? undefined : this.#unsettled.get(operationId);
    return earlier ?? this.#open(input, options);
  }

  #failed(call: Opened, error: unknown, givenId: string | undefined): void {
    const outcome = isCapstanError(error) ? error.outcome : "unknown";
    const id = givenId ?? (isCapstanError(error) ? error.operationId : undefined);
    const isRetry = id !== undefined && this.#unsettled.get(id) === call;
    // That the retry did nothing says nothing of the first try.
    if (isRetry && outcome !== "applied") return;
    if (id !== undefined && outcome === "unknown") this.#unsettled.set(id, call);
    else if (isRetry) this.#unsettled.delete(id);
    if (isSuperseded(error)) call.applied(undefined, { achieved: SUPERSEDED });
    else call.ended(outcome);
  }
}

class RecordedSession<V> extends RecordedKeyspace<V> implements SessionKeyspace<V> {
  readonly #session: SessionKeyspace<V>;

  constructor(
    session: SessionKeyspace<V>,
    recorder: HistoryRecorder<KeyValueInput, KeyValueOutput>,
    caller: RecordKeyspaceOptions,
  ) {
    super(session, recorder, caller);
    this.#session = session;
  }

  get token(): string {
    return this.#session.token;
  }
}

/** It took effect, and was told that it had lost to something newer. */
function isSuperseded(error: unknown): boolean {
  return isCapstanError(error) && error.code === "SUPERSEDED" && error.outcome === "applied";
}

/** The caller may change its object while the call is under way, or afterwards. */
function copyOf(value: unknown): unknown {
  return decodeValue(encodeValue(value));
}

function outputOf(result: GetResult<unknown>): KeyValueOutput {
  const version = result.version === undefined ? {} : { version: result.version };
  if (!result.found) return version;
  if (result.conflict) return { siblings: result.siblings.map(copyOf), ...version };
  return { value: copyOf(result.value), ...version };
}

function notesOf({ receipt }: Pick<Written, "receipt">): AnswerNotes {
  return { level: receipt.asked, achieved: receipt.achieved };
}

function callOptionsOf({ signal, timeoutMs }: CallOptions): CallOptions {
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
}

function refuseTtl(options: WriteOptions): void {
  if (options.ttlMs === undefined) return;
  throw notRecorded("ttlMs", "a key that goes by itself is not in the history");
}

function notRecorded(what: string, why: string): CapstanError {
  return new CapstanError("NOT_SUPPORTED", `a recorded keyspace takes no ${what}: ${why}`);
}
