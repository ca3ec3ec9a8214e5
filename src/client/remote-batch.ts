import { z } from "zod";
import { CapstanError, isCapstanError } from "../core/model/errors.ts";
import { encodeKey } from "../core/model/keys.ts";
import { encodeValue } from "../core/model/values.ts";
import type {
  BatchKind,
  BatchResult,
  BatchWrite,
  CallOptions,
  WriteOptions,
} from "../core/store/api.ts";
import type { OperationIdSupply } from "./operation-id-supply.ts";
import { type RemoteSession, sessionOf } from "./remote-session.ts";
import { wholeMs } from "./remote-writer.ts";
import { headersOf, idempotencyHeader, queryOf } from "./request-parts.ts";
import { CAPSTAN_TYPE, type ServerRequest } from "./server-call.ts";
import type { Answer, Requests, ServerConnection } from "./server-connection.ts";
import { check, encodeBody } from "./wire.ts";
import { type EncodedWrite, keyOfEncoded, toBatchResult } from "./wire-batch.ts";

/** So many writes of a batch are under way at the server at once, each within its own deadline. */
const AT_ONCE_AT_SERVER = 64;

export interface RemoteBatchParts {
  readonly connection: ServerConnection;
  readonly keyspace: string;
  /** Path of the keyspace. */
  readonly base: string;
  readonly session: RemoteSession | undefined;
  idSupply(count: number, limits: CallOptions, requests: Requests): OperationIdSupply;
}

const health = z.object({
  keyspaces: z.array(
    z.object({ name: z.string(), batch: z.enum(["all-or-nothing", "per-key"]).optional() }),
  ),
});

/**
 * The batches of one keyspace: one request each, with one id for all where the writes take effect
 * together, and one for each where they do not, so that the request can be repeated either way.
 */
export class RemoteBatch {
  readonly #parts: RemoteBatchParts;
  #kind: BatchKind | undefined;

  constructor(parts: RemoteBatchParts) {
    this.#parts = parts;
  }

  /** Asked for once: a keyspace keeps its strategy. */
  async kind(
    { signal, timeoutMs }: CallOptions = {},
    requests: Requests = this.#parts.connection,
  ): Promise<BatchKind> {
    if (this.#kind !== undefined) return this.#kind;
    const { keyspace } = this.#parts;
    const request = { method: "GET", path: "/api/v1/cluster/health", headers: {} } as const;
    const { body } = await requests.read(request, { signal, timeoutMs });
    const { keyspaces } = check(health, body);
    const found = keyspaces.find(({ name }) => name === keyspace);
    if (found === undefined) {
      const allowed = keyspaces.map(({ name }) => name);
      throw new CapstanError(
        "UNKNOWN_KEYSPACE",
        `there is no keyspace ${JSON.stringify(keyspace)}; there are: ${allowed.join(", ")}`,
        { allowed },
      );
    }
    if (found.batch === undefined) {
      throw new CapstanError(
        "NOT_SUPPORTED",
        `batch is not offered by the strategy of the keyspace "${keyspace}"`,
      );
    }
    this.#kind = found.batch;
    return this.#kind;
  }

  write(writes: readonly BatchWrite[], given: WriteOptions = {}): Promise<BatchResult> {
    return this.#parts.connection.whole((requests) => this.#write(requests, writes, given));
  }

  async #write(
    requests: Requests,
    writes: readonly BatchWrite[],
    given: WriteOptions,
  ): Promise<BatchResult> {
    const kind = await this.kind(given, requests);
    const options = this.#parts.session?.into(given) ?? given;
    // Refused before an id is minted for it.
    const headers = headersOf(options);
    const shaped = shapedOf(writes);
    if (shaped.length === 0) return [];
    return kind === "per-key"
      ? this.#perKey(requests, shaped, headers, options)
      : this.#together(requests, shaped.map(encodeMember), headers, options);
  }

