import type { Effects } from "../../core/contracts/machine.ts";
import { putU64, u64At } from "../../core/model/big-endian.ts";
import { CapstanError } from "../../core/model/errors.ts";
import type { HybridClock } from "../../core/model/hybrid-clock.ts";
import type { Operation } from "../../core/model/operations.ts";
import { hybridTimeOf, type Stamp, wallMsOf } from "../../core/model/stamp.ts";
import type { LeaderlessMessage } from "./messages.ts";

const TIMER = "expiry";
const PREFIX = Buffer.from("expiry", "utf8");
const TIME_BYTES = 8;
const ROW = new Uint8Array([1]);
/** Of rows, in one step. */
const SWEEP_BYTES = 8 * 1024;
/** A wall clock may be set: no sleep is longer, so that none is late by more. */
const LONGEST_SLEEP_MS = 10_000;
const STEP_PAUSE_MS = 1;

type LeaderlessEffects = Effects<LeaderlessMessage>;

/**
 * The wall time by which a node judges what has expired. It does not go back when the wall clock is
 * set back by no more than clocks may differ; a clock that had run further away than that is wrong,
 * and is let go.
 */
export class ExpiryClock {
  readonly #clock: Pick<HybridClock, "isBeyondGuard">;
  #latestMs = 0;

  constructor(clock: Pick<HybridClock, "isBeyondGuard">) {
    this.#clock = clock;
  }

  at(wallMs: number): number {
    const nowMs = Math.floor(wallMs);
    if (nowMs >= this.#latestMs || this.#isWrong(wallMs)) this.#latestMs = nowMs;
    return this.#latestMs;
  }

  /** Some node's clock has come to that moment: this one is not behind it any more. */
  observe(atMs: number, wallMs: number): void {
    const time = hybridTimeOf(atMs);
    const isBelieved = !this.#clock.isBeyondGuard({ time, actorHigh: 0, actorLow: 0 }, wallMs);
    if (isBelieved && atMs > this.at(wallMs)) this.#latestMs = atMs;
  }

  #isWrong(wallMs: number): boolean {
    const time = hybridTimeOf(this.#latestMs);
    return this.#clock.isBeyondGuard({ time, actorHigh: 0, actorLow: 0 }, wallMs);
  }
}

/**
 * When what the operation writes is gone. Of a write with an id that is counted from the id's own
 * stamp, so that a retry is the very same write.
 *
 * @throws CapstanError `INVALID_ARGUMENT` if that is beyond what a record can hold.
 */
export function expiryOfWrite(
  { options }: Operation,
  fixedStamp: Stamp | undefined,
  wallMs: number,
): number | undefined {
  const ttlMs = options?.ttlMs;
  if (ttlMs === undefined) return undefined;
  const fromMs = fixedStamp === undefined ? Math.floor(wallMs) : wallMsOf(fixedStamp.time);
  const expiresAtMs = fromMs + ttlMs;
  if (Number.isSafeInteger(expiresAtMs)) return expiresAtMs;
  throw new CapstanError(
    "INVALID_ARGUMENT",
    `ttlMs ${ttlMs} lies beyond the end of time; at most ${Number.MAX_SAFE_INTEGER - fromMs}`,
    { details: { option: "ttlMs" } },
  );
}

/**
 * What a replica holds that expires, as rows of the shard's own records, `"expiry", time, key`, so
 * that it is found without a walk over the shard, also after a start. A row says only where to look:
 * its key may hold something else by then. A key that is written again and again has one of them, not
 * one for each write.
 */
export class ExpiryRows {
  /** So long nobody has to look whether a row is to be taken back. */
  #isEmpty = true;
  /** When the timer that is set fires, in wall time. */
  #wakeMs = Number.POSITIVE_INFINITY;

  /** Before any write of the step. */
  open(wallMs: number, effects: LeaderlessEffects): void {
    const [first] = effects.rangeSide(PREFIX, upTo(Number.MAX_SAFE_INTEGER), 1);
    this.#isEmpty = first === undefined;
    if (first !== undefined) this.#wakeAt(timeOf(first.key), wallMs, effects);
  }

  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  /** Of what the key holds no more. */
  forget(key: Uint8Array, expiresAtMs: number, effects: LeaderlessEffects): void {
    effects.deleteSide(Buffer.concat([upTo(expiresAtMs), key]));
  }

  note(key: Uint8Array, expiresAtMs: number, wallMs: number, effects: LeaderlessEffects): void {
    this.#isEmpty = false;
    effects.putSide(Buffer.concat([upTo(expiresAtMs), key]), ROW);
    this.#wakeAt(expiresAtMs, wallMs, effects);
  }

  /**
   * Calls `expire` with the keys of the rows that are due. False: the timer is another's. Before any
   * write of the step.
   */
  onTimer(
    timer: string,
    wallMs: number,
    dueMs: number,
    effects: LeaderlessEffects,
    expire: (key: Uint8Array) => void,
  ): boolean {
    if (timer !== TIMER) return false;
    this.#wakeMs = Number.POSITIVE_INFINITY;
    const rows = effects.rangeSide(PREFIX, upTo(dueMs + 1), SWEEP_BYTES);
    for (const { key: row } of rows) {
      effects.deleteSide(row);
      expire(row.slice(PREFIX.length + TIME_BYTES));
    }
    if (rows.length > 0) this.#set(STEP_PAUSE_MS, wallMs, effects);
    else this.open(wallMs, effects);
    return true;
  }

  #wakeAt(atMs: number, wallMs: number, effects: LeaderlessEffects): void {
    const delayMs = Math.min(Math.max(STEP_PAUSE_MS, atMs - wallMs), LONGEST_SLEEP_MS);
    if (wallMs + delayMs < this.#wakeMs) this.#set(delayMs, wallMs, effects);
  }

  #set(delayMs: number, wallMs: number, effects: LeaderlessEffects): void {
    this.#wakeMs = wallMs + delayMs;
    effects.setTimer(TIMER, Math.ceil(delayMs));
  }
}

/** Below all rows of that time, above those of earlier ones. */
function upTo(timeMs: number): Buffer {
  const bytes = Buffer.allocUnsafe(PREFIX.length + TIME_BYTES);
  bytes.set(PREFIX);
  putU64(bytes, PREFIX.length, timeMs);
  return bytes;
}

function timeOf(row: Uint8Array): number {
  return u64At(row, PREFIX.length);
}
