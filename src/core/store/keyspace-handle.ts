import type { Observable } from "rxjs";
import type { Environment } from "../contracts/environment.ts";
import type { StandardSchema } from "../contracts/standard-schema.ts";
import type { Engine, Guarantee } from "../contracts/strategy.ts";
import { checkEntry, checkList } from "../model/call-arguments.ts";
import { CapstanError } from "../model/errors.ts";
import type { Operation } from "../model/operations.ts";
import { BEGIN_SESSION, SessionToken } from "../model/session-token.ts";
import type {
  BatchKind,
  BatchResult,
  BatchWrite,
  CallOptions,
  ConditionalWriteOptions,
  ConditionalWritten,
  EmbeddedKeyspace,
  GetNowOptions,
  GetResult,
  ManyResult,
  ReadOptions,
  ScanEntryResult,
  ScanOptions,
  SessionKeyspace,
  WatchEvent,
  WatchOptions,
  WriteOptions,
  Written,
} from "./api.ts";
import {
  checkBatch,
  checkKeysApart,
  type Entry,
  keyItself,
  keyOfEntry,
  keyOfWrite,
  refusedWrite,
  refuseIdsOfWrites,
} from "./call-lists.ts";
import { CallSettings, NO_SETTINGS, OPTIONS_OF, parseOptions } from "./call-options.ts";
import { checkedInTime, withoutTime } from "./checked-in-time.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { ManyCalls } from "./many-calls.ts";
import { modifyKey } from "./modify-key.ts";
import type { OperationMaker } from "./operation-maker.ts";
import { type Finish, PendingCall, refuseAborted, toFault } from "./pending-call.ts";
import { toConditionalWritten, toFound, toGetResult, toWritten } from "./result-decoder.ts";
import { KeyspaceScan } from "./scan.ts";
import { finishInSession, type SessionHolder, withSessionToken } from "./session-calls.ts";
import { validate } from "./value-schema.ts";
import { KeyspaceWatch, observeChanges } from "./watch.ts";

export interface KeyspaceParts {
  readonly name: string;
  readonly hash: number;
  readonly maker: OperationMaker;
  readonly engine: Engine;
  readonly lifecycle: Lifecycle;
  readonly environment: Environment;
  readonly schema: StandardSchema | undefined;
  readonly maxTimeoutMs: number;
  /** Entries that one page of a scan asks for at most. */
  readonly scanPage: number;
  /** What the calls have seen, where they are one session. */
  readonly session?: SessionHolder;
}

/**
 * A keyspace of a store in this process. A call makes one promise and none inside: it is checked
 * and encoded here, answered at once where the engine can, and else handed over as a `PendingCall`.
 * Nothing is thrown: every refusal is a rejection.
 */
export class KeyspaceHandle implements EmbeddedKeyspace {
  readonly name: string;
  readonly #parts: KeyspaceParts;
  readonly #maker: OperationMaker;
  readonly #engine: Engine;
  readonly #lifecycle: Lifecycle;

  constructor(parts: KeyspaceParts) {
    this.name = parts.name;
    this.#parts = parts;
    this.#maker = parts.maker;
    this.#engine = parts.engine;
    this.#lifecycle = parts.lifecycle;
  }

  get(key: string, options?: ReadOptions): Promise<GetResult<unknown>> {
    return this.#read(key, options, toGetResult);
  }

  getNow(key: string, options?: GetNowOptions): GetResult<unknown> | undefined {
    const settings = this.#settings(options, OPTIONS_OF.getNow);
    const operation = this.#maker.read(key, settings);
    const now = this.#engine.readNow(operation);
    return now === undefined ? undefined : this.#finish(toGetResult, operation, settings)(now);
  }

  has(key: string, options?: ReadOptions): Promise<boolean> {
    return this.#read(key, options, toFound);
  }

