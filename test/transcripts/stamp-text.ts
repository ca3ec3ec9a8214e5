import {
  HYBRID_COUNTER_SPAN,
  HYBRID_EPOCH_MS,
  hybridTimeOf,
  type Stamp,
} from "../../src/core/model/stamp.ts";
import { stampOfVersionToken } from "../../src/core/model/version-token.ts";
import {
  liveValueOf,
  makeKeyedRecord,
  RECORD_HEADER_BYTES,
  stampOf,
} from "../../src/strategies/leaderless/record.ts";

/** Wall time at time 0 of a transcript. */
export const BASE_MS = Date.UTC(2026, 0, 1);

/** `@12.3`: 12 ms after the start, by actor 3; `@12+1.3`: the next one in that millisecond. */
export function showStamp({ time, actorLow }: Stamp): string {
  const ms = Math.floor(time / HYBRID_COUNTER_SPAN) + HYBRID_EPOCH_MS - BASE_MS;
  const counter = time % HYBRID_COUNTER_SPAN;
  return `@${ms}${counter === 0 ? "" : `+${counter}`}.${actorLow}`;
}

export function readStampText(text: string): Stamp {
  const match = /^@(-?\d+)(?:\+(\d+))?\.(\d+)$/.exec(text);
  if (match === null) throw new Error(`not a stamp: ${text}`);
  const time = hybridTimeOf(BASE_MS + Number(match[1])) + Number(match[2] ?? 0);
  return { time, actorHigh: 0, actorLow: Number(match[3]) };
}

export function showVersion(token: string): string {
  const stamp = stampOfVersionToken(token);
  return stamp === undefined ? token : showStamp(stamp);
}

/** `@5.2=value`, `@5.2 deleted`, or the stamp alone where the record was cut to its header. */
export function showRecord(record: Uint8Array | undefined, stampOnly = false): string {
  if (record === undefined) return "nothing";
  const stamp = showStamp(stampOf(record));
  if (stampOnly && record.length === RECORD_HEADER_BYTES) return stamp;
  const value = liveValueOf(record);
  return value === undefined ? `${stamp} deleted` : `${stamp}=${Buffer.from(value).toString()}`;
}

/** `key@5.2=value` or `key@5.2` for a deletion. */
export function readKeyed(text: string) {
  const match = /^([^@]+)(@[^=]+)(?:=(.*))?$/.exec(text);
  if (match === null) throw new Error(`not a record: ${text}`);
  const value = match[3] === undefined ? undefined : Buffer.from(match[3]);
  return makeKeyedRecord(Buffer.from(match[1] as string), readStampText(match[2] as string), value);
}
