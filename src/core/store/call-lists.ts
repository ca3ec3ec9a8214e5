import { checkList, typeNameOf } from "../model/call-arguments.ts";
import { describeValue } from "../model/configuration-problems.ts";
import { CapstanError } from "../model/errors.ts";
import type { BatchWrite } from "./api.ts";

export type Entry = readonly [key: string, value: unknown];

/** As many as a command of raft holds; the same for every strategy. */
const MAX_BATCH_WRITES = 4_096;
/** Of a write without its operation id. */
const PUT_FIELDS = "put,value";
const DELETE_FIELDS = "delete";

/** Unknown fields are refused: a misspelt one may have meant the opposite. */
export function checkBatch(writes: unknown): asserts writes is readonly BatchWrite[] {
  checkList(writes, "writes");
  for (const [index, write] of (writes as readonly unknown[]).entries()) {
    const given = (typeof write === "object" && write !== null ? write : {}) as Partial<BatchWrite>;
    const { operationId, ...rest } = given;
    const fields = Object.keys(rest).sort().join();
    if (fields !== PUT_FIELDS && fields !== DELETE_FIELDS) {
      throw invalid(
        `a write of a batch has to be { put: key, value } or { delete: key }; writes[${index}] ` +
          `is ${fields === "" ? describeValue(write) : `an object with ${fields}`}`,
      );
    }
    if (operationId === undefined || typeof operationId === "string") continue;
    throw invalid(
      `the operationId of writes[${index}] has to be text, not ${typeNameOf(operationId)}`,
    );
  }
}

/** For writes that take effect together, and so under one id. @throws CapstanError `INVALID_ARGUMENT`. */
export function refuseIdsOfWrites(writes: readonly BatchWrite[]): void {
  const index = writes.findIndex(({ operationId }) => operationId !== undefined);
  if (index === -1) return;
  throw invalid(
    `writes[${index}] has an operationId of its own, but the batch is one write here: it is an ` +
      "option of the whole",
  );
}

/**
 * For batches whose writes are on their own, and so in no order: a key that is named twice would
 * come to hold either. @throws CapstanError `INVALID_ARGUMENT`.
 */
export function checkKeysApart(writes: readonly BatchWrite[]): void {
  if (writes.length > MAX_BATCH_WRITES) {
    throw invalid(`a batch of ${writes.length} writes; at most ${MAX_BATCH_WRITES} are allowed`);
  }
  const keys = new Set<string>();
  for (const write of writes) {
    const key = keyOfWrite(write);
    if (keys.has(key)) {
      throw invalid(
        `the key ${describeValue(key)} stands twice in a batch whose writes have no order`,
      );
    }
    keys.add(key);
  }
}

/** What is wrong with one write of a batch that is refused as a whole. */
export function refusedWrite(fault: CapstanError, index: number): CapstanError {
  const { code, message, outcome, retry, allowed, details } = fault;
  return new CapstanError(code, `writes[${index}]: ${message}`, {
    outcome,
    retry,
    ...(allowed === undefined ? {} : { allowed }),
    details: { ...details, write: index },
    cause: fault,
  });
}

export function keyOfWrite(write: BatchWrite): string {
  return "put" in write ? write.put : write.delete;
}

export function keyOfEntry(entry: Entry): string {
  return Array.isArray(entry) ? (entry as Entry)[0] : "";
}

export function keyItself(key: string): string {
  return key;
}

function invalid(message: string): CapstanError {
  return new CapstanError("INVALID_ARGUMENT", message);
}