  async #together(
    requests: Requests,
    writes: readonly EncodedWrite[],
    headers: Record<string, string>,
    options: WriteOptions,
  ): Promise<BatchResult> {
    const { idSupply, session } = this.#parts;
    const supplied =
      options.operationId === undefined ? await idSupply(1, options, requests).take() : undefined;
    const operationId = options.operationId ?? supplied?.id;
    const request = this.#request(writes, headers, { ...options, operationId });
    const answer = await requests.write(
      { ...request, operationId, server: supplied?.server },
      options,
    );
    try {
      return toBatchResult(answer.body, writes, sessionOf(answer.session, session));
    } catch (cause) {
      throw notUnderstood(cause, operationId);
    }
  }

  /** A write that cannot be sent is refused alone, and the others go without it. */
  async #perKey(
    requests: Requests,
    writes: readonly BatchWrite[],
    headers: Record<string, string>,
    options: WriteOptions,
  ): Promise<BatchResult> {
    const tried = writes.map(maybeEncodeWrite);
    const encoded = tried.filter((each): each is EncodedWrite => !("ok" in each));
    const sent =
      encoded.length === 0 ? [] : await this.#sendPerKey(requests, encoded, headers, options);
    const answers = sent[Symbol.iterator]();
    return tried.map((each) => ("ok" in each ? each : (answers.next().value as BatchOutcome)));
  }

  /** What is lost on the way is unknown of every write, and each has its id to be repeated with. */
  async #sendPerKey(
    requests: Requests,
    encoded: readonly EncodedWrite[],
    headers: Record<string, string>,
    options: WriteOptions,
  ): Promise<BatchResult> {
    const { session } = this.#parts;
    // The server refuses an id for all of them.
    const { writes, server } =
      options.operationId === undefined
        ? await this.#named(requests, encoded, options)
        : { writes: encoded, server: undefined };
    const isRepeatable = writes.every(({ operation_id: id }) => id !== undefined);
    const request = { ...this.#request(writes, headers, options), isRepeatable, server };
    const { timeoutMs, signal } = options;
    const turns = Math.ceil(writes.length / AT_ONCE_AT_SERVER);
    const limits = { signal, timeoutMs: timeoutMs && timeoutMs * turns };
    let answer: Answer;
    try {
      answer = await requests.write(request, limits);
    } catch (error) {
      if (!isCapstanError(error) || error.outcome !== "unknown") throw error;
      return unheard(writes, (operationId) => {
        const { code, message, cause } = error;
        return new CapstanError(code, message, {
          outcome: "unknown",
          ...(operationId === undefined ? {} : { operationId }),
          cause,
        });
      });
    }
    try {
      const results = toBatchResult(answer.body, writes, sessionOf(answer.session, session));
      return answer.isRepeated ? results.map(afterLostTry(writes)) : results;
    } catch (cause) {
      return unheard(writes, (operationId) => notUnderstood(cause, operationId));
    }
  }

  async #named(
    requests: Requests,
    writes: readonly EncodedWrite[],
    options: WriteOptions,
  ): Promise<{ readonly writes: readonly EncodedWrite[]; readonly server: number | undefined }> {
    const without = writes.filter(({ operation_id: id }) => id === undefined).length;
    const ids = this.#parts.idSupply(without, options, requests);
    const named: EncodedWrite[] = [];
    let server: number | undefined;
    for (const write of writes) {
      const supplied = write.operation_id === undefined ? await ids.take() : undefined;
      server ??= supplied?.server;
      named.push(supplied === undefined ? write : { ...write, operation_id: supplied.id });
    }
    return { writes: named, server };
  }

  #request(
    writes: readonly EncodedWrite[],
    headers: Record<string, string>,
    { operationId, context, timeoutMs, ttlMs }: WriteOptionsOrNone,
  ): ServerRequest {
    return {
      method: "POST",
      path: `${this.#parts.base}/batch${queryOf({ timeout_ms: wholeMs(timeoutMs), ttl_ms: ttlMs })}`,
      headers: {
        ...headers,
        ...idempotencyHeader(operationId),
        ...(context === undefined ? {} : { "x-causal-context": context }),
        "content-type": CAPSTAN_TYPE,
      },
      body: encodeBody({ writes }),
    };
  }
}

