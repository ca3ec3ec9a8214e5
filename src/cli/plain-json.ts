import type { Receipt } from "../core/model/receipt.ts";
import type { ConditionalWritten, GetResult, Written } from "../core/store/api.ts";

/** What results look like as JSON; field names as in the HTTP API. */
export type PlainJson = Readonly<Record<string, unknown>>;

/**
 * A value as JSON text on one line. What JSON cannot hold is shown as `{"$bytes": base64}`,
 * `{"$date": ISO 8601}` and `{"$bigint": digits}`: to be read by people, not taken back (`valueFields` is).
 */
export function valueText(value: unknown): string {
  return JSON.stringify(plainValue(value)) ?? "null";
}

export function plainValue(value: unknown): unknown {
  if (typeof value === "bigint") return { $bigint: String(value) };
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString("base64") };
  if (value instanceof Date) return { $date: value.toISOString() };
  if (Array.isArray(value)) return value.map(plainValue);
  // `fromEntries` defines fields, so that a key `__proto__` stays one.
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plainValue(each)]));
}

export function plainGet(key: string, result: GetResult<unknown>): PlainJson {
  return { key, ...plainState(result), ...plainReceipt(result.receipt) };
}

export function plainWritten(key: string, result: Written): PlainJson {
  return { key, ok: true, version: result.version, ...plainReceipt(result.receipt) };
}

export function plainMismatch(
  key: string,
  result: Extract<ConditionalWritten<unknown>, { ok: false }>,
): PlainJson {
  return { key, ok: false, reason: result.reason, current: plainState(result.current) };
}

function plainState(result: GetResult<unknown>): PlainJson {
  const version = result.version === undefined ? {} : { version: result.version };
  if (!result.found) return { found: false, ...version };
  return result.conflict
    ? { found: true, conflict: true, siblings: result.siblings.map(plainValue), ...version }
    : { found: true, value: plainValue(result.value), ...version };
}

function plainReceipt(receipt: Receipt): PlainJson {
  return {
    consistency_asked: receipt.asked,
    consistency_achieved: receipt.achieved,
    consistent: receipt.consistent,
    nodes_queried: receipt.replicas.answered,
    pending_sync: receipt.pendingSync,
    replicas: {
      total: receipt.replicas.total,
      answered: receipt.replicas.answered,
      durable: receipt.replicas.durable,
      stand_ins: receipt.replicas.standIns,
    },
    repaired: receipt.repaired,
    ...(receipt.warning === undefined ? {} : { warning: receipt.warning }),
    epoch: receipt.epoch,
    duration_ms: receipt.durationMs,
  };
}
