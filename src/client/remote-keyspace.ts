import { checkEntry, checkList } from "../core/model/call-arguments.ts";
import { CapstanError } from "../core/model/errors.ts";
import { encodeValue } from "../core/model/values.ts";
import type {
  BatchKind,
  BatchResult,
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
import { mapMany } from "./map-many.ts";
import { modifyKey } from "./modify-key.ts";
import { RemoteBatch } from "./remote-batch.ts";
import { RemoteSession, sessionOf } from "./remote-session.ts";
import { RemoteWatch } from "./remote-watch.ts";
import { type RemoteWrite, RemoteWriter, wholeMs } from "./remote-writer.ts";
import { checkOptions, headersOf, keyPath, OPTIONS, queryOf } from "./request-parts.ts";
import type { ServerConnection } from "./server-connection.ts";
import { untilTaken } from "./until-taken.ts";
import { toGetResult, toScanPage } from "./wire.ts";

/** Entries asked for at once by a scan. */
const SCAN_PAGE = 500;
/** Operation ids that a server gives at once. */
const MOST_IDS_AT_ONCE = 100;

/** A keyspace of a server: the same calls as an embedded one, the same results, the same faults. */
export class RemoteKeyspace implements Keyspace {
  readonly name: string;
  readonly #connection: ServerConnection;
  readonly #base: string;
  readonly #writer: RemoteWriter;
  readonly #batches: RemoteBatch;
  readonly #session: RemoteSession | undefined;

  constructor(connection: ServerConnection, name: string, session?: RemoteSession) {
    this.name = name;
    this.#connection = connection;
    this.#base = `/api/v1/keyspaces/${encodeURIComponent(name)}`;
    this.#session = session;
    const writer = new RemoteWriter(connection, this.#base, session);
    this.#writer = writer;
    this.#batches = new RemoteBatch({
      connection,
      keyspace: name,
      base: this.#base,
      session,
      idSupply: (count, limits, requests) =>
        writer.idSupply(count, limits, MOST_IDS_AT_ONCE, requests),
    });
  }

  async get(key: string, options?: ReadOptions): Promise<GetResult<unknown>> {
    checkOptions(options, OPTIONS.read);
    const query = queryOf({ timeout_ms: wholeMs(options?.timeoutMs) });
    const headers = headersOf(this.#session?.into(options) ?? options);
    const path = `${this.#base}/data/${keyPath(key)}${query}`;
    const request = { method: "GET", path, headers } as const;
    const { body, session } = await this.#connection.read(request, options ?? {});
    return { ...toGetResult(body), ...sessionOf(session, this.#session) };
  }

  async has(key: string, options?: ReadOptions): Promise<boolean> {
    return (await this.get(key, options)).found;
  }

  async getMany(
    keys: readonly string[],
    options?: ReadOptions,
  ): Promise<readonly ManyResult<GetResult<unknown>>[]> {
    checkOptions(options, OPTIONS.read);
    checkList(keys, "keys");
    return mapMany(
      keys,
      (key) => key,
      (key) =>
        untilTaken(
          (left) => this.get(key, { ...options, ...left }),
          this.#connection,
          options ?? {},
        ),
    );
  }

  put(key: string, value: unknown, options?: WriteOptions): Promise<Written>;
  put(
    key: string,
    value: unknown,
    options: ConditionalWriteOptions,
  ): Promise<Written | ConditionalWritten<unknown>>;
  async put(
    key: string,
    value: unknown,
    options?: ConditionalWriteOptions,
  ): Promise<Written | ConditionalWritten<unknown>> {
    checkOptions(options, OPTIONS.write);
    return this.#writer.write(putOf(key, value, options));
  }

  async putMany(
    entries: readonly (readonly [key: string, value: unknown])[],
    options?: Omit<WriteOptions, "operationId">,
  ): Promise<readonly ManyResult<Written>[]> {
    checkOptions(options, OPTIONS.many);
    checkList(entries, "entries");
    const ids = this.#writer.idSupply(entries.length, options);
    return mapMany(entries, keyOfEntry, (entry) => {
      checkEntry(entry);
      const [key, value] = entry;
      const write = { ...putOf(key, value, options), ids };
      return untilTaken(
        (left) => this.#unconditional({ ...write, options: { ...options, ...left } }),
        this.#connection,
        options ?? {},
      );
    });
  }

  delete(key: string, options?: WriteOptions): Promise<Written>;
  delete(
    key: string,
    options: ConditionalWriteOptions,
  ): Promise<Written | ConditionalWritten<unknown>>;
  async delete(
    key: string,
    options?: ConditionalWriteOptions,
  ): Promise<Written | ConditionalWritten<unknown>> {
    checkOptions(options, OPTIONS.write);
    return this.#writer.write({ method: "DELETE", key, fields: {}, options });
  }

  async update(key: string, operation: unknown, options?: WriteOptions): Promise<Written> {
    checkOptions(options, [...OPTIONS.many, "operationId"]);
    const fields = { operation: encodeValue(operation) };
    return this.#unconditional({ method: "POST", key, fields, options });
  }

  async modify(
    key: string,
    change: (current: unknown) => unknown,
    options?: WriteOptions,
  ): Promise<Written> {
    checkOptions(options, OPTIONS.many);
    return modifyKey(this, key, change, options ?? {});
  }

  async batch(writes: readonly BatchWrite[], options?: WriteOptions): Promise<BatchResult> {
    checkOptions(options, [...OPTIONS.many, "operationId"]);
    return this.#batches.write(writes, options);
  }

  async batchKind(options?: CallOptions): Promise<BatchKind> {
    checkOptions(options, OPTIONS.plain);
    return this.#batches.kind(options);
  }

  scan(options?: ScanOptions): AsyncIterable<ScanEntryResult<unknown>> {
    return { [Symbol.asyncIterator]: () => this.#scan(options) };
  }

  /** Goes on at another server, or later, from where it stood, when a connection ends. */
  watch(options?: WatchOptions): AsyncIterable<WatchEvent<unknown>> {
    return {
      [Symbol.asyncIterator]: () => new RemoteWatch(this.#connection, this.#base, options),
    };
  }

  withSession(token?: string): SessionKeyspace {
    return new RemoteSessionKeyspace(
      this.#connection,
      this.name,
      new RemoteSession(this.name, token),
    );
  }

  async operationId(): Promise<string> {
    const supplied = await this.#writer.idSupply(1).take();
    if (supplied !== undefined) return supplied.id;
    throw new CapstanError("NOT_SUPPORTED", `the keyspace "${this.name}" takes no operation ids`);
  }

  async *#scan(options?: ScanOptions): AsyncGenerator<ScanEntryResult<unknown>, undefined> {
    checkOptions(options, OPTIONS.scan);
    const { prefix, from, to, timeoutMs, limit = Number.POSITIVE_INFINITY } = options ?? {};
    let wanted = limit;
    let cursor = options?.cursor;
    do {
      const query = queryOf({
        prefix,
        from,
        to,
        cursor,
        limit: Math.min(wanted, SCAN_PAGE),
        timeout_ms: wholeMs(timeoutMs),
      });
      const path = `${this.#base}/data${query}`;
      const request = { method: "GET", path, headers: headersOf(options) } as const;
      const { body } = await this.#connection.read(request, options ?? {});
      const page = toScanPage(body);
      yield* page.entries;
      wanted -= page.entries.length;
      cursor = page.next;
    } while (cursor !== undefined && wanted > 0);
    return undefined;
  }

  async #unconditional(write: RemoteWrite): Promise<Written> {
    return (await this.#writer.write(write)) as Written;
  }
}

/** What `withSession` gives. */
class RemoteSessionKeyspace extends RemoteKeyspace implements SessionKeyspace {
  readonly #seen: RemoteSession;

  constructor(connection: ServerConnection, name: string, session: RemoteSession) {
    super(connection, name, session);
    this.#seen = session;
  }

  get token(): string {
    return this.#seen.token;
  }
}

/** Of an entry that is none, too: its refusal is its own, and the others are written. */
function keyOfEntry(entry: readonly [key: string, value: unknown]): string {
  return Array.isArray(entry) ? entry[0] : "";
}

function putOf(
  key: string,
  value: unknown,
  options: ConditionalWriteOptions | undefined,
): RemoteWrite {
  return { method: "PUT", key, fields: { value: encodeValue(value) }, options };
}
