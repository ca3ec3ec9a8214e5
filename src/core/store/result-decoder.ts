import { CapstanError } from "../model/errors.ts";
import type { OperationResult, ReadResult, WriteResult } from "../model/operations.ts";
import { decodeValue } from "../model/values.ts";
import type { ConditionalWritten, GetResult, Written } from "./api.ts";

export function toGetResult(result: OperationResult): GetResult<unknown> {
  const { found, value, siblings, siblingVersions, version, receipt } = result as ReadResult;
  if (!found) return version === undefined ? { found, receipt } : { found, version, receipt };
  if (version === undefined) throw missing("version");
  if (siblings !== undefined) {
    const versions = siblingVersions === undefined ? {} : { versions: siblingVersions };
    const decoded = siblings.map(decode);
    return { found, conflict: true, siblings: decoded, ...versions, version, receipt };
  }
  if (value === undefined) throw missing("value");
  return { found, conflict: false, value: decode(value), version, receipt };
}

export function toFound(result: OperationResult): boolean {
  return (result as ReadResult).found;
}

export function toWritten(result: OperationResult): Written {
  const { version, receipt } = result as WriteResult;
  return { version, receipt };
}

export function toConditionalWritten(result: OperationResult): ConditionalWritten<unknown> {
  const { version, receipt, rejected } = result as WriteResult;
  if (rejected === undefined) return { ok: true, version, receipt };
  return { ok: false, reason: rejected.reason, current: toGetResult(rejected.current) };
}

/** A stored value again; bytes that do not decode are a fault of ours, not of the caller. */
export function decode(bytes: Uint8Array): unknown {
  try {
    return decodeValue(bytes);
  } catch (cause) {
    throw new CapstanError("INTERNAL", "a stored value does not decode", {
      outcome: "not-applied",
      retry: "never",
      cause,
    });
  }
}

function missing(what: string): CapstanError {
  return new CapstanError("INTERNAL", `the engine found the key and gave no ${what}`, {
    outcome: "not-applied",
  });
}
