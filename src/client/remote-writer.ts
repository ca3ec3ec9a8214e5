import { CapstanError } from "../core/model/errors.ts";
import type { ConditionalWriteOptions, ConditionalWritten, Written } from "../core/store/api.ts";
import { OperationIdSupply } from "./operation-id-supply.ts";
import { type RemoteSession, sessionOf } from "./remote-session.ts";
import { headersOf, idempotencyHeader, keyPath, queryOf } from "./request-parts.ts";
import type { ServerRequest } from "./server-call.ts";
import { CAPSTAN_TYPE } from "./server-call.ts";
import type { CallLimits, Requests, ServerConnection } from "./server-connection.ts";
import { encodeBody, toMismatch, toOperationIds, toWritten } from "./wire.ts";

const VERSION_MISMATCH = 412;

export interface RemoteWrite {
  readonly method: "PUT" | "DELETE" | "POST";
  readonly key: string;
  /** Beside the options: `value` or `operation`, each already in its canonical encoding. */
  readonly fields: Readonly<Record<string, Uint8Array>>;
  readonly options: ConditionalWriteOptions | undefined;
  /** Where its id comes from, if it is one write of many. */
  readonly ids?: OperationIdSupply;
}

/** The writes of one keyspace. Each is given an id before it is sent, so that it can be repeated. */
export class RemoteWriter {
  readonly #connection: ServerConnection;
  readonly #base: string;
  readonly #session: RemoteSession | undefined;

  /** @param base path of the keyspace. */
  constructor(connection: ServerConnection, base: string, session: RemoteSession | undefined) {
    this.#connection = connection;
    this.#session = session;
    this.#base = base;
  }

  async write(write: RemoteWrite): Promise<Written | ConditionalWritten<unknown>> {
    const { key } = write;
    const options = this.#session?.into(write.options) ?? write.options ?? {};
    const path = `${this.#base}/data/${keyPath(key)}`;
    const headers = headersOf(options);
    return this.#connection.whole((requests) =>
      this.#send(requests, write, options, { path, headers }),
    );
  }

  /** @param to where, and what is said beside the write: refused before an id is minted for it. */
  async #send(
    requests: Requests,
    write: RemoteWrite,
    options: ConditionalWriteOptions,
    { path, headers }: Pick<ServerRequest, "path" | "headers">,
  ): Promise<Written | ConditionalWritten<unknown>> {
    const supply = write.ids ?? this.idSupply(1, options, undefined, requests);
    const supplied = options.operationId === undefined ? await supply.take() : undefined;
    const operationId = options.operationId ?? supplied?.id;
    const { ifVersion, ifAbsent, context, ttlMs, timeoutMs } = options;
    const inBody = { ...write.fields, if_version: ifVersion, if_absent: ifAbsent, context };
    const hasBody = Object.values(inBody).some((each) => each !== undefined);
    const request: ServerRequest = {
      method: write.method,
      path: path + queryOf({ timeout_ms: wholeMs(timeoutMs), ttl_ms: ttlMs }),
      headers: {
        ...headers,
        ...idempotencyHeader(operationId),
        ...(hasBody ? { "content-type": CAPSTAN_TYPE } : {}),
      },
      operationId,
      server: supplied?.server,
      body: hasBody ? encodeBody(inBody) : undefined,
    };
    const answer = await requests.write(request, options);
    return understand(operationId, () => {
      const seen = sessionOf(answer.session, this.#session);
      if (answer.status === VERSION_MISMATCH) return { ...toMismatch(answer.body), ...seen };
      const written = { ...toWritten(answer.body), ...seen };
      const isConditional = ifVersion !== undefined || ifAbsent === true;
      return isConditional ? { ok: true, ...written } : written;
    });
  }

  /** Ids for `count` writes that are about to be made, in this order. */
  idSupply(
    count: number,
    { signal, timeoutMs }: CallLimits = {},
    atOnce?: number,
    requests: Requests = this.#connection,
  ): OperationIdSupply {
    const fetchSome = async (wanted: number) => {
      const path = `${this.#base}/operation-ids${queryOf({ count: wanted })}`;
      const request: ServerRequest = { method: "POST", path, headers: {} };
      const { body, server } = await requests.read(request, { signal, timeoutMs });
      return toOperationIds(body).map((id) => ({ id, server }));
    };
    return new OperationIdSupply(count, fetchSome, atOnce);
  }
}

/** The server counts whole milliseconds; a fraction waits a little longer rather than shorter. */
export function wholeMs(timeoutMs: number | undefined): number | undefined {
  return timeoutMs === undefined ? undefined : Math.ceil(timeoutMs);
}

/** An answer to a write that makes no sense is as good as a lost one. */
function understand<Result>(operationId: string | undefined, read: () => Result): Result {
  try {
    return read();
  } catch (cause) {
    throw new CapstanError(
      "OUTCOME_UNKNOWN",
      `the write was sent; ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause, ...(operationId === undefined ? {} : { operationId }) },
    );
  }
}
