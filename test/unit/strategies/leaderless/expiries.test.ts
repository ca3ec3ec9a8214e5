import { expect, test } from "vitest";
import { HybridClock } from "../../../../src/core/model/hybrid-clock.ts";
import { hybridTimeOf } from "../../../../src/core/model/stamp.ts";
import { Expiries } from "../../../../src/strategies/leaderless/expiries.ts";
import { NO_PLANTED_REPLICA_BUGS } from "../../../../src/strategies/leaderless/planted-bugs.ts";
import { isTombstone, makeKeyedRecord } from "../../../../src/strategies/leaderless/record.ts";
import { stampedRules } from "../../../../src/strategies/leaderless/stamped-rules.ts";
import { SidedEffects } from "./sided-effects.ts";

const KEY = Buffer.from("a");
const END = Buffer.from("expirz");

class Shard {
  readonly effects = new SidedEffects();
  readonly #expiries: Expiries;

  constructor() {
    const clock = new HybridClock({ actor: { high: 0, low: 1 }, maxSkewMs: 1_000 });
    this.#expiries = new Expiries(clock, stampedRules, NO_PLANTED_REPLICA_BUGS, (keyed) => {
      this.effects.put(keyed.key, keyed.record);
    });
    this.#expiries.open(0, this.effects);
  }

  put(atMs: number, ttlMs?: number): void {
    const stamp = { time: hybridTimeOf(atMs), actorHigh: 0, actorLow: 1 };
    const expiresAtMs = ttlMs === undefined ? undefined : atMs + ttlMs;
    const keyed = makeKeyedRecord(KEY, stamp, Buffer.from("v"), expiresAtMs);
    const { key, record } = this.#expiries.admit(keyed, atMs, true, this.effects);
    this.effects.put(key, record);
  }

  fire(atMs: number): void {
    this.#expiries.onTimer("expiry", atMs, this.effects);
  }

  get rows(): number {
    return this.effects.rangeSide(Buffer.from("expiry"), END, Number.MAX_SAFE_INTEGER).length;
  }
}

test("a key that is written again and again with a time to live has one row to look at", () => {
  const shard = new Shard();
  for (let n = 0; n < 1_000; n++) shard.put(n, 86_400_000);
  expect(shard.rows).toBe(1);
  shard.put(1_000);
  expect(shard.rows).toBe(0);
  shard.put(1_001, 500);
  shard.fire(1_400);
  expect(isTombstone(shard.effects.get(KEY) as Uint8Array)).toBe(false);
  shard.fire(1_501);
  expect(isTombstone(shard.effects.get(KEY) as Uint8Array)).toBe(true);
  expect(shard.rows).toBe(0);
});

test("what expires at the very time of what it replaces is found then", () => {
  const shard = new Shard();
  shard.put(0, 1_000);
  shard.put(400, 600);
  expect(shard.rows).toBe(1);
  shard.fire(1_000);
  expect(isTombstone(shard.effects.get(KEY) as Uint8Array)).toBe(true);
});
