import { z } from "zod";
import { CapstanError } from "../core/model/errors.ts";
import type { Level } from "../core/model/levels.ts";
import type { Receipt } from "../core/model/receipt.ts";
import { decodeValue, encodeValue } from "../core/model/values.ts";
import type {
  ConditionalWritten,
  GetResult,
  ScanEntryResult,
  WatchEvent,
  Written,
} from "../core/store/api.ts";

/**
 * The bodies of answers, in the canonical encoding: as the server's JSON, but every value of the
 * user stands as bytes, its own canonical encoding. Not strict: a newer server may say more.
 */
const bytes = z.instanceof(Uint8Array);

const receipt = z.object({
  consistency_asked: z.string(),
  consistency_achieved: z.string(),
  consistent: z.boolean(),
  pending_sync: z.boolean(),
  warning: z.string().optional(),
  warning_detail: z.string().optional(),
  replicas: z.object({
    total: z.number(),
    answered: z.number(),
    durable: z.number(),
    stand_ins: z.number(),
  }),
  repaired: z.number(),
  epoch: z.number(),
  duration_ms: z.number(),
});

const readAnswer = receipt.extend({
  found: z.boolean(),
  value: bytes.optional(),
  siblings: z.array(bytes).optional(),
  versions: z.array(z.string()).optional(),
  version: z.string().optional(),
});

const writtenAnswer = receipt.extend({ version: z.string() });

const mismatchAnswer = z.object({
  reason: z.enum(["version-mismatch", "exists", "absent"]),
  current: readAnswer,
});

const scanAnswer = z.object({
  entries: z.array(
    z.object({
      key: z.string(),
      value: bytes.optional(),
      siblings: z.array(bytes).optional(),
      version: z.string(),
      cursor: z.string(),
    }),
  ),
  more: z.boolean(),
  cursor: z.string().optional(),
});

const operationIdsAnswer = z.object({ operation_ids: z.array(z.string()).min(1) });
const resolveAnswer = z.object({ outcome: z.enum(["applied", "not-applied", "unknown"]) });

const watchEvent = z.object({
  type: z.enum(["put", "delete", "expire", "conflict", "synced", "gap"]),
  key: z.string().optional(),
  value: z.string().optional(),
  siblings: z.array(z.string()).optional(),
  version: z.string().optional(),
  reason: z.string().optional(),
});

export interface ScanPage {
  readonly entries: readonly ScanEntryResult<unknown>[];
  /** Where the next page begins; undefined: there is none. */
  readonly next: string | undefined;
}

/** A request's body; fields that are undefined are left out. */
export function encodeBody(fields: Readonly<Record<string, unknown>>): Uint8Array {
  return encodeValue(fields);
}

export function toGetResult(body: unknown): GetResult<unknown> {
  return getResultOf(check(readAnswer, body));
}

export function toWritten(body: unknown): Written {
  const answer = check(writtenAnswer, body);
  return { version: answer.version, receipt: receiptOf(answer) };
}

export function toMismatch(body: unknown): ConditionalWritten<unknown> {
  const { reason, current } = check(mismatchAnswer, body);
  return { ok: false, reason, current: getResultOf(current) };
}

export function toScanPage(body: unknown): ScanPage {
  const { entries, more, cursor } = check(scanAnswer, body);
  return {
    entries: entries.map(({ key, value, siblings, version, cursor }) => ({
      key,
      ...(value === undefined ? {} : { value: valueFrom(value) }),
      ...(siblings === undefined ? {} : { siblings: siblings.map((each) => valueFrom(each)) }),
      version,
      cursor,
    })),
    next: more ? cursor : undefined,
  };
}

/** An event of a stream with `values=canonical`: every value is base64url of its encoding. */
export function toWatchEvent(data: unknown, cursor: string): WatchEvent<unknown> {
  const { type, key, value, siblings, version, reason } = check(watchEvent, data);
  return {
    type,
    ...(key === undefined ? {} : { key }),
    ...(value === undefined ? {} : { value: fromText(value) }),
    ...(siblings === undefined ? {} : { siblings: siblings.map(fromText) }),
    ...(version === undefined ? {} : { version }),
    cursor,
    ...(reason === undefined ? {} : { reason }),
  } as WatchEvent<unknown>;
}

/** @throws CapstanError `INTERNAL` for bytes that are no value's. */
function valueFrom(encoded: Uint8Array): unknown {
  try {
    return decodeValue(encoded);
  } catch (cause) {
    throw notUnderstood(`a value does not decode: ${(cause as Error).message}`);
  }
}

function fromText(text: string): unknown {
  return valueFrom(Buffer.from(text, "base64url"));
}

export function toOperationIds(body: unknown): readonly string[] {
  return check(operationIdsAnswer, body).operation_ids;
}

export function toResolved(body: unknown): z.infer<typeof resolveAnswer> {
  return check(resolveAnswer, body);
}

function getResultOf(answer: z.infer<typeof readAnswer>): GetResult<unknown> {
  const { found, siblings, versions, value, version } = answer;
  const receipt = receiptOf(answer);
  if (!found) return { found, ...(version === undefined ? {} : { version }), receipt };
  if (version === undefined) throw notUnderstood("a value without a version");
  const known = { found, version, receipt } as const;
  if (siblings !== undefined) {
    const decoded = siblings.map((each) => valueFrom(each));
    const names = versions === undefined ? {} : { versions };
    return { ...known, conflict: true, siblings: decoded, ...names };
  }
  if (value === undefined) throw notUnderstood("found, but no value");
  return { ...known, conflict: false, value: valueFrom(value) };
}

function receiptOf(answer: z.infer<typeof receipt>): Receipt {
  const warning = answer.warning_detail ?? answer.warning;
  return {
    asked: answer.consistency_asked as Level,
    achieved: answer.consistency_achieved as Level,
    consistent: answer.consistent,
    replicas: {
      total: answer.replicas.total,
      answered: answer.replicas.answered,
      durable: answer.replicas.durable,
      standIns: answer.replicas.stand_ins,
    },
    pendingSync: answer.pending_sync,
    repaired: answer.repaired,
    ...(warning === undefined ? {} : { warning }),
    epoch: answer.epoch,
    durationMs: answer.duration_ms,
  };
}

/** @throws CapstanError `INTERNAL` for a body that is not of this form. */
export function check<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw notUnderstood(`${issue?.path.join(".")} ${issue?.message}`);
}

function notUnderstood(why: string): CapstanError {
  return new CapstanError("INTERNAL", `the server's answer is not understood: ${why}`);
}
