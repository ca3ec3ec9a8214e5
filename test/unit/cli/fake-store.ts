import { EMPTY } from "rxjs";
import { CapstanError } from "../../../src/core/model/errors.ts";
import type { Receipt } from "../../../src/core/model/receipt.ts";
import type {
  ConditionalWriteOptions,
  ConditionalWritten,
  EmbeddedKeyspace,
  GetResult,
  ReadOptions,
  ScanEntryResult,
  ScanOptions,
  Store,
  StoreDescription,
  WatchEvent,
  WatchOptions,
  Written,
} from "../../../src/core/store/api.ts";
import { BoundedStream } from "../../../src/core/store/bounded-stream.ts";
import { serveHttp } from "../../../src/http/index.ts";
import { receipt } from "./receipts.ts";

export interface SeenCall {
  readonly method: "get" | "put" | "delete" | "scan" | "watch";
  readonly key?: string;
  readonly options: ReadOptions & ConditionalWriteOptions & ScanOptions & WatchOptions;
}

/**
 * A store of maps whose keyspaces fail as they are told: what the command line does with the
 * answers is under test, not the store.
 */
export class FakeStore {
  readonly content = new Map<string, unknown>();
  readonly calls: SeenCall[] = [];
  /** Thrown by the next calls, one each; `undefined` lets a call through. */
  readonly faults: (CapstanError | undefined)[] = [];
  /** What every watch gives. */
  readonly events: WatchEvent<unknown>[] = [];
  /** What every result says of how it was obtained. */
  receipt: Receipt = receipt;
  #ids = 0;

  asStore(): Store {
    const keyspace = (name: string): EmbeddedKeyspace => {
      if (name === "default" || name === "other") return this.#keyspace(name);
      throw new CapstanError("UNKNOWN_KEYSPACE", `no keyspace "${name}"; there are default, other`);
    };
    const store: Partial<Store> = {
      node: "n1",
      keyspaceNames: ["default", "other"],
      keyspace,
      operationId: () => `made-${++this.#ids}`,
      describe,
    };
    return store as Store;
  }

  #keyspace(name: string): EmbeddedKeyspace {
    const keyspace: Partial<EmbeddedKeyspace> = {
      name,
      changes$: EMPTY,
      operationId: () => Promise.resolve(`made-${++this.#ids}`),
      get: (key, options = {}) => this.#get(key, options),
      put: (key: string, value: unknown, options: ConditionalWriteOptions = {}) =>
        this.#write("put", key, options, () => this.content.set(key, value)),
      delete: (key: string, options: ConditionalWriteOptions = {}) =>
        this.#write("delete", key, options, () => this.content.delete(key)),
      scan: (options = {}) => this.#scan(options),
      watch: (options = {}) => ({ [Symbol.asyncIterator]: () => this.#watch(options) }),
    };
    return keyspace as EmbeddedKeyspace;
  }

  async #get(key: string, options: ReadOptions): Promise<GetResult<unknown>> {
    this.#call({ method: "get", key, options });
    return this.#state(key);
  }

  #state(key: string): GetResult<unknown> {
    if (!this.content.has(key)) return { found: false, receipt: this.receipt };
    const value = this.content.get(key);
    return { found: true, conflict: false, value, version: `v-${key}`, receipt: this.receipt };
  }

  async #write(
    method: "put" | "delete",
    key: string,
    options: ConditionalWriteOptions,
    apply: () => void,
  ): Promise<Written & ConditionalWritten<unknown>> {
    this.#call({ method, key, options });
    if (options.ifVersion !== undefined && options.ifVersion !== `v-${key}`) {
      const refused = { ok: false, reason: "version-mismatch", current: this.#state(key) } as const;
      return refused as unknown as Written & ConditionalWritten<unknown>;
    }
    apply();
    return { ok: true, version: `v-${key}`, receipt: this.receipt };
  }

  /** Gives what a test has put into `events`, and then waits. */
  #watch(options: WatchOptions): AsyncIterator<WatchEvent<unknown>> {
    this.#call({ method: "watch", options });
    const stream = new BoundedStream<WatchEvent<unknown>>(
      100,
      (_dropped, last) => last,
      () => undefined,
    );
    for (const event of this.events) stream.push(event);
    return stream;
  }

  async *#scan(options: ScanOptions): AsyncGenerator<ScanEntryResult<unknown>> {
    this.#call({ method: "scan", options });
    const { prefix = "", cursor = "", limit = Number.POSITIVE_INFINITY } = options;
    const keys = [...this.content.keys()].sort().filter((key) => key.startsWith(prefix));
    for (const key of keys.filter((each) => each > cursor).slice(0, limit)) {
      yield { key, value: this.content.get(key), version: `v-${key}`, cursor: key };
    }
  }

  #call(call: SeenCall): void {
    this.calls.push(call);
    const fault = this.faults.shift();
    if (fault !== undefined) throw fault;
  }
}

function describe(): StoreDescription {
  return {
    node: "n1",
    cluster: "fake",
    clusterId: undefined,
    storeId: "0",
    incarnation: 1,
    state: "ready",
    degraded: false,
    storageProblems: [],
    side: "majority",
    nodes: [],
    keyspaces: [],
  };
}

/** Serves a fake store over the real HTTP API while `use` runs. */
export async function withFakeServer<T>(
  use: (store: FakeStore, url: string) => Promise<T>,
): Promise<T> {
  const store = new FakeStore();
  const server = await serveHttp(store.asStore(), { port: 0 });
  try {
    return await use(store, server.url);
  } finally {
    await server.close();
  }
}