type WriteOptionsOrNone = Omit<WriteOptions, "operationId"> & {
  readonly operationId?: string | undefined;
};

type BatchOutcome = BatchResult[number];

/** Unknown fields are refused, as the embedded store does: one may have meant the opposite. */
function shapedOf(writes: readonly BatchWrite[]): readonly BatchWrite[] {
  if (!Array.isArray(writes)) throw invalid(`writes have to be an array, not ${typeof writes}`);
  for (const [index, write] of (writes as readonly unknown[]).entries()) {
    const given = (typeof write === "object" && write !== null ? write : {}) as Partial<BatchWrite>;
    const { operationId, ...rest } = given;
    const fields = Object.keys(rest).sort().join();
    if (fields !== "put,value" && fields !== "delete") {
      throw invalid(
        `a write of a batch has to be { put: key, value } or { delete: key }; writes[${index}] is not`,
      );
    }
    if (operationId === undefined || typeof operationId === "string") continue;
    throw invalid(`the operationId of writes[${index}] has to be text, not ${typeof operationId}`);
  }
  return writes;
}

/** @throws CapstanError `INVALID_KEY`, `INVALID_VALUE`. */
function encodeWrite(write: BatchWrite): EncodedWrite {
  const id = write.operationId === undefined ? {} : { operation_id: write.operationId };
  encodeKey(keyOfWrite(write));
  return "put" in write
    ? { put: write.put, value: encodeValue(write.value), ...id }
    : { delete: write.delete, ...id };
}

/** As one of all: the fault says which one it is about. */
function encodeMember(write: BatchWrite, index: number): EncodedWrite {
  try {
    return encodeWrite(write);
  } catch (error) {
    if (!isCapstanError(error)) throw error;
    const { code, message, details } = error;
    throw new CapstanError(code, `writes[${index}]: ${message}`, {
      details: { ...details, write: index },
      cause: error,
    });
  }
}

function maybeEncodeWrite(write: BatchWrite): EncodedWrite | (BatchOutcome & { ok: false }) {
  try {
    return encodeWrite(write);
  } catch (error) {
    if (!isCapstanError(error)) throw error;
    return { key: keyOfWrite(write), ok: false, error };
  }
}

function keyOfWrite(write: BatchWrite): string {
  return "put" in write ? write.put : write.delete;
}

function unheard(
  writes: readonly EncodedWrite[],
  faultOf: (operationId: string | undefined) => CapstanError,
): BatchResult {
  return writes.map((write) => ({
    key: keyOfEncoded(write),
    ok: false,
    error: faultOf(write.operation_id),
  }));
}

/** A refusal is of the try that was answered: the one whose answer was lost may have been done. */
function afterLostTry(writes: readonly EncodedWrite[]) {
  return (each: BatchOutcome, index: number): BatchOutcome => {
    if (each.ok || !isCapstanError(each.error) || each.error.outcome !== "not-applied") return each;
    const error = new CapstanError(
      "OUTCOME_UNKNOWN",
      `the batch was sent, and its answer was lost; sent again, the write was refused: ${each.error.message}`,
      { cause: each.error, ...idOf(writes[index]) },
    );
    return { key: each.key, ok: false, error };
  };
}

function idOf(write: EncodedWrite | undefined): { readonly operationId?: string } {
  const id = write?.operation_id;
  return id === undefined ? {} : { operationId: id };
}

/** An answer that makes no sense is as good as a lost one. */
function notUnderstood(cause: unknown, operationId: string | undefined): CapstanError {
  return new CapstanError(
    "OUTCOME_UNKNOWN",
    `the batch was sent; ${cause instanceof Error ? cause.message : String(cause)}`,
    { cause, ...(operationId === undefined ? {} : { operationId }) },
  );
}

function invalid(message: string): CapstanError {
  return new CapstanError("INVALID_ARGUMENT", message);
}
