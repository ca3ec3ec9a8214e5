import type { FastifyReply } from "fastify";
import { CapstanError, isCapstanError } from "../core/model/errors.ts";
import type { Receipt } from "../core/model/receipt.ts";
import { encodeValue, jsonOf } from "../core/model/values.ts";
import type { GetResult, ScanEntryResult, Written } from "../core/store/api.ts";
import { BYTES_TYPE, CAPSTAN_TYPE, JSON_TYPE } from "./media-types.ts";

/** How a body is written: which form values take in it, and how the whole becomes bytes. */
export interface BodyFormat {
  readonly type: string;
  /** Throws `NOT_REPRESENTABLE` where the format cannot hold the value. */
  value(value: unknown): unknown;
  encode(body: object): string | Uint8Array;
}

export const JSON_FORMAT: BodyFormat = Object.freeze({
  type: JSON_TYPE,
  value: jsonOrHint,
  encode: (body: object) => JSON.stringify(body),
});

/** A value within the body is its own canonical encoding, as bytes. */
export const CAPSTAN_FORMAT: BodyFormat = Object.freeze({
  type: CAPSTAN_TYPE,
  value: (value: unknown) => encodeValue(value),
  encode: (body: object) => encodeValue(body),
});

export function formatOf(type: string): BodyFormat {
  return type === CAPSTAN_TYPE ? CAPSTAN_FORMAT : JSON_FORMAT;
}

export function sendBody(
  reply: FastifyReply,
  status: number,
  format: BodyFormat,
  body: object,
): FastifyReply {
  const encoded = format.encode(body);
  const payload = typeof encoded === "string" ? encoded : Buffer.from(encoded);
  return reply.status(status).header("content-type", format.type).send(payload);
}

export const SESSION_HEADER = "x-session-token";

/** What the call's session has seen by now, if the call named one. */
export function sendSession(reply: FastifyReply, { session }: { readonly session?: string }): void {
  if (session !== undefined) reply.header(SESSION_HEADER, session);
}

/** The body of a read: 200 where something was found, 404 where nothing was. */
export function readBody(key: string, result: GetResult<unknown>, format: BodyFormat): object {
  const receipt = receiptBody(result.receipt, "Read");
  if (!result.found) {
    const version = result.version === undefined ? {} : { version: result.version };
    return { key, found: false, ...version, ...receipt };
  }
  const content = result.conflict
    ? {
        conflict: true,
        siblings: result.siblings.map((each) => format.value(each)),
        ...(result.versions === undefined ? {} : { versions: result.versions }),
      }
    : { value: format.value(result.value) };
  return { key, found: true, ...content, version: result.version, ...receipt };
}

export function writtenBody(key: string, written: Written): object {
  return { key, version: written.version, ...receiptBody(written.receipt, "Write") };
}

/**
 * One entry of a scan. Where JSON cannot hold the value the entry says so in its place: one
 * value of bytes must not make a whole keyspace unreadable.
 */
export function entryBody(entry: ScanEntryResult<unknown>, format: BodyFormat): object {
  const tail = { version: entry.version, cursor: entry.cursor };
  try {
    return entry.siblings === undefined
      ? { key: entry.key, value: format.value(entry.value), ...tail }
      : {
          key: entry.key,
          conflict: true,
          siblings: entry.siblings.map((each) => format.value(each)),
          ...tail,
        };
  } catch (error) {
    if (!isCapstanError(error) || error.code !== "NOT_REPRESENTABLE") throw error;
    return { key: entry.key, omitted: error.message, ...tail };
  }
}

/** The facts of a receipt as headers, for answers whose body is the value alone. */
export function receiptHeaders(receipt: Receipt): Record<string, string> {
  return {
    "consistency-achieved": receipt.achieved,
    "x-consistent": String(receipt.consistent),
    "x-nodes-queried": String(receipt.replicas.answered),
    "x-pending-sync": String(receipt.pendingSync),
  };
}

function receiptBody(receipt: Receipt, kind: "Read" | "Write"): object {
  return {
    consistency_asked: receipt.asked,
    consistency_achieved: receipt.achieved,
    consistent: receipt.consistent,
    nodes_queried: receipt.replicas.answered,
    pending_sync: receipt.pendingSync,
    ...(receipt.consistent ? {} : { warning: `${kind} quorum not met` }),
    ...(receipt.warning === undefined ? {} : { warning_detail: receipt.warning }),
    replicas: {
      total: receipt.replicas.total,
      answered: receipt.replicas.answered,
      durable: receipt.replicas.durable,
      stand_ins: receipt.replicas.standIns,
    },
    repaired: receipt.repaired,
    epoch: receipt.epoch,
    // To the microsecond: what is beyond is the noise of a subtraction.
    duration_ms: Math.round(receipt.durationMs * 1_000) / 1_000,
  };
}

function jsonOrHint(value: unknown): unknown {
  try {
    return jsonOf(value);
  } catch (error) {
    if (!isCapstanError(error) || error.code !== "NOT_REPRESENTABLE") throw error;
    const type = value instanceof Uint8Array ? BYTES_TYPE : CAPSTAN_TYPE;
    throw new CapstanError("NOT_REPRESENTABLE", `${error.message} (Accept: ${type})`, {
      allowed: [type],
      ...(error.details === undefined ? {} : { details: error.details }),
    });
  }
}
