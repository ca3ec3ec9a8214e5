import type { ByteReader, ByteWriter } from "./bytes.ts";

/**
 * A hybrid time in one safe integer: `(milliseconds since 2024-01-01T00:00Z) × 4096 + counter`.
 * 41 bits of milliseconds reach the year 2093, 12 bits of counter give 4,096 stamps in each
 * millisecond before the clock has to run ahead; 53 bits together, so that a comparison is one
 * machine instruction (Kulkarni et al., "Logical Physical Clocks", 2014, §4 packs them likewise).
 */
export type HybridTime = number;

export const HYBRID_EPOCH_MS = Date.UTC(2024, 0, 1);
export const HYBRID_COUNTER_SPAN = 4096;
export const MAX_HYBRID_TIME: HybridTime = Number.MAX_SAFE_INTEGER;

/** 64 random bits, drawn at every start of a node. */
export interface Actor {
  readonly high: number;
  readonly low: number;
}

/**
 * Names one write of a last-writer-wins keyspace. Total order: time, then actor. No two writes
 * have equal stamps: a clock that may have to use a time again takes another actor for it.
 */
export interface Stamp {
  readonly time: HybridTime;
  readonly actorHigh: number;
  readonly actorLow: number;
}

/** Below every stamp that can be minted: "nothing was ever written here". */
export const ZERO_STAMP: Stamp = Object.freeze({ time: 0, actorHigh: 0, actorLow: 0 });

export const STAMP_BYTES = 16;

export function compareStamps(a: Stamp, b: Stamp): number {
  if (a.time !== b.time) return a.time < b.time ? -1 : 1;
  if (a.actorHigh !== b.actorHigh) return a.actorHigh < b.actorHigh ? -1 : 1;
  if (a.actorLow !== b.actorLow) return a.actorLow < b.actorLow ? -1 : 1;
  return 0;
}

export function hybridTimeOf(wallMs: number): HybridTime {
  return Math.max(0, Math.floor(wallMs) - HYBRID_EPOCH_MS) * HYBRID_COUNTER_SPAN;
}

export function wallMsOf(time: HybridTime): number {
  return Math.floor(time / HYBRID_COUNTER_SPAN) + HYBRID_EPOCH_MS;
}

export function writeStamp(writer: ByteWriter, stamp: Stamp): void {
  writer.u64(stamp.time);
  writer.u32(stamp.actorHigh);
  writer.u32(stamp.actorLow);
}

export function readStamp(reader: ByteReader): Stamp {
  const time = reader.u64();
  const actorHigh = reader.u32();
  const actorLow = reader.u32();
  return { time, actorHigh, actorLow };
}

export function describeStamp(stamp: Stamp): string {
  const counter = stamp.time % HYBRID_COUNTER_SPAN;
  const actor = stamp.actorHigh.toString(16).padStart(8, "0");
  return `${new Date(wallMsOf(stamp.time)).toISOString()}+${counter}@${actor}`;
}
