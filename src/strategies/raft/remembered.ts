import { MalformedBytesError } from "../../core/model/malformed-bytes-error.ts";
import { readU32, readU64, writeU32, writeU64 } from "./record.ts";

/** What became of an operation: the reasons are those of `WriteResult.rejected`. */
export const REMEMBERED = Object.freeze({
  written: 1,
  "version-mismatch": 2,
  exists: 3,
  absent: 4,
  fenced: 5,
});
export type Remembered = keyof typeof REMEMBERED;
const OUTCOMES = Object.freeze(Object.keys(REMEMBERED)) as readonly Remembered[];

export interface MemoryOfOperation {
  readonly outcome: Remembered;
  readonly revision: number;
  /** Hash of what was to be written. */
  readonly fingerprint: number;
}

/** `sequence or expiry, outcome, revision, fingerprint`. */
export const MEMORY_BYTES = 21;
const OUTCOME_AT = 8;
const REVISION_AT = 9;
const FINGERPRINT_AT = 17;

/** @param head a sequence, or when it expires. */
export function writeMemory(
  target: Uint8Array,
  at: number,
  head: number,
  memory: MemoryOfOperation,
): void {
  writeU64(target, head, at);
  target[at + OUTCOME_AT] = REMEMBERED[memory.outcome];
  writeU64(target, memory.revision, at + REVISION_AT);
  writeU32(target, memory.fingerprint, at + FINGERPRINT_AT);
}

export function readMemory(bytes: Uint8Array, at: number): MemoryOfOperation {
  const outcome = OUTCOMES[(bytes[at + OUTCOME_AT] as number) - 1];
  if (outcome === undefined || bytes.length < at + MEMORY_BYTES) {
    throw new MalformedBytesError(
      `a remembered outcome ${bytes[at + OUTCOME_AT]} at ${at} of ${bytes.length} bytes`,
    );
  }
  const revision = readU64(bytes, at + REVISION_AT);
  return { outcome, revision, fingerprint: readU32(bytes, at + FINGERPRINT_AT) };
}

/** Whether something was ever written there, in memory that was zero before. */
export function hasMemory(bytes: Uint8Array, at: number): boolean {
  return bytes[at + OUTCOME_AT] !== 0;
}