  put(key: string, value: unknown, options?: WriteOptions): Promise<Written>;
  put(
    key: string,
    value: unknown,
    options: ConditionalWriteOptions,
  ): Promise<Written | ConditionalWritten<unknown>>;
  put(
    key: string,
    value: unknown,
    options?: ConditionalWriteOptions,
  ): Promise<Written | ConditionalWritten<unknown>> {
    try {
      const settings = this.#settings(options, OPTIONS_OF.write);
      const { schema } = this.#parts;
      if (schema === undefined) return this.#put(key, value, settings);
      // Refused before the schema runs, which may be the caller's slow code.
      this.#maker.writeOptions(settings);
      const checked = validate(schema, value);
      if (!(checked instanceof Promise)) return this.#put(key, checked, settings);
      return checkedInTime(checked, settings, this.#parts.environment)
        .then(({ value: valid, settings: left }) => this.#put(key, valid, left))
        .catch(rethrowFault);
    } catch (error) {
      return Promise.reject(toFault(error));
    }
  }

  delete(key: string, options?: WriteOptions): Promise<Written>;
  delete(
    key: string,
    options: ConditionalWriteOptions,
  ): Promise<Written | ConditionalWritten<unknown>>;
  delete(
    key: string,
    options?: ConditionalWriteOptions,
  ): Promise<Written | ConditionalWritten<unknown>> {
    try {
      const settings = this.#settings(options, OPTIONS_OF.write);
      const operation = this.#maker.delete(key, settings);
      return this.#execute(operation, finishOf(settings), settings);
    } catch (error) {
      return Promise.reject(toFault(error));
    }
  }

  update(key: string, operation: unknown, options?: WriteOptions): Promise<Written> {
    try {
      const settings = this.#settings(options, OPTIONS_OF.unconditionalWrite);
      const made = this.#maker.update(key, operation, settings);
      return this.#execute(made, toWritten, settings);
    } catch (error) {
      return Promise.reject(toFault(error));
    }
  }

  getMany(
    keys: readonly string[],
    options?: ReadOptions,
  ): Promise<readonly ManyResult<GetResult<unknown>>[]> {
    try {
      const settings = this.#settings(options, OPTIONS_OF.read);
      this.#maker.readLevel(settings.consistency);
      checkList(keys, "keys");
      return new ManyCalls({
        ...this.#many(settings),
        items: [...keys],
        keyOf: keyItself,
        make: (key) => this.#maker.read(key, settings),
        finishOf: (operation) => this.#finish(toGetResult, operation, settings),
      }).run();
    } catch (error) {
      return Promise.reject(toFault(error));
    }
  }

  putMany(
    entries: readonly (readonly [key: string, value: unknown])[],
    options?: Omit<WriteOptions, "operationId">,
  ): Promise<readonly ManyResult<Written>[]> {
    try {
      const settings = this.#settings(options, OPTIONS_OF.manyWrites);
      this.#maker.writeLevel(settings.consistency);
      this.#maker.writeOptions(settings);
      checkList(entries, "entries");
      return new ManyCalls({
        ...this.#many(settings),
        items: [...entries],
        keyOf: keyOfEntry,
        make: (entry) => this.#putOf(entry, settings),
        finishOf: (operation) => this.#finish(toWritten, operation, settings),
      }).run();
    } catch (error) {
      return Promise.reject(toFault(error));
    }
  }

  async modify(
    key: string,
    change: (current: unknown) => unknown,
    options?: Omit<WriteOptions, "operationId">,
  ): Promise<Written> {
    this.#maker.needConditional("modify");
    return modifyKey(this, key, change, this.#settings(options, OPTIONS_OF.manyWrites));
  }

  async batchKind(options?: CallOptions): Promise<BatchKind> {
    this.#settings(options, OPTIONS_OF.plain);
    this.#maker.need("batch", "batch");
    return this.#maker.capabilities.batch === "per-key" ? "per-key" : "all-or-nothing";
  }

  async batch(writes: readonly BatchWrite[], options?: WriteOptions): Promise<BatchResult> {
    const settings = this.#settings(options, OPTIONS_OF.unconditionalWrite);
    this.#maker.need("batch", "batch");
    checkBatch(writes);
    if (writes.length === 0) return [];
    if (this.#maker.capabilities.batch === "per-key") return this.#batchPerKey(writes, settings);
    refuseIdsOfWrites(writes);
    const { environment } = this.#parts;
    const startMs = environment.monotonicMs();
    const members = await Promise.all(
      writes.map((write, index) => this.#memberOf(write, index, settings)),
    );
    const left = withoutTime(settings, environment.monotonicMs() - startMs);
    const operation = this.#maker.batch(members, left);
    const result = await this.#execute(operation, toWritten, settings);
    return writes.map((write) => ({ key: keyOfWrite(write), ok: true, result }));
  }

  #memberOf(
    write: BatchWrite,
    index: number,
    ofBatch: Readonly<CallSettings>,
  ): Operation | Promise<Operation> {
    const refuse = (error: unknown): never => {
      throw refusedWrite(toFault(error), index);
    };
    try {
      if (!("put" in write)) return this.#maker.delete(write.delete, NO_SETTINGS);
      const made = this.#putOf([write.put, write.value], NO_SETTINGS, ofBatch);
      return made instanceof Promise ? made.catch(refuse) : made;
    } catch (error) {
      return refuse(error);
    }
  }

  #batchPerKey(
    writes: readonly BatchWrite[],
    settings: Readonly<CallSettings>,
  ): Promise<BatchResult> {
    checkKeysApart(writes);
    refusePerBatch(settings);
    this.#maker.writeLevel(settings.consistency);
    this.#maker.writeOptions(settings);
    const ofDeletes = Object.assign(new CallSettings(), settings, { ttlMs: undefined });
    const under = (common: Readonly<CallSettings>, { operationId }: BatchWrite) =>
      operationId === undefined
        ? common
        : Object.assign(new CallSettings(), common, { operationId });
    return new ManyCalls({
      ...this.#many(settings),
      items: [...writes],
      keyOf: keyOfWrite,
      make: (write) =>
        "put" in write
          ? this.#putOf([write.put, write.value], under(settings, write))
          : this.#maker.delete(write.delete, under(ofDeletes, write)),
      finishOf: (operation) => this.#finish(toWritten, operation, settings),
    }).run();
  }

  scan(options?: ScanOptions): AsyncIterable<ScanEntryResult<unknown>> {
    return new KeyspaceScan(this.#parts, options);
  }

  watch(options?: WatchOptions): AsyncIterable<WatchEvent<unknown>> {
    return new KeyspaceWatch(this.#parts, options);
  }

  get changes$(): Observable<WatchEvent<unknown>> {
    return observeChanges(this.#parts);
  }

  async operationId(): Promise<string> {
    return this.mintOperationId();
  }

  withSession(token: string = BEGIN_SESSION): SessionKeyspace {
    return new SessionHandle({
      ...this.#parts,
      session: { token: SessionToken.parse(this.#parts.hash, token) },
    });
  }

  /** `operationId()` at once, for callers in this process. */
  mintOperationId(): string {
    if (!this.#lifecycle.isAccepting) throw this.#lifecycle.refusal();
    if (this.#maker.capabilities.operationIds) return this.#engine.mintOperationId();
    throw new CapstanError(
      "NOT_SUPPORTED",
      `the strategy of the keyspace "${this.name}" takes no operation ids`,
    );
  }

  describe(): Readonly<Record<string, unknown>> {
    return this.#engine.describe();
  }

  guarantees(): readonly Guarantee[] {
    return this.#engine.guarantees();
  }

  #read<Result>(key: string, options: unknown, finish: Finish<Result>): Promise<Result> {
    try {
      const settings = this.#settings(options, OPTIONS_OF.read);
      const operation = this.#maker.read(key, settings);
      const now = this.#engine.readNow(operation);
      if (now === undefined) return this.#execute(operation, finish, settings);
      return Promise.resolve(this.#finish(finish, operation, settings)(now));
    } catch (error) {
      return Promise.reject(toFault(error));
    }
  }

  #put(key: string, value: unknown, settings: Readonly<CallSettings>): Promise<Written> {
    const operation = this.#maker.put(key, value, settings);
    return this.#execute(operation, finishOf(settings), settings);
  }

  #execute<Result>(
    operation: Operation,
    finish: Finish<Result>,
    settings: Readonly<CallSettings>,
  ): Promise<Result> {
    const { signal } = settings;
    // An asynchronous schema may have taken its time: what was true before may be so no more.
    if (!this.#lifecycle.isAccepting) throw this.#lifecycle.refusal();
    refuseAborted(signal);
    return new Promise((resolve, reject) => {
      const finished = this.#finish(finish, operation, settings);
      new PendingCall(finished, resolve, reject).begin(this.#engine, operation, signal);
    });
  }

  #finish<Result>(
    finish: Finish<Result>,
    { shardIndex }: Operation,
    { sessionToken }: Readonly<CallSettings>,
  ): Finish<Result> {
    if (sessionToken === undefined) return finish;
    return finishInSession(finish, sessionToken, this.#parts.session, shardIndex);
  }

  #settings(options: unknown, allowed: Parameters<typeof parseOptions>[1]) {
    if (!this.#lifecycle.isAccepting) throw this.#lifecycle.refusal();
    const settings = parseOptions(options, allowed, this.#parts.maxTimeoutMs);
    refuseAborted(settings.signal);
    const { session, hash } = this.#parts;
    return withSessionToken(settings, session, hash, this.#maker);
  }

  #many({ signal, timeoutMs }: Readonly<CallSettings>) {
    const deadlineMs = () => this.#maker.deadlineMs(timeoutMs);
    return { engine: this.#engine, lifecycle: this.#lifecycle, signal, deadlineMs };
  }

  /** @param ofCall says how long the whole call may take. */
  #putOf(
    entry: Entry,
    settings: Readonly<CallSettings>,
    ofCall: Readonly<CallSettings> = settings,
  ): Operation | Promise<Operation> {
    checkEntry(entry);
    const [key, value] = entry;
    const { schema } = this.#parts;
    if (schema === undefined) return this.#maker.put(key, value, settings);
    const checked = validate(schema, value);
    if (!(checked instanceof Promise)) return this.#maker.put(key, checked, settings);
    return checkedInTime(checked, ofCall, this.#parts.environment).then((made) =>
      this.#maker.put(key, made.value, settings === ofCall ? made.settings : settings),
    );
  }
}

/** What `withSession` gives: calls that go on from what the calls before them have seen. */
class SessionHandle extends KeyspaceHandle implements SessionKeyspace {
  readonly #session: SessionHolder;

  constructor(parts: KeyspaceParts & { readonly session: SessionHolder }) {
    super(parts);
    this.#session = parts.session;
  }

  get token(): string {
    return this.#session.token.toString();
  }
}

function finishOf(settings: Readonly<CallSettings>) {
  const isConditional = settings.ifVersion !== undefined || settings.ifAbsent === true;
  // Callers tell the shapes apart by the options that they gave: see the overloads.
  return (isConditional ? toConditionalWritten : toWritten) as Finish<Written>;
}

/** Options that name one write, or one key, where each write of a batch is on its own. */
function refusePerBatch({ operationId, context }: Readonly<CallSettings>): void {
  const named = operationId !== undefined ? "operationId" : "context";
  if (operationId === undefined && context === undefined) return;
  throw new CapstanError(
    "INVALID_ARGUMENT",
    named === "context"
      ? "context belongs to one key, and the writes of a batch are on their own here; put and delete take it"
      : "operationId belongs to one write, and those of a batch are on their own here; each of them takes it",
    { details: { option: named } },
  );
}

function rethrowFault(error: unknown): never {
  throw toFault(error);
}
